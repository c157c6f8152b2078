"""Read the `records` of a request: one comma-separated string of digests and plain e-mail addresses."""

import hashlib
import re

HEX_AND_COMMA = b"0123456789abcdef,"
DIGEST = re.compile(r"[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}")  # MD5, SHA-1, SHA-256
EMAIL = re.compile(r"[^\s@,]{1,64}@[^\s@,]+\.[^\s@,.]{2,}")


class BadRecord(Exception):
    """A record is neither a digest nor a lower-case e-mail address. Knows its position, never its value."""

    def __init__(self, position: int) -> None:
        super().__init__(f"record {position}")
        self.position = position


def count(text: str) -> int:
    """Return how many records the text holds, without reading them."""
    text = text.removesuffix(",")
    return text.count(",") + 1 if text else 0


def as_digests(text: str) -> str:
    """Return the records as comma-separated digests, plain e-mail addresses as their SHA-256.

    One trailing comma is tolerated. Raises BadRecord for the first one that is wrong.
    """
    text = text.removesuffix(",")
    # 1,900 SHA-256 digests are the usual case: a few passes in C instead of a loop over them.
    if text.isascii() and not text.encode().translate(None, HEX_AND_COMMA):
        commas = text.count(",")
        if len(text) == 65 * commas + 64 and text[64::65] == "," * commas:
            return text
    return ",".join(as_digest(item, position) for position, item in enumerate(text.split(","), start=1))


def to_bytes(digests: str) -> list[bytes]:
    """Return what `as_digests` returned as the bytes that a list holds."""
    return list(map(bytes.fromhex, digests.split(",")))


def as_digest(item: str, position: int = 1) -> str:
    """Return the digest of one record. Raises BadRecord."""
    if DIGEST.fullmatch(item):
        return item
    if EMAIL.fullmatch(item) and item == item.lower():
        return hashlib.sha256(item.encode()).hexdigest()
    raise BadRecord(position)
