"""Ids of rows as they come in an address or a form: anything that anybody may have written."""

from collections.abc import Iterable

LONGEST = 18  # digits; every id of both databases that is ever reached has fewer


def row_id(text: str) -> int | None:
    """Return the id that a text names; None when it is none, or one that no row can have."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= LONGEST else None


def may_be_ids(values: Iterable[object]) -> bool:
    """Return whether all numbers among what an address names are ids that a row can have.

    SQLite takes no number beyond 64 bits, not even to find nothing by it.
    """
    return all(value < 10**LONGEST for value in values if isinstance(value, int))
