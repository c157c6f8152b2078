"""What happens when: users who enter and things that break, all drawn from one seed before anything runs."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

CALM = 3.0  # seconds at the start in which nothing breaks
BREAK_EVERY = 2.0  # seconds between two breakages, on average
ENTER_EVERY = 0.4

# How often, compared to each other.
KILLS = {
    "worker supervisor": 2,
    "worker parent": 2,
    "worker busy child": 4,
    "worker idle child": 3,
    "worker guard": 1,
    "web": 1,
    "sandbox": 3,
}
FAULTS = {"drop_answer": 4, "cut": 3, "garbage": 2, "outage": 3, "rate_limit": 3, "latency": 3}
PEOPLE = {"token": 2, "rights": 1}
DATABASE = {"database connections": 3}
SERVER = {"database server": 2}


@dataclass(frozen=True)
class Entry:
    """Users who enter a sync: a stretch of the profiles of its workspace, every `step`-th of them."""

    at: float
    audience: int
    operation: str
    sync: int  # which of the audience's syncs of this operation
    start: float  # share of all profiles
    users: int
    step: int


@dataclass(frozen=True)
class Breakage:
    """Something that breaks at a moment."""

    at: float
    what: str
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    entries: list[Entry]
    breakages: list[Breakage]


def draw(seed: int, *, seconds: float, audiences: int, rate: float, database: str) -> Plan:
    """Return what a seed means. `database` is "sqlite", "postgresql" or "own cluster"."""
    chance = Random(seed)
    return Plan(
        list(_entries(chance, seconds, audiences, rate)), list(_breakages(Random(chance.random()), seconds, database))
    )


def _entries(chance: Random, seconds: float, audiences: int, rate: float) -> Iterator[Entry]:
    mean = rate * ENTER_EVERY
    moments = sorted(chance.uniform(0, seconds) for _ in range(max(round(seconds / ENTER_EVERY), 1)))
    previous: Entry | None = None
    for at in moments:
        if previous and chance.random() < 0.35:
            # The same users again, the other way round: before, while or after the first are sent.
            operation = "remove" if previous.operation == "add" else "add"
            users = max(1, int(previous.users * chance.choice((0.3, 1, 1))))
            entry = Entry(at, previous.audience, operation, chance.randrange(2), previous.start, users, previous.step)
        else:
            entry = Entry(
                at,
                chance.randrange(audiences),
                "add" if chance.random() < 0.6 else "remove",
                chance.randrange(2),
                chance.random(),
                max(1, int(min(chance.expovariate(1 / mean), mean * 6))),
                chance.choice((1, 1, 1, 2, 3)),
            )
        previous = entry
        yield entry


def kinds(database: str) -> dict[str, int]:
    """Return what may break beside such a database, and how often compared to each other."""
    weights = KILLS | FAULTS | PEOPLE
    if database != "sqlite":
        weights = weights | DATABASE
    if database == "own cluster":
        weights = weights | SERVER
    return weights


def _breakages(chance: Random, seconds: float, database: str) -> Iterator[Breakage]:
    weights = kinds(database)
    at = CALM
    while (at := at + chance.expovariate(1 / BREAK_EVERY)) < seconds:
        (what,) = chance.choices(list(weights), list(weights.values()))
        yield Breakage(at, what, _values(chance, what))


def _values(chance: Random, what: str) -> dict[str, Any]:
    if what in ("drop_answer", "cut", "garbage"):
        return {"count": chance.randint(1, 4)}
    if what == "outage":
        status = chance.choice((500, 502, 503, 504))
        return {"status": status, "seconds": chance.uniform(1, 6), "html": chance.random() < 0.5}
    if what == "rate_limit":
        return {"seconds": chance.uniform(1, 5), "header": chance.random() < 0.6}
    if what == "latency":
        return {"ms": chance.randint(300, 4000), "seconds": chance.uniform(2, 8)}
    return {"pause": chance.uniform(0.2, 5)}  # until it comes back
