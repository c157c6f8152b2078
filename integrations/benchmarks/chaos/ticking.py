"""Whether the tick went on whatever was killed: every gap between two ticks against what is promised of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

# Seconds between two ticks at most: while another worker lives, and from the moment at which one is there again.
WHILE_ANOTHER_LIVES, FROM_A_RESTART = 10.0, 20.0
DATABASE = ""  # stands where the name of a worker would


@dataclass(frozen=True)
class Gap:
    """The time between two ticks, or from the last one until nobody looked any more."""

    ended: float  # seconds since the epoch, like every moment here
    seconds: float

    @property
    def began(self) -> float:
        return self.ended - self.seconds


@dataclass(frozen=True)
class Change:
    """The process that ticks in a worker came or went, or the database was found to be away."""

    at: float
    who: str
    is_up: bool


def gaps(ticks: Iterable[float], began: float, until: float) -> list[Gap]:
    """Return all gaps from `began` to `until`; without any tick that is one."""
    seen = [began, *(tick for tick in ticks if began < tick < until), until]
    return [Gap(after, after - before) for before, after in pairwise(seen)]


def allowed(gap: Gap, changes: Sequence[Change]) -> float:
    """Return how many seconds a gap may have, given what came and went, in order."""
    during = [change for change in changes if gap.began < change.at <= gap.ended]
    workers = {change.who for change in changes} - {DATABASE}
    is_database_there = all(change.who != DATABASE for change in during)
    if is_database_there and any(_lives_on(worker, gap, changes) for worker in workers):
        return WHILE_ANOTHER_LIVES
    return max((change.at for change in during), default=gap.began) - gap.began + FROM_A_RESTART


def _lives_on(worker: str, gap: Gap, changes: Sequence[Change]) -> bool:
    """Return whether a worker had its start behind it before the gap, and nothing happened to it until the end."""
    until_the_end = [change for change in changes if change.who == worker and change.at <= gap.ended]
    return bool(until_the_end) and until_the_end[-1].is_up and until_the_end[-1].at <= gap.began - FROM_A_RESTART
