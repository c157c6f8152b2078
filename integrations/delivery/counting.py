"""The figures of a sync, moved in the transaction that moves the users.

A `tally` collects what one transaction changes and writes it at its end, in the order of sync ids: two transactions
that count the same syncs can't lock each other out, and a long one holds the rows for a moment only. Of several in one
transaction that is not true: whoever may count more than once opens one around it all.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from pinsync.sql import prepared

FIGURES = ("entered", "synced", "not_synced", "pending", "errored")


class Tally:
    """What one transaction changes, by sync."""

    def __init__(self) -> None:
        self.figures: dict[int, Counter[str]] = {}
        self.reasons: Counter[tuple[int, str]] = Counter()

    def move(self, sync_id: int, **changes: int) -> None:
        """Add changes such as `pending=-3, synced=3` to a sync's figures."""
        self.figures.setdefault(sync_id, Counter()).update(changes)

    def because(self, sync_id: int, reason: str, users: int) -> None:
        """Count users who ended (or, negative, no longer end) not synced or errored for a reason."""
        self.reasons[sync_id, reason] += users


_current: ContextVar[Tally | None] = ContextVar("tally", default=None)


@contextmanager
def tally(now: datetime) -> Iterator[Tally]:
    """Collect changes and write them when the outermost `tally` ends. Only inside a transaction."""
    outer = _current.get()
    if outer is not None:
        yield outer
        return
    if not transaction.get_connection().in_atomic_block:
        raise transaction.TransactionManagementError("Figures move only together with their users.")
    mine = Tally()
    token = _current.set(mine)
    try:
        yield mine
    finally:
        _current.reset(token)
    _write(mine, now)


def _write(mine: Tally, now: datetime) -> None:
    minute = now.replace(second=0, microsecond=0)
    minute_value, hour_value = (
        connection.ops.adapt_datetimefield_value(moment) for moment in (minute, minute.replace(minute=0))
    )
    with prepared() as cursor:
        for sync_id in sorted(mine.figures):
            changes = [mine.figures[sync_id][figure] for figure in FIGURES]
            if not any(changes):
                continue
            moves: dict[str, list[Any]] = {
                _MOVE_TOTALS: [*changes, sync_id],
                _MOVE_MINUTE: [sync_id, minute_value, *changes],
                _MOVE_HOUR: [sync_id, hour_value, *changes],
            }
            if connection.vendor == "postgresql":
                cursor.execute(_MOVE_ALL, [value for values in moves.values() for value in values])
                has_totals = cursor.fetchone()[0] > 0
            else:
                has_totals, *_ = [cursor.execute(sql, values).rowcount > 0 for sql, values in moves.items()]
            if not has_totals:
                cursor.execute(_FIRST_TOTALS, [sync_id, *changes])
        for (sync_id, reason), users in sorted(mine.reasons.items()):
            if users > 0:
                cursor.execute(_MORE_REASON, [sync_id, reason, users])
            elif users < 0:
                cursor.execute(_LESS_REASON, [-users, sync_id, reason])


def _add(table: str, *keys: str) -> str:
    """Return the statement that adds figures to the row with these keys, or makes it."""
    columns = (*keys, *FIGURES)
    sums = ", ".join(f"{figure} = {table}.{figure} + excluded.{figure}" for figure in FIGURES)
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join(['%s'] * len(columns))})"
        f" ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {sums}"
    )


_MOVE_TOTALS = f"UPDATE integrations_synctotals SET {', '.join(f'{f} = {f} + %s' for f in FIGURES)} WHERE sync_id = %s"
_FIRST_TOTALS = _add("integrations_synctotals", "sync_id")
_MOVE_MINUTE = _add("integrations_syncminute", "sync_id", "minute")
_MOVE_HOUR = _add("integrations_synchour", "sync_id", "hour")
_MOVE_ALL = (
    f"WITH totals AS ({_MOVE_TOTALS} RETURNING 1), minute AS ({_MOVE_MINUTE}), hour AS ({_MOVE_HOUR})"
    " SELECT count(*) FROM totals"
)
_MORE_REASON = (
    "INSERT INTO integrations_syncreason (sync_id, reason, users) VALUES (%s, %s, %s)"
    " ON CONFLICT (sync_id, reason) DO UPDATE SET users = integrations_syncreason.users + excluded.users"
)
_LESS_REASON = "UPDATE integrations_syncreason SET users = users - %s WHERE sync_id = %s AND reason = %s"
