"""What the tests of the fetcher share: a stopped clock and short limits."""

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any

import pytest

from federation.errors import FederationError
from federation.fetch import Document, Fetcher, Limits
from tests.federation.sink import Sink

NOW = datetime(2026, 11, 21, 20, 0, tzinfo=UTC)
QUICK = Limits(connect=0.3, total=0.6)
TURTLE = "text/turtle"


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(work, 20))


async def failure(work: Coroutine[Any, Any, Document]) -> FederationError:
    with pytest.raises(FederationError) as caught:
        await work
    return caught.value


def ours(found: Sink, **more: Any) -> Fetcher:
    """A fetcher for which the sink is the vault's own origin."""
    return Fetcher(own=frozenset({found.origin}), limits=more.pop("limits", QUICK), **more)
