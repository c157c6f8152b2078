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
