"""What a worker does, done in this process: for commands that wait for users to arrive.

Whether a worker runs beside us makes no difference: due rows are taken by compare-and-set, lanes, seats and batches
are leased, and the pace is one row for all.
"""

import time
from collections.abc import Callable, Iterable
from datetime import datetime

from canvas import journeys, schedules
from integrations.delivery import draining, giving_up, worker

AT_A_TIME = 2.0  # seconds of delivering between two looks at the clock
REST = 0.2


def work_until(
    is_done: Callable[[], bool],
    *,
    seconds: float,
    clock: Callable[[], datetime],
    also: Iterable[Callable[[datetime], object]] = (),
) -> bool:
    """Let users in, send them on and deliver them until `is_done`; return False when `seconds` are over before.

    `also` is done in each round, for what not every command needs.
    """
    more = tuple(also)
    ends_at = time.monotonic() + seconds
    while not is_done():
        left = ends_at - time.monotonic()
        if left <= 0:
            return False
        for work in more:
            work(clock())
        _work(min(left, AT_A_TIME), clock)
        time.sleep(min(REST, max(ends_at - time.monotonic(), 0)))
    return True


def _work(seconds: float, clock: Callable[[], datetime]) -> None:
    now = clock()
    schedules.enter_due(now)
    journeys.advance_due(now)
    worker.tick(now)
    giving_up.give_up(now)
    draining.drain(seconds=seconds)
