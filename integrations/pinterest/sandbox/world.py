"""The world: every customer list and audience, the sandbox's clock, and the only methods that change them."""

from collections import deque
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from .audiences import KEPT_HAPPENINGS, Audience, CustomerList, Happening
from .beginning import starting_world
from .clock import Clock
from .facts import SIZE_DELAY_SECONDS, SMALLEST_SHOWN_SIZE
from .journal import Journal, Line, Room, journaled
from .people import AD_ACCOUNTS, PINTEREST_USERS, AdAccount, PinterestUser, more_people
from .records import to_bytes

RECORDS_PER_DUMPED_LINE = 20_000


class World(Room):
    """What Pinterest knows. Methods that change it take what has been checked before; none of them can refuse."""

    name = "world"

    def __init__(self, journal: Journal | None = None, clock: Clock | None = None) -> None:
        super().__init__(journal)
        self.clock = clock or Clock()
        self.pinterest_users: dict[str, PinterestUser] = {user.id: user for user in PINTEREST_USERS}
        self.ad_accounts: dict[str, AdAccount] = {ad_account.id: ad_account for ad_account in AD_ACCOUNTS}
        self.customer_lists: dict[str, CustomerList] = {}
        self.audiences: dict[str, Audience] = {}
        self.last_id = 0

    def welcome(self, number: int) -> None:
        """Let more people in, for measurements. Not written down: who starts the sandbox says so at every start."""
        for person, ad_account in more_people(number):
            self.pinterest_users[person.id] = person
            self.ad_accounts[ad_account.id] = ad_account

    def pinterest_user(self, name_or_id: str) -> PinterestUser | None:
        """Find a person by id or user name."""
        for user in self.pinterest_users.values():
            if name_or_id in (user.id, user.username):
                return user
        return None

    def audiences_of(self, ad_account_id: str) -> list[Audience]:
        """Return the audiences of one ad account, oldest first."""
        return [audience for audience in list(self.audiences.values()) if audience.ad_account_id == ad_account_id]

    def lists_of(self, ad_account_id: str) -> list[CustomerList]:
        """Return the customer lists of one ad account, oldest first."""
        return [found for found in list(self.customer_lists.values()) if found.ad_account_id == ad_account_id]

    def customer_list_of(self, audience: Audience) -> CustomerList | None:
        """Return the list an audience stands on."""
        return self.customer_lists.get(audience.customer_list_id or "")

    def size(self, audience: Audience) -> int:
        """Return how many people or records are in an audience right now."""
        customer_list = self.customer_list_of(audience)
        return customer_list.size() if customer_list else audience.modelled_size

    def reported_size(self, audience: Audience) -> int | None:
        """Return the size that Pinterest shows: late, and none under 100."""
        customer_list = self.customer_list_of(audience)
        if customer_list:
            return customer_list.reported_size(self.clock.now())
        seeds = [self.audiences.get(id) for id in audience.rule.get("seed_id", [])]
        lists = [found for seed in seeds if seed and (found := self.customer_list_of(seed))]
        if lists and all(found.reported_size(self.clock.now()) is None for found in lists):
            return None  # too few people to look for others who are like them
        is_young = self.clock.now() - audience.created < SIZE_DELAY_SECONDS
        return None if is_young or audience.modelled_size < SMALLEST_SHOWN_SIZE else audience.modelled_size

    def audience_json(self, audience: Audience) -> dict[str, Any]:
        """Return an audience as the API shows it."""
        return audience.as_json(self.reported_size(audience), self.clock.now())

    def next_id(self) -> str:
        """Return an id above all others. It is taken once something is created with it, under the same lock."""
        return str(self.last_id + 1)

    @journaled
    def begin(self, *, at: float) -> None:
        """Make the world as it is at the start."""
        self.empty.unwritten(self)  # type: ignore[attr-defined]
        for audience, customer_list in starting_world(at):
            self._put(audience)
            if customer_list:
                self._put(customer_list)

    @journaled
    def empty(self, *, last_id: int = 0) -> None:
        """Forget every list and audience, and set the clock right. Ids go on after the last one ever given."""
        self.last_id = last_id
        self.customer_lists = {}
        self.audiences = {}
        self.clock.jumped_hours = 0.0

    @journaled
    def create_customer_list(
        self, *, id: str, ad_account_id: str, name: str, list_type: str, records: str, at: float
    ) -> CustomerList:
        """Create a customer list with its first records."""
        digests = to_bytes(records)
        created = CustomerList(
            id=id,
            ad_account_id=ad_account_id,
            name=name,
            list_type=list_type,
            created=at,
            updated=at,
            uploaded=len(digests),
            records=set(digests),
        )
        created.remember_size(at)
        created.history.append(Happening(at, "CREATE", len(digests), 200))
        self._put(created)
        return created

    @journaled
    def change_records(self, *, id: str, operation: str, records: str, at: float) -> CustomerList:
        """Add records to a list or remove them from it. Safe to repeat."""
        changed = self.customer_lists[id]
        changed.change(operation, to_bytes(records), at)
        return changed

    @journaled
    def put_audience(self, /, **fields: Any) -> Audience:
        """Create an audience, or replace the one with its id."""
        audience = Audience(**fields)
        self._put(audience)
        return audience

    @journaled
    def remove_audience(self, *, id: str, with_list: bool) -> None:
        """Remove an audience, and the list under it if asked to."""
        audience = self.audiences.pop(id, None)
        if audience and with_list:
            self.customer_lists.pop(audience.customer_list_id or "", None)

    @journaled
    def jump(self, *, hours: float) -> None:
        """Move the sandbox's clock forward."""
        self.clock.jumped_hours += hours

    @journaled
    def restore_list(self, *, fields: dict[str, Any], sizes: list[Any], history: list[Any], records: list[str]) -> None:
        """Put a whole list back, as `dump` wrote it."""
        restored = CustomerList(**fields)
        restored.sizes = deque((at, size) for at, size in sizes)
        restored.history = deque((Happening(*happening) for happening in history), maxlen=KEPT_HAPPENINGS)
        for part in records:
            restored.records.update(to_bytes(part))
        self._put(restored)

    def dump(self) -> Iterator[Line]:
        """Return the world in as few lines as it has lists and audiences."""
        yield {"room": self.name, "do": "empty", "last_id": self.last_id}
        yield {"room": self.name, "do": "jump", "hours": self.clock.jumped_hours}
        for customer_list in self.customer_lists.values():
            yield {"room": self.name, "do": "restore_list", **_dumped(customer_list)}
        for audience in self.audiences.values():
            yield {"room": self.name, "do": "put_audience", **asdict(audience)}

    def _put(self, thing: CustomerList | Audience) -> None:
        self.last_id = max(self.last_id, int(thing.id))
        if isinstance(thing, CustomerList):
            self.customer_lists[thing.id] = thing
        else:
            self.audiences[thing.id] = thing


def _dumped(customer_list: CustomerList) -> dict[str, Any]:
    fields = {
        name: getattr(customer_list, name)
        for name in CustomerList.__dataclass_fields__
        if name not in ("records", "sizes", "history")
    }
    digests = [digest.hex() for digest in customer_list.records]
    starts = range(0, len(digests), RECORDS_PER_DUMPED_LINE)
    return {
        "fields": fields,
        "sizes": list(customer_list.sizes),
        "history": list(customer_list.history),
        "records": [",".join(digests[start : start + RECORDS_PER_DUMPED_LINE]) for start in starts],
    }
