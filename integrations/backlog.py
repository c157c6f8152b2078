"""Who is pending for each connection, and since when, without counting a large table."""

from datetime import UTC, datetime

from django.db import connection as database
from django.db.models import Min, Sum

from integrations.models import AdAccount, Arrival, Audience, Batch, Operation, SyncTotals


def pending_by_connection() -> dict[int, int]:
    """Return how many users are pending for each connection, where there are any."""
    rows = SyncTotals.objects.filter(pending__gt=0, sync__audience__isnull=False).order_by()
    return dict(rows.values_list("sync__audience__ad_account__connection").annotate(users=Sum("pending")))


# The first row of every lane, found by skipping through the index of the waiting table.
_OLDEST_ARRIVALS = f"""
WITH RECURSIVE waiting(id) AS (
    SELECT min(audience_id) FROM {Arrival._meta.db_table}
    UNION ALL
    SELECT (SELECT min(a.audience_id) FROM {Arrival._meta.db_table} a WHERE a.audience_id > waiting.id)
    FROM waiting WHERE waiting.id IS NOT NULL
)
SELECT t.connection_id, (
    SELECT a.entered_at FROM {Arrival._meta.db_table} a
    WHERE a.audience_id = waiting.id AND a.operation = %s ORDER BY a.id LIMIT 1
)
FROM waiting
JOIN {Audience._meta.db_table} u ON u.id = waiting.id
JOIN {AdAccount._meta.db_table} t ON t.id = u.ad_account_id
"""


def oldest_by_connection() -> dict[int, datetime]:
    """Return when the user entered who has waited longest for each connection."""
    open_ = Batch.objects.filter(settled_at=None, state__in=Batch.OPEN, is_correction=False).order_by()
    found: dict[int, datetime] = dict(
        open_.values_list("audience__ad_account__connection").annotate(oldest=Min("oldest_entered_at"))
    )
    with database.cursor() as cursor:
        for operation in Operation.values:
            cursor.execute(_OLDEST_ARRIVALS, [operation])
            for connection_id, value in cursor.fetchall():
                moment = _moment(value)
                if moment is not None:
                    found[connection_id] = min(moment, found.get(connection_id, moment))
    return found


def _moment(value: datetime | str | None) -> datetime | None:
    """Return a moment of a raw query; SQLite gives it as text."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value
