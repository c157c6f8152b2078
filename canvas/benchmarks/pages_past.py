"""A workspace with a long past, for pages: users sent long ago, a year of minutes, users pending and errored now."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import F

from canvas import building, editing, journeys
from canvas.models import Canvas, Step
from canvas.reading import steps_of
from integrations.benchmarks import crowd, crowd_sql, past
from integrations.delivery import claiming, settling
from integrations.delivery.asking import Request
from integrations.delivery.limits import Limits, limits_of
from integrations.delivery.pacing import pace_of
from integrations.delivery.settling import Answer
from integrations.errors import ContentRefused, PartnerError, Unavailable
from integrations.models import AudienceSync, Batch, Operation, SyncHour, SyncMinute, SyncTotals
from pinsync.profiles.models import Profile
from pinsync.workspaces.models import Workspace

STEPS = 6  # sync steps of the Canvas; the past belongs to the first
USELESS_EVERY = 50  # of the users: nothing to match them on
PENDING_MOST = 200_000  # users who enter now
REFUSED, WAITING = 60, 4  # users refused one by one; batches between two attempts
DAYS = 400  # since the first minute
SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Scene:
    """What the pages are about."""

    workspace: Workspace
    canvas: Canvas
    step: Step
    profile: Profile  # somebody to whom much happened
    batch: Batch  # a full one of the past


def build(users: int, now: datetime) -> Scene:
    """Make a workspace whose Canvas has sent `users` users (in whole batches) and has some pending and errored."""
    workspace = crowd.workspace("Pages")
    crowd_sql.fill_fast(workspace, users, now, useless_every=USELESS_EVERY)
    account = crowd.account_without_partner(workspace, now)
    canvas = editing.create(Canvas(workspace=workspace, name="Pages", reentry=True), crowd.admin_of(workspace), now)
    steps = [
        building.add_sync(
            canvas,
            crowd.audience_without_partner(account, number + 1, now),
            Operation.ADD,
            crowd.EMAIL,
            name=f"{number}",
        )
        for number in range(STEPS)
    ]
    Canvas.objects.filter(pk=canvas.pk).update(state=Canvas.State.ACTIVE, launched_at=now - timedelta(days=DAYS))
    canvas.refresh_from_db()
    sync = AudienceSync.objects.select_related("ad_account__connection", "audience").get(step=steps[0])
    everybody = Profile.objects.filter(workspace=workspace)
    first = everybody.order_by("pk").values_list("pk", flat=True)[0]
    past.write(sync, range(first, first + max(users // 10, 1)), users, now - timedelta(days=1))
    _minutes(sync, now)
    some = everybody.filter(pk__lt=first + min(users, PENDING_MOST))
    journeys.enter(canvas, some, source="command", now=now)
    _send(sync, now)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    full = Batch.objects.filter(audience=sync.audience_id).order_by("pk")[0]
    return Scene(workspace, canvas, steps_of(canvas).get(pk=steps[0].pk), everybody.get(pk=first), full)


def _send(sync: AudienceSync, now: datetime) -> None:
    """Have some users refused one by one, and some batches wait for their next attempt."""
    for _ in range(REFUSED):
        _settle(sync, 1, ContentRefused(http_status=400), now)
    for _ in range(WAITING):
        _settle(sync, limits_of(sync.partner).users, Unavailable(http_status=503), now)


def _settle(sync: AudienceSync, users: int, error: PartnerError, now: datetime) -> None:
    limits = Limits(users=users, records=users)
    claim = claiming.claim(sync.audience_id or 0, sync.operation, limits=limits, fresh=True, now=now, retries=False)
    if claim is None or sync.ad_account is None:
        return
    pace = pace_of(sync.ad_account.connection)
    settling.settle(claim.batch, Answer.to(Request(pace, now, now + SECOND, error.http_status, error)))


def _minutes(sync: AudienceSync, now: datetime) -> None:
    """Write a user synced in each minute of the past into the figures, which is what charts are made of."""
    number = DAYS * 24 * 60
    began = (now - timedelta(minutes=number)).replace(second=0, microsecond=0)
    for table, column, unit, each in (
        (SyncMinute._meta.db_table, "minute", timedelta(minutes=1), 1),
        (SyncHour._meta.db_table, "hour", timedelta(hours=1), 60),
    ):
        start = began.replace(minute=0) if each > 1 else began
        if connection.vendor == "postgresql":
            series, moment = "generate_series(0, %s) AS s(n)", "%s + n * %s * interval '1 second'"
            begins: Any = start
        else:
            series = "(WITH RECURSIVE s(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n < %s) SELECT n FROM s)"
            moment, begins = "datetime(%s, (n * %s) || ' seconds')", start.strftime("%Y-%m-%d %H:%M:%S")
        with connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO {table} (sync_id, {column}, entered, synced, not_synced, pending, errored)"
                f" SELECT %s, {moment}, %s, %s, 0, 0, 0 FROM {series} WHERE true"
                f" ON CONFLICT (sync_id, {column}) DO UPDATE SET entered = {table}.entered + excluded.entered,"
                f" synced = {table}.synced + excluded.synced",
                [sync.pk, begins, unit.total_seconds(), each, each, number // each - 1],
            )
    SyncTotals.objects.filter(sync=sync).update(entered=F("entered") + number, synced=F("synced") + number)
