"""The city of the grant tests."""

from tests.consent.city import city

__all__ = ["city"]
