"""Errored users get another chance: one, a whole batch, or all with a reason.

Nobody has to enter again. Whoever was asked the opposite since stays errored: the last intent wins. That is told by the
ids of deliveries, which a retry leaves as they are. Of whoever shares a record with somebody else who was asked the
opposite since, the other records are sent; when there is none, the user ends superseded (order.py `overridden`). A
retry waits for the answer to an earlier opposite request (order.py `must_wait`).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Exists, F, Max, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from integrations.delivery import claiming, correcting
from integrations.delivery.counting import tally
from integrations.delivery.entering import ring
from integrations.delivery.limits import limits_of
from integrations.delivery.plans import by_index
from integrations.delivery.settling import users_by_sync
from integrations.delivery.writing import writing
from integrations.literal import Literal
from integrations.models import Arrival, Audience, AudienceSync, Batch, Connection, Delivery, SyncReason
from integrations.reasons import ERRORS


@dataclass(frozen=True)
class Errored:
    """The errored users of one sync, or of all that a connection's syncs have; with one reason, or with any."""

    workspace_id: int
    sync_id: int | None = None
    connection_id: int | None = None
    reason: str = ""

    def figure(self) -> int:
        """Return how many users these are, from the counters."""
        counters = SyncReason.objects.filter(reason__in=[self.reason] if self.reason else list(ERRORS))
        if self.sync_id is not None:
            counters = counters.filter(sync=self.sync_id)
        if self.connection_id is not None:
            partner = Connection.objects.filter(pk=self.connection_id).values("partner")
            counters = counters.filter(sync__workspace=self.workspace_id, sync__partner__in=partner)
        return counters.aggregate(users=Sum("users"))["users"] or 0

    def batches(self) -> QuerySet[Batch]:
        """Return the batches that they may be in; other syncs' users may be in them, too."""
        return self._batches().filter(is_correction=False)

    def corrections(self) -> QuerySet[Batch]:
        """Return the corrections of their audiences that were given up, too."""
        found = self._batches().filter(is_correction=True)
        if self.sync_id is not None:
            found = found.filter(audience__in=AudienceSync.objects.filter(pk=self.sync_id).values("audience"))
        return found

    def _batches(self) -> QuerySet[Batch]:
        audiences = Audience.objects.filter(ad_account__connection__workspace=self.workspace_id)
        if self.connection_id is not None:
            audiences = audiences.filter(ad_account__connection=self.connection_id)
        found = Batch.objects.filter(state=Literal(Batch.State.ERRORED), audience__in=audiences.order_by().values("pk"))
        return found.filter(reason=self.reason) if self.reason else found

    def wanted(self) -> int:
        """Return how many of them Retry would take: not who was asked the opposite since."""
        # Batch by batch, as a subquery for each: a join would be at liberty to read every delivery there ever was.
        inside = self._members().filter(batch=OuterRef("pk"))
        number = _still_wanted(inside).order_by().values("batch").annotate(number=Count("pk")).values("number")
        found = self.batches().annotate(users_wanted=Coalesce(Subquery(number), 0))
        with by_index():
            return found.aggregate(users=Sum("users_wanted"))["users"] or 0

    def next_batches(self, after: int, last: int) -> list[int]:
        """Return the batches with any of them, behind the batch `after`, up to `last`."""
        found = self.batches().filter(Exists(self._members().filter(batch=OuterRef("pk"))), pk__gt=after)
        # Neither LIMIT nor an upper bound: they tempt the database to walk along all ids instead of those errored.
        return [pk for pk in found.order_by("pk").values_list("pk", flat=True) if pk <= last]

    def _members(self) -> QuerySet[Delivery]:
        if self.sync_id is None:
            return Delivery.objects.all()
        # The sum keeps the database from going through all that the sync ever sent: an errored batch is small.
        return Delivery.objects.annotate(of_sync=F("sync_id") + 0).filter(of_sync=self.sync_id)


def errored_of_sync(sync: AudienceSync, reason: str = "") -> Errored:
    return Errored(sync.workspace_id, sync_id=sync.pk, reason=reason)


def errored_of_connection(connection: Connection, reason: str = "") -> Errored:
    return Errored(connection.workspace_id, connection_id=connection.pk, reason=reason)


def would_take(chosen: Errored, *, at_most: int) -> int:
    """Return how many users Retry would take; counted one by one only where there are no more than `at_most`.

    Of more, those are returned who are errored.
    """
    users = chosen.figure()
    return users if users > at_most or users == 0 else chosen.wanted()


def retry_all(chosen: Errored, *, now: datetime) -> int:
    """Retry errored users batch by batch; return how many are pending again. Safe to repeat."""
    last = newest_batch()  # whoever is refused once more meanwhile is not asked about again
    retried = sum(retry_of_batch(chosen, batch_id, now=now) for batch_id in chosen.next_batches(0, last))
    retry_corrections(chosen)
    return retried


def newest_batch() -> int:
    """Return the last batch that anything was put into so far; 0 when there is none."""
    return Batch.objects.aggregate(last=Max("pk"))["last"] or 0


def retry_of_batch(chosen: Errored, batch_id: int, *, now: datetime, note: Callable[[int], None] | None = None) -> int:
    """Retry those of them who are in a batch; return how many are pending again.

    `note` gets the number in the same transaction; what it raises undoes it all.
    """
    return _retry(batch_id, chosen.sync_id, None, now, note)


def retry_corrections(chosen: Errored) -> None:
    """Make the corrections again that were given up, for that reason."""
    for batch in chosen.corrections():
        correcting.retry_batch(batch)


def wanted_of_batch(batch: Batch) -> int:
    """Return how many users of a batch Retry would take."""
    with by_index():
        return _still_wanted(Delivery.objects.filter(batch=batch, batch__state=Batch.State.ERRORED)).count()


def is_wanted(delivery: Delivery) -> bool:
    """Return whether Retry would take this user."""
    return _still_wanted(Delivery.objects.filter(pk=delivery.pk, batch__state=Batch.State.ERRORED)).exists()


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


def _retry(
    batch_id: int,
    sync_id: int | None,
    delivery_id: int | None,
    now: datetime,
    note: Callable[[int], None] | None = None,
) -> int:
    audience_id = Batch.objects.filter(pk=batch_id).values_list("audience_id", flat=True).first()
    if audience_id is None:
        return 0
    with writing(), by_index(), tally(now):
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
        ids = sorted(chosen.order_by().values_list("pk", flat=True))
        for part in _parts(ids, limits_of(batch.audience.ad_account.connection.partner).users):
            _move(batch, part, now)
        left = batch.users - len(ids)
        Batch.objects.filter(pk=batch.pk).update(users=left, state=Batch.State.ERRORED if left else Batch.State.SPLIT)
        if note is not None:
            note(len(ids))
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
