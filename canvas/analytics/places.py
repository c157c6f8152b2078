"""Where a page of users goes on: a place in one of the tables, as short text for an address."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pinsync.ids import row_id

LARGEST = 2**63 - 1
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class Place:
    """`table` says which list; `at`, `batch` and `id` the row behind which to go on, 0 or None for its beginning."""

    table: str  # "a" arrivals, "d" deliveries by time of entry, "b" deliveries batch by batch, "e" entries
    id: int = 0
    batch: int = 0
    at: datetime | None = None

    def __str__(self) -> str:
        moment = f"-{(self.at - EPOCH) // MICROSECOND}" if self.at else ""
        return f"{self.table}{self.batch}-{self.id}{moment}"

    @property
    def below(self) -> int:
        """Return the id that all rows which follow are smaller than."""
        return self.id or LARGEST


def read_place(text: str, tables: str) -> Place | None:
    """Return the place a text names in one of `tables`, or None when it makes no sense."""
    table, parts = text[:1], text[1:].split("-")
    if not table or table not in tables or len(parts) not in (2, 3):
        return None
    numbers = [number for part in parts if (number := row_id(part)) is not None]
    if len(numbers) < len(parts):
        return None
    batch, row, *moment = numbers
    try:
        return Place(table, row, batch, EPOCH + moment[0] * MICROSECOND if moment else None)
    except OverflowError:
        return None
