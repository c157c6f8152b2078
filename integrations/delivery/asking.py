"""Every write request that goes out: what its answer teaches the pace, and the row that is kept of it.

A request counts for the person whose token it carried, who need not be the connection's person any more when the
answer comes.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from integrations.delivery import pacing
from integrations.errors import Follows, PartnerError
from integrations.models import Attempt, Pace


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


@contextmanager
def noted(made: list[Request], pace: Pace, clock: Callable[[], datetime]) -> Iterator[Request]:
    """Append the request that is made inside to `made`, and let the pace learn from its end.

    The caller has waited for its turn, and keeps `made` with `write_down`.
    """
    now = clock()
    one = Request(pace, now, now)
    made.append(one)
    try:
        yield one
    except PartnerError as error:
        one.error, one.http_status = error, error.http_status
        if error.meaning.follows is Follows.SLOWER:
            pacing.slow_down(pace, error.retry_after)
        raise
    else:
        if pace.slowdown > 1:
            pacing.recover(pace)
    finally:
        one.ended_at = clock()


def write_down(made: Iterable[Request], *, batch_id: int | None = None) -> None:
    """Keep requests: those made for a batch, or, without one, for something else such as a new audience."""
    Attempt.objects.bulk_create(
        Attempt(
            batch_id=batch_id,
            pace=one.pace,
            started_at=one.started_at,
            duration_ms=one.duration_ms,
            http_status=one.http_status,
            outcome=one.outcome,
        )
        for one in made
    )
