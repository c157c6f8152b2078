"""Profiles by the million: one INSERT … SELECT over a series of numbers."""

from datetime import datetime

from django.db import connection

from pinsync.workspaces.models import Workspace


def fill_fast(place: Workspace, number: int, now: datetime, *, useless_every: int = 0) -> None:
    """Make `number` profiles with one record each, no two alike; every `useless_every`-th has none."""
    moment = connection.ops.adapt_datetimefield_value(now)
    if connection.vendor == "postgresql":
        series, record = "generate_series(1, %s) AS s(n)", "lpad(to_hex(%s::bigint * 1000000000 + n), 64, '0')"
        label, empty = "'user-' || n", "'{}'::jsonb"
    else:
        series = "(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < %s) SELECT n FROM s)"
        record, label, empty = "printf('%%064x', %s * 1000000000 + n)", "'user-' || n", "'{}'"
    if useless_every:
        record = f"CASE WHEN n %% {useless_every:d} > 0 THEN {record} END"
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO profiles_profile (workspace_id, external_id, email, idfa, gaid, attributes, email_record,"
            f" created_at, updated_at) SELECT %s, {label}, '', '', '', {empty}, {record}, %s, %s FROM {series}",
            [place.pk, place.pk, moment, moment, number],
        )
        cursor.execute("ANALYZE profiles_profile" if connection.vendor == "postgresql" else "PRAGMA optimize")
