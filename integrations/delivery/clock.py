"""The clock that paces and leases are measured with: the database's, so that machines need not agree on the time."""

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
