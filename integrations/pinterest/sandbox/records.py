"""Read the `records` of a request: one comma-separated string of digests and plain e-mail addresses."""

import hashlib
import re
from typing import NamedTuple

HEX_AND_COMMA = b"0123456789abcdef,"
DIGEST_LENGTHS = frozenset({32, 40, 64})  # MD5, SHA-1, SHA-256 in hex digits
DIGEST = re.compile(r"[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}")
EMAIL = re.compile(r"[^\s@,]{1,64}@[^\s@,]+\.[^\s@,.]{2,}")


class Records(NamedTuple):
    """The records of one request: digests only, as text for the journal and as bytes for the list."""

    text: str
    digests: list[bytes]


class BadRecord(Exception):
    """A record is neither a digest nor a lower-case e-mail address. Knows its position, never its value."""

    def __init__(self, position: int) -> None:
        super().__init__(f"record {position}")
        self.position = position


def count(text: str) -> int:
    """Return how many records the text holds, without reading them."""
    text = text.removesuffix(",")
    return text.count(",") + 1 if text else 0


def parse(text: str) -> Records:
    """Return the records, plain e-mail addresses as their SHA-256.

    One trailing comma is tolerated. Raises BadRecord for the first one that is wrong.
    """
    text = text.removesuffix(",")
    items = text.split(",") if text else []
    # 1,900 digests are the usual case: three passes in C instead of a loop over them.
    only_digests = text.isascii() and not text.encode().translate(None, HEX_AND_COMMA)
    if not (only_digests and DIGEST_LENGTHS.issuperset(map(len, items))):
        items = [as_digest(item, position) for position, item in enumerate(items, start=1)]
        text = ",".join(items)
    return Records(text, list(map(bytes.fromhex, items)))


def as_digest(item: str, position: int = 1) -> str:
    """Return the digest of one record. Raises BadRecord."""
    if DIGEST.fullmatch(item):
        return item
    if EMAIL.fullmatch(item) and item == item.lower():
        return hashlib.sha256(item.encode()).hexdigest()
    raise BadRecord(position)
