"""HTTP field values taken apart in one pass, without patterns that a long header could slow down (RFC 9110 5.6)."""

from string import ascii_letters, digits

_TOKEN = frozenset(ascii_letters + digits + "!#$%&'*+-.^_`|~")


def split(text: str, mark: str) -> list[str]:
    """The parts of a header between `mark`s outside quoted strings, in one pass."""
    parts, start, quoted, escaped = [], 0, False, False
    for place, letter in enumerate(text):
        if escaped:
            escaped = False
        elif quoted and letter == "\\":
            escaped = True
        elif letter == '"':
            quoted = not quoted
        elif letter == mark and not quoted:
            parts.append(text[start:place])
            start = place + 1
    return [*parts, text[start:]]


def is_token(text: str) -> bool:
    """Whether a text is a token (RFC 9110 5.6.2), such as the name of a header."""
    return 0 < len(text) <= 100 and all(letter in _TOKEN for letter in text)
