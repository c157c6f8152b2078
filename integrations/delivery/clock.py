"""The clock that paces and leases are measured with: the database's, so that machines need not agree on the time."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from django.db import connection


def clock_sql() -> str:
    """Return an SQL expression for the present moment in seconds since the epoch."""
    if connection.vendor == "postgresql":
        return "extract(epoch from clock_timestamp())::double precision"
    return "((julianday('now') - 2440587.5) * 86400.0)"


def greatest_sql(*expressions: str) -> str:
    """Return the largest of several expressions; SQLite calls it MAX."""
    name = "GREATEST" if connection.vendor == "postgresql" else "MAX"
    return f"{name}({', '.join(expressions)})"


def read_clock() -> float:
    """Return the database's present moment in seconds since the epoch."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {clock_sql()}")
        return float(cursor.fetchone()[0])


def database_clock() -> Callable[[], datetime]:
    """Return a clock that shows the database's time, asked for once, and runs evenly whatever this machine's says.

    For minutes, not for days: two clocks that run on their own drift apart.
    """
    return clock_from(datetime.fromtimestamp(read_clock(), UTC))


def clock_from(now: datetime) -> Callable[[], datetime]:
    """Return a clock that shows `now` and runs."""
    began = time.monotonic()
    return lambda: now + timedelta(seconds=time.monotonic() - began)


class Meeting:
    """Where the database's clock stands on this machine's steady one, learned from every answer that tells it.

    An answer bounds the difference by the moments of asking and hearing; all of them together bound it closely, so that
    an answer that was held up on its way, by a busy machine or network, misleads nobody.
    """

    RESOLUTION = 0.002  # seconds; SQLite's clock tells thousandths
    DRIFT = 0.0001  # seconds a second that two clocks may run apart

    def __init__(self) -> None:
        self._known: tuple[float, float, float] | None = None  # the difference is between these two; heard when

    def seconds_until(self, moment: float, *, told: float, asked: float, heard: float) -> float:
        """Return how far `moment` is, by the database's clock, which told a time between two of ours (monotonic)."""
        low, high = told - heard - self.RESOLUTION, told - asked + self.RESOLUTION
        if self._known is not None:
            before_low, before_high, at = self._known
            drift = abs(heard - at) * self.DRIFT
            both = max(low, before_low - drift), min(high, before_high + drift)
            if both[0] <= both[1]:  # else a clock was set
                low, high = both
        self._known = low, high, heard
        return moment - (low + high) / 2 - time.monotonic()
