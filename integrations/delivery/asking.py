"""Every write request that goes out: what its answer teaches the pace, and the row that is kept of it.

A request counts for the person whose token it carried, who need not be the connection's person any more when the
answer comes.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime

from integrations.delivery import pacing
from integrations.errors import Follows, PartnerError
from integrations.models import Attempt, Pace
from pinsync.sql import insert_row


@dataclass
class Request:
    """One write request, and how it ended: accepted when `error` is None."""

    pace: Pace
    started_at: datetime
    ended_at: datetime
    http_status: int | None = None  # None: no answer came, or nobody said
    error: PartnerError | None = None

    @property
    def duration_ms(self) -> int:
        return max(int((self.ended_at - self.started_at).total_seconds() * 1000), 0)

    @property
    def outcome(self) -> str:
        return self.error.code if self.error else "accepted"


_turn: ContextVar[Callable[[], Callable[[], None]] | None] = ContextVar("turn", default=None)


@contextmanager
def in_turn(
    made: list[Request],
    pace: Pace,
    clock: Callable[[], datetime],
    *,
    at_most: float = pacing.LONGEST_WAIT,
    check: Callable[[], None] = lambda: None,
) -> Iterator[None]:
    """Have the one write request that is made within wait for its turn, and the pace learn from its end.

    The turn is taken at the door (contract/door.py), when the connection stands and only the bytes are left to go: what
    comes before takes its time, and would crowd the next request. `check` is called then, and may raise. The request
    is appended to `made`, also one that found no partner to connect to; the caller keeps it with `write_down`.
    Raises TurnTooFar when the turn is more than `at_most` seconds away.
    """
    mine: list[Request] = []

    def start() -> Callable[[], None]:
        pacing.take_turn(pace, at_most=at_most)
        turn_came = time.monotonic()
        check()
        now = clock()
        mine.append(Request(pace, now, now))
        return lambda: pacing.left(pace, time.monotonic() - turn_came)

    token = _turn.set(start)
    try:
        yield
    except PartnerError as error:
        now = clock()
        mine = mine or [Request(pace, now, now)]
        mine[0].error, mine[0].http_status = error, error.http_status
        if error.meaning.follows is Follows.SLOWER:
            pacing.slow_down(pace, error.retry_after)
        raise
    else:
        if not mine:
            raise RuntimeError(f"{pace.partner} let a write request out that did not pass the door (contract/door.py).")
        if pace.slowdown > 1:
            pacing.recover(pace)
    finally:
        _turn.reset(token)
        for one in mine:
            one.ended_at = clock()
        made += mine


def take_turn() -> Callable[[], None] | None:
    """Wait for the turn of the write request that is about to go out, where its caller asked for one.

    Returns what to call when it has left.
    """
    start = _turn.get()
    return None if start is None else start()


def write_down(made: Iterable[Request], *, batch_id: int | None = None) -> None:
    """Keep requests: those made for a batch, or, without one, for something else such as a new audience."""
    for one in made:
        values = {
            "batch": batch_id,
            "pace": one.pace.pk,
            "started_at": one.started_at,
            "duration_ms": one.duration_ms,
            "http_status": one.http_status,
            "outcome": one.outcome,
        }
        insert_row(Attempt, values)
