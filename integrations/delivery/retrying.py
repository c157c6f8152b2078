"""Errored users get another chance: one, a whole batch, or all with a reason.

Nobody has to enter again. Whoever was asked the opposite since stays errored: the last intent wins. That is told by the
ids of deliveries, which a retry leaves as they are. Of whoever shares a record with somebody else who was asked the
opposite since, the other records are sent; when there is none, the user ends superseded (order.py `overridden`). A
retry waits for the answer to an earlier opposite request (order.py `must_wait`).
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from integrations.delivery import claiming, correcting
from integrations.delivery.counting import tally
from integrations.delivery.entering import ring
from integrations.delivery.limits import limits_of
from integrations.delivery.settling import users_by_sync
from integrations.delivery.writing import writing
from integrations.models import Arrival, AudienceSync, Batch, Delivery


def errored(sync: AudienceSync, reason: str = "") -> QuerySet[Delivery]:
    """Return the errored users of a sync that Retry would take, for a count before it happens."""
    batches = Batch.objects.filter(
        state=Batch.State.ERRORED, audience__ad_account__connection__workspace=sync.workspace_id
    )
    if reason:
        batches = batches.filter(reason=reason)
    return _still_wanted(Delivery.objects.filter(sync=sync, batch__in=batches.values("pk")))


def retry_sync(sync: AudienceSync, *, reason: str = "", at_least: int | None = None, now: datetime) -> int:
    """Retry all errored users of a sync (with a reason); return how many are pending again.

    Corrections of its audience that were given up (for that reason) are made again with them.
    With `at_least`, stop behind the batch with which that many are: the rest is for the next call.
    """
    batches = errored(sync, reason).order_by().values_list("batch_id", flat=True).distinct()
    retried = 0
    for batch_id in sorted(batches):
        if at_least is not None and retried >= at_least:
            break
        retried += _retry(batch_id, sync.pk, None, now)
    if sync.audience_id is not None:
        correcting.retry(sync.audience_id, reason)
    return retried


def retry_batch(batch: Batch, *, now: datetime) -> int:
    """Retry the users of an errored batch, or the records of a correction; return how many are sent again."""
    if batch.is_correction:
        return correcting.retry_batch(batch)
    return _retry(batch.pk, None, None, now)


def retry_delivery(delivery: Delivery, *, now: datetime) -> int:
    """Retry one errored user; return 1, or 0 when the user is not errored or was asked the opposite since."""
    return _retry(delivery.batch_id, None, delivery.pk, now) if delivery.batch_id else 0


def _still_wanted(deliveries: QuerySet[Delivery]) -> QuerySet[Delivery]:
    same = {"profile_id": OuterRef("profile_id"), "audience_id": OuterRef("audience_id")}
    opposite_since = Delivery.objects.filter(**same, pk__gt=OuterRef("pk")).exclude(operation=OuterRef("operation"))
    opposite_waits = Arrival.objects.filter(**same).exclude(operation=OuterRef("operation"))
    return deliveries.exclude(Exists(opposite_since)).exclude(Exists(opposite_waits))


def _retry(batch_id: int, sync_id: int | None, delivery_id: int | None, now: datetime) -> int:
    audience_id = Batch.objects.filter(pk=batch_id).values_list("audience_id", flat=True).first()
    if audience_id is None:
        return 0
    with writing():
        # Or the opposite, entered and claimed before we commit, would be in flight together with the retry.
        claiming.wait_for_lane(audience_id)
        batch = Batch.objects.select_for_update().filter(pk=batch_id, state=Batch.State.ERRORED).first()
        if batch is None:
            return 0
        chosen = _still_wanted(Delivery.objects.filter(batch=batch))
        if sync_id is not None:
            chosen = chosen.filter(sync=sync_id)
        if delivery_id is not None:
            chosen = chosen.filter(pk=delivery_id)
        ids = list(chosen.order_by("pk").values_list("pk", flat=True))
        for part in _parts(ids, limits_of(batch.audience.ad_account.connection.partner).users):
            _move(batch, part, now)
        left = batch.users - len(ids)
        Batch.objects.filter(pk=batch.pk).update(users=left, state=Batch.State.ERRORED if left else Batch.State.SPLIT)
    if ids:
        transaction.on_commit(ring)
    return len(ids)


def _parts(ids: list[int], size: int) -> Iterable[list[int]]:
    return (ids[start : start + size] for start in range(0, len(ids), size))


def _move(batch: Batch, ids: list[int], now: datetime) -> None:
    """Put some users of an errored batch into a new one whose 13 hours begin now."""
    fresh = Batch.objects.create(
        audience_id=batch.audience_id,
        operation=batch.operation,
        parent=batch,
        users=len(ids),
        oldest_entered_at=now,
        gives_up_at=now + timedelta(seconds=settings.GIVE_UP_AFTER_SECONDS),
        created_at=now,
        next_attempt_at=now,
    )
    Delivery.objects.filter(pk__in=ids).update(batch=fresh)
    with tally(now) as figures:
        for sync_id, users in users_by_sync(fresh):
            figures.move(sync_id, errored=-users, pending=users)
            figures.because(sync_id, batch.reason, -users)
