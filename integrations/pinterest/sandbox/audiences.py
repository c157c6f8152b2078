"""Customer lists and audiences, and how Pinterest shows their sizes: late, and not at all when small."""

import hashlib
from collections import deque
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .facts import DAY, SIZE_DELAY_SECONDS, SMALLEST_SHOWN_SIZE

KEPT_HAPPENINGS = 5_000
SIZE_STEP_SECONDS = 60  # changes of one minute share an entry of the size history; a size is at most this much later


class Happening(NamedTuple):
    """Something that was done, or refused, to a customer list."""

    at: float
    operation: str
    records: int
    status: int


def _happenings() -> deque[Happening]:
    return deque(maxlen=KEPT_HAPPENINGS)


@dataclass(slots=True)
class CustomerList:
    """A customer list: the digests in it, and Pinterest's counters.

    The lists of the starting world have `starting_records`: their digests are made up when somebody looks or when the
    list first changes, so that a thousand lists cost nothing.
    """

    id: str
    ad_account_id: str
    name: str
    created: float
    updated: float
    list_type: str = "EMAIL"
    starting_records: int = 0
    uploaded: int = 0
    removed: int = 0
    batches: int = 1
    records: set[bytes] = field(default_factory=set)
    sizes: deque[tuple[float, int]] = field(default_factory=deque)
    history: deque[Happening] = field(default_factory=_happenings)

    def all_records(self) -> set[bytes]:
        """Return every digest now in the list."""
        made_up = (hashlib.sha256(f"{self.id}:{number}".encode()).digest() for number in range(self.starting_records))
        return self.records.union(made_up) if self.starting_records else self.records

    def size(self) -> int:
        """Return how many records are in the list right now."""
        return self.starting_records + len(self.records)

    def change(self, operation: str, digests: list[bytes], at: float) -> None:
        """Add or remove digests. Doing it twice changes only the counters, as at Pinterest."""
        self.records = self.all_records()
        self.starting_records = 0
        if operation == "ADD":
            self.records.update(digests)
            self.uploaded += len(digests)
        else:
            self.records.difference_update(digests)
            self.removed += len(digests)
        self.batches += 1
        self.updated = at
        self.remember_size(at)
        self.history.append(Happening(at, operation, len(digests), 200))

    def remember_size(self, at: float) -> None:
        """Keep the size of this moment for the day when it is shown."""
        if len(self.sizes) > 1 and self.sizes[-1][0] // SIZE_STEP_SECONDS == at // SIZE_STEP_SECONDS:
            self.sizes.pop()
        self.sizes.append((at, self.size()))
        while len(self.sizes) > 1 and self.sizes[1][0] <= at - SIZE_DELAY_SECONDS:
            self.sizes.popleft()

    def reported_size(self, now: float) -> int | None:
        """Return the size Pinterest shows: yesterday's, and none under 100. Every record matches somebody."""
        settled = [size for at, size in list(self.sizes) if at <= now - SIZE_DELAY_SECONDS]
        return settled[-1] if settled and settled[-1] >= SMALLEST_SHOWN_SIZE else None

    def status(self, now: float) -> str:
        """Return PROCESSING for the first day, then READY or TOO_SMALL."""
        if now - self.created < DAY:
            return "PROCESSING"
        return "TOO_SMALL" if self.reported_size(now) is None else "READY"

    def as_json(self, now: float) -> dict[str, Any]:
        """Return it as Pinterest's `CustomerList`."""
        return {
            "id": self.id,
            "ad_account_id": self.ad_account_id,
            "name": self.name,
            "type": "customerlist",
            "status": self.status(now),
            "created_time": int(self.created),
            "updated_time": int(self.updated),
            "num_batches": self.batches,
            "num_uploaded_user_records": self.uploaded,
            "num_removed_user_records": self.removed,
            "exceptions": {},
        }


@dataclass(slots=True)
class Audience:
    """An audience of any type. One of type CUSTOMER_LIST takes its size from its list."""

    id: str
    ad_account_id: str
    name: str
    audience_type: str
    rule: dict[str, Any]
    created: float
    updated: float
    description: str | None = None
    company: str | None = None
    modelled_size: int = 0

    @property
    def customer_list_id(self) -> str | None:
        """Return the id of the list it stands on, if it stands on one."""
        return self.rule.get("customer_list_id") if self.audience_type == "CUSTOMER_LIST" else None

    def as_json(self, size: int | None, now: float) -> dict[str, Any]:
        """Return it as Pinterest's `Audience`, with the size that Pinterest would show."""
        return {
            "id": self.id,
            "ad_account_id": self.ad_account_id,
            "name": self.name,
            "type": "audience",
            "audience_type": self.audience_type,
            "description": self.description,
            "rule": self.rule,
            "size": size,
            "status": self.status(size, now),
            "created_timestamp": int(self.created),
            "updated_timestamp": int(self.updated),
            "created_by_company_name": self.company,
        }

    def status(self, size: int | None, now: float) -> str:
        """Return INITIALIZING for the first day, then READY or TOO_SMALL."""
        if now - self.created < DAY:
            return "INITIALIZING"
        return "TOO_SMALL" if size is None else "READY"
