"""Plans of the hot road that do not hang on statistics: those of a queue are of a moment that is long over.

PostgreSQL learns that the waiting table is empty, then a million users enter: it would sort all of them for every
batch. Whoever claims knows better: everything it reads is read through an index, in the index's order. Who wants
another order sorts in Python: rather than sort, PostgreSQL would walk the index that has it, from end to end.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakSet

from django.db import connection, transaction


@contextmanager
def by_index() -> Iterator[None]:
    """Let queries go through indexes until the transaction ends. SQLite does so without being told."""
    if connection.vendor != "postgresql" or connection.connection in _always:
        yield
        return
    with transaction.atomic(savepoint=False):
        with connection.cursor() as cursor:
            cursor.execute(_by_index("LOCAL"))
        yield


def always_by_index() -> None:
    """Let all queries of this thread go through indexes from now on: for threads that do nothing else."""
    if connection.vendor != "postgresql":
        return
    connection.ensure_connection()
    if connection.connection not in _always:
        with connection.cursor() as cursor:
            cursor.execute(_by_index("SESSION"))
        _always.add(connection.connection)


def _by_index(scope: str) -> str:
    return "; ".join(f"SET {scope} {name} = {value}" for name, value in _BY_INDEX.items())


_BY_INDEX = {
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_sort": "off",
    # Where a sort is needed all the same, its price is so high that the query would be compiled: 90 ms each time.
    "jit": "off",
    # What is prepared (pinsync/sql.py) is planned for any values: the plan would be the same for all.
    "plan_cache_mode": "force_generic_plan",
}
_always: "WeakSet[Any]" = WeakSet()  # connections to the server, which a thread may lose and open anew


def of_lane(audience: str, operation: str, first: str) -> tuple[str, str]:
    """Return the condition and the order of a lane's arrivals (`a`), oldest first, from the id `first` on.

    The arguments are SQL. PostgreSQL would walk the primary key, past all other lanes, where it believes that there
    is one lane only: the comparison of rows leaves it no index but the lane's own. It stops where one column says so
    whose forerunners are given, not where a row does: at the end of an audience's additions, not of its removals.
    """
    if connection.vendor == "postgresql":
        start = f"(a.operation, a.id) >= ({operation}, {first})"
        return f"a.audience_id = {audience} AND {start} AND a.operation <= {operation}", "a.operation, a.id"
    return f"a.audience_id = {audience} AND a.operation = {operation} AND a.id >= {first}", "a.id"


def of_lane_backwards(audience: str, operation: str, below: str) -> tuple[str, str]:
    """Return the same for those with an id below `below`, newest first."""
    if connection.vendor == "postgresql":
        start = f"(a.operation, a.id) < ({operation}, {below})"
        condition = f"a.audience_id = {audience} AND {start} AND a.operation >= {operation}"
        return condition, "a.operation DESC, a.id DESC"
    return f"a.audience_id = {audience} AND a.operation = {operation} AND a.id < {below}", "a.id DESC"
