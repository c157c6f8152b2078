"""Who waits for a batch, lane by lane: a lane is what waits for one audience and operation, in the order of entry.

Arrivals have no index by sync, so every lane of the workspace is asked: all of them in one statement, and each so far
only, as millions may wait in it.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Model

from canvas.analytics.places import LARGEST
from integrations.delivery.plans import by_index, of_lane, of_lane_backwards
from integrations.models import AdAccount, Arrival, Audience, AudienceSync, Batch, Connection

AT_ONCE = 100  # lanes that one statement asks


@dataclass(frozen=True)
class Lane:
    """A lane, and the id of the last arrival that may be looked at; 0 when it ends before."""

    audience_id: int
    operation: str
    floor: int


def lanes(sync: AudienceSync, *, below: int, window: int) -> list[Lane]:
    """Return the lanes of the sync's workspace with anybody in them, each `window` arrivals deep from `below` on."""
    with by_index(), connection.cursor() as cursor:
        cursor.execute(_LANES, [sync.workspace_id, below, window - 1])
        return [Lane(*row) for row in cursor.fetchall()]


def latest(
    sync: AudienceSync,
    of: list[Lane],
    *,
    below: int,
    limit: int,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[Arrival]:
    """Return the latest arrivals of a sync in some lanes, at most `limit` of each, in no order."""
    found: list[Arrival] = []
    moments = [connection.ops.adapt_datetimefield_value(moment) for moment in (since, until) if moment is not None]
    entered = (" AND entered_at >= %s" if since else "") + (" AND entered_at < %s" if until else "")
    for start in range(0, len(of), AT_ONCE):
        some = of[start : start + AT_ONCE]
        parts = [_LATEST.format(entered=entered, number=number) for number in range(len(some))]
        params: list[Any] = []
        for lane in some:
            params += [lane.audience_id, lane.operation, below, lane.floor, sync.pk, *moments, limit]
        found += Arrival.objects.raw(" UNION ALL ".join(parts), params)
    return found


def oldest(sync: AudienceSync, *, window: int) -> datetime | None:
    """Return when the sync's first arrival entered; looks at the beginning of each lane only."""
    with by_index():
        found = list(Arrival.objects.raw(_OLDEST, [sync.workspace_id, window, sync.pk]))
    return min((arrival.entered_at for arrival in found), default=None)


def fed_audiences(sync: AudienceSync, *, below: int = LARGEST, window: int = 0) -> list[tuple[int, int]]:
    """Return the audiences of the workspace to which anything was sent: the step may have named another one before.

    With each comes the id of the last batch that may be looked at, `window` batches deep from `below` on; 0 when it has
    fewer, or without a window.
    """
    floor = _FLOOR if window else "0"
    params = [sync.workspace_id, *([below, window - 1] if window else [])]
    with by_index(), connection.cursor() as cursor:
        cursor.execute(
            f"{_used(Batch)} SELECT used.id, {floor} FROM used WHERE used.id IN (SELECT id FROM ours)", params
        )
        return [(int(audience), int(last)) for audience, last in cursor.fetchall()]


def _used(table: type[Model]) -> str:
    """Return the beginning of a statement that skips from audience to audience through the index of `table`.

    EXISTS for each audience would do, until a planner that knows few of them reads the whole table for one that has
    no rows.
    """
    return f"""
WITH RECURSIVE ours(id) AS (
    SELECT u.id FROM {Audience._meta.db_table} u
    JOIN {AdAccount._meta.db_table} t ON t.id = u.ad_account_id
    JOIN {Connection._meta.db_table} c ON c.id = t.connection_id AND c.workspace_id = %s
), used(id) AS (
    SELECT (SELECT min(x.audience_id) FROM {table._meta.db_table} x WHERE x.audience_id >= first.id)
    FROM (SELECT min(id) AS id FROM ours) first
    UNION ALL
    SELECT (SELECT min(x.audience_id) FROM {table._meta.db_table} x WHERE x.audience_id > used.id)
    FROM used WHERE used.id < (SELECT max(id) FROM ours)
)
"""


_FLOOR = (
    f"COALESCE((SELECT id FROM {Batch._meta.db_table} WHERE audience_id = used.id AND id < %s"
    " ORDER BY id DESC LIMIT 1 OFFSET %s), 0)"
)
_ARRIVALS = Arrival._meta.db_table
_EACH_LANE = (
    " FROM used CROSS JOIN (SELECT 'add' AS operation UNION ALL SELECT 'remove') asked"
    " WHERE used.id IN (SELECT id FROM ours)"
)
_IN_LANE, _BY_AGE = of_lane("used.id", "asked.operation", "0")
_BELOW, _NEWEST_FIRST = of_lane_backwards("used.id", "asked.operation", "%s")
_LANES = (
    f"{_used(Arrival)} SELECT used.id, asked.operation, COALESCE((SELECT a.id FROM {_ARRIVALS} a WHERE {_BELOW}"
    f" ORDER BY {_NEWEST_FIRST} LIMIT 1 OFFSET %s), 0){_EACH_LANE}"
)
_LATEST = (
    f"SELECT * FROM (SELECT * FROM {_ARRIVALS} WHERE audience_id = %s AND operation = %s AND id < %s AND id >= %s"
    " AND sync_id = %s{entered} ORDER BY id DESC LIMIT %s) lane_{number}"
)
_OLDEST = (
    f"SELECT * FROM {_ARRIVALS} WHERE id IN ({_used(Arrival)} SELECT"
    f" (SELECT min(lane.id) FROM (SELECT a.id, a.sync_id FROM {_ARRIVALS} a WHERE {_IN_LANE} ORDER BY {_BY_AGE}"
    f" LIMIT %s) lane WHERE lane.sync_id = %s){_EACH_LANE})"
)
