"""A past: deliveries that were accepted long ago, with their batches, attempts and figures, written set-wise."""

from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import F, Max

from integrations.delivery.pacing import pace_of
from integrations.models import Attempt, AudienceSync, Batch, SyncHour, SyncMinute, SyncTotals
from integrations.models.delivery import Delivery

USERS = 1_900  # of a batch
BATCHES = 100  # written at once
MINUTE = timedelta(minutes=1)


def write(sync: AudienceSync, profiles: range, deliveries: int, ended: datetime) -> None:
    """Write accepted deliveries of a sync, a minute for every 100 batches, the last one at `ended`.

    Whole batches only. Profiles take turns, so that each has its share of the past.
    """
    batches = deliveries // USERS
    minutes = -(-batches // BATCHES)
    for minute in range(minutes):
        number = min(BATCHES, batches - minute * BATCHES)
        _minute(sync, profiles, minute * BATCHES * USERS, number, ended - (minutes - minute) * MINUTE)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _minute(sync: AudienceSync, profiles: range, before: int, number: int, at: datetime) -> None:
    users = number * USERS
    assert sync.audience_id is not None
    assert sync.ad_account is not None
    pace = pace_of(sync.ad_account.connection)
    with transaction.atomic():
        first = (Batch.objects.aggregate(last=Max("pk"))["last"] or 0) + 1
        made = Batch.objects.bulk_create(
            Batch(
                audience_id=sync.audience_id,
                operation=sync.operation,
                state=Batch.State.ACCEPTED,
                users=USERS,
                records=USERS,
                attempts=1,
                oldest_entered_at=at,
                gives_up_at=at + timedelta(hours=13),
                created_at=at,
                next_attempt_at=at,
                settled_at=at + timedelta(seconds=1),
                http_status=200,
                duration_ms=150,
            )
            for _ in range(number)
        )
        if made[0].pk < first or made[-1].pk != made[0].pk + number - 1:
            raise RuntimeError("Somebody else makes batches in this database.")
        Attempt.objects.bulk_create(
            Attempt(batch=batch, pace=pace, started_at=at, duration_ms=150, http_status=200, outcome="accepted")
            for batch in made
        )
        _deliveries(sync, profiles, before, users, made[0].pk, at)
        figures = {"entered": users, "synced": users}
        SyncTotals.objects.get_or_create(sync=sync)
        SyncTotals.objects.filter(sync=sync).update(**{name: F(name) + more for name, more in figures.items()})
        minute = at.replace(second=0, microsecond=0)
        SyncMinute.objects.get_or_create(sync=sync, minute=minute)
        SyncMinute.objects.filter(sync=sync, minute=minute).update(
            **{name: F(name) + more for name, more in figures.items()}
        )
        hour = minute.replace(minute=0)
        SyncHour.objects.get_or_create(sync=sync, hour=hour)
        SyncHour.objects.filter(sync=sync, hour=hour).update(**{name: F(name) + more for name, more in figures.items()})


def _deliveries(sync: AudienceSync, profiles: range, before: int, users: int, batch: int, at: datetime) -> None:
    if connection.vendor == "postgresql":
        series = "generate_series(0, %s) AS s(n)"
    else:
        series = "(WITH RECURSIVE s(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n < %s) SELECT n FROM s)"
    moment = connection.ops.adapt_datetimefield_value(at)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {Delivery._meta.db_table}"
            " (sync_id, profile_id, audience_id, batch_id, operation, match_fields, reason, entered_at)"
            f" SELECT %s, %s + (n + %s) %% %s, %s, %s + n / %s, %s, %s, '', %s FROM {series}",
            [
                sync.pk,
                profiles.start,
                before,
                len(profiles),
                sync.audience_id,
                batch,
                USERS,
                sync.operation,
                sync.match_fields,
                moment,
                users - 1,
            ],
        )
