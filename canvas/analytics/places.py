"""Where a page of users goes on: a place in one of the tables, as short text for an address."""

from dataclasses import dataclass

LARGEST = 2**63 - 1


@dataclass(frozen=True)
class Place:
    """`table` says which list; `batch` and `id` the row behind which to go on, 0 for its beginning."""

    table: str  # "a" arrivals, "d" deliveries of the sync, "b" deliveries batch by batch
    id: int = 0
    batch: int = 0

    def __str__(self) -> str:
        return f"{self.table}{self.batch}-{self.id}"

    @property
    def below(self) -> int:
        """Return the id that all rows which follow are smaller than."""
        return self.id or LARGEST


def read_place(text: str, tables: str) -> Place | None:
    """Return the place a text names in one of `tables`, or None when it makes no sense."""
    table, batch, row = text[:1], *text[1:].partition("-")[::2]
    if not table or table not in tables:
        return None
    if not all(part.isascii() and part.isdigit() and len(part) < 19 for part in (batch, row)):
        return None
    return Place(table, int(row), int(batch))
