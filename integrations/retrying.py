"""Errored users get another chance because a person asks for it: few at once, many by a worker, always written down."""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.db.models.functions import Greatest
from django_q.tasks import async_task

from integrations import registry
from integrations.delivery import retrying
from integrations.delivery.retrying import Errored
from integrations.errors import NeedsReconnect
from integrations.models import AudienceSync, Batch, Connection, Delivery, Retrying
from integrations.reasons import Reason, reason
from pinsync.progress import Progress, progress_of
from pinsync.workspaces import audit
from pinsync.workspaces.models import User, Workspace

# Retried while a person waits for the page; more are left to a worker.
AT_ONCE = 10_000  # users
BATCHES_AT_ONCE = 500  # a transaction each: whoever was refused alone is in one of their own
LEASE = timedelta(minutes=1)  # far more than a batch takes
SHOWN_FOR = timedelta(minutes=10)  # how long pages tell how it ended
SHOWN = 3
KEPT_FOR = timedelta(hours=24)  # then the audit log alone knows of it
TASK = "integrations.tasks.retry"
ACTION = "users.retried"
CANCELLED = "users.retry_cancelled"


class Ended(Exception):
    """Somebody cancelled it, or came to its end first."""


def would_retry(chosen: Errored) -> int:
    """Return how many users Retry would take: without those whom another step asked the opposite for since.

    Counts one by one only as many as a page can wait for; of more, it returns how many are errored.
    """
    return retrying.would_take(chosen, at_most=AT_ONCE)


def retry(chosen: Errored, target: str, user: User, now: datetime) -> int | None:
    """Retry errored users; return how many are pending again, None when a worker does it."""
    workspace = Workspace.objects.get(pk=chosen.workspace_id)
    detail = {"reason": chosen.reason} if chosen.reason else {}
    users = chosen.figure()
    if users <= AT_ONCE and len(chosen.batches().values_list("pk")[: BATCHES_AT_ONCE + 1]) <= BATCHES_AT_ONCE:
        users = retrying.retry_all(chosen, now=now)
        _record(workspace, user, target, users, now, **detail)
        return users
    try:
        with transaction.atomic():
            many = _begin(chosen, target, user, users, now)
            _record(workspace, user, target, users, now, **detail)
            transaction.on_commit(lambda: ring(many.pk))
    except IntegrityError:  # somebody else pressed first: theirs takes the same users
        if not Retrying.objects.filter(**_key(chosen), ended_at=None).exists():
            raise
    return None


def retry_batch(batch: Batch, user: User, now: datetime) -> int:
    """Retry the users of an errored batch; return how many are pending again."""
    users = retrying.retry_batch(batch, now=now)
    workspace = batch.audience.ad_account.connection.workspace
    _record(workspace, user, str(batch.audience.name), users, now, batch=batch.pk)
    return users


def retry_user(delivery: Delivery, target: str, user: User, now: datetime) -> bool:
    """Retry one errored user; return whether they are pending again."""
    users = retrying.retry_delivery(delivery, now=now)
    _record(delivery.sync.workspace, user, target, users, now, profile=delivery.profile_id)
    return bool(users)


# --- while nobody was connected ----------------------------------------------------------------------------------


def errored_while_disconnected(connection: Connection) -> Errored:
    """Return those who were given up because no token worked."""
    return retrying.errored_of_connection(connection, NeedsReconnect.code)


def retry_after_reconnecting(connection: Connection, user: User, now: datetime) -> int | None:
    """Retry whoever errored while no token worked. See `retry`."""
    return retry(errored_while_disconnected(connection), registry.name_of(connection.partner), user, now)


# --- many at once: a worker does it, and pages follow --------------------------------------------------------------


@dataclass(frozen=True)
class Shown:
    """A retry of many users as pages show it."""

    retrying: Retrying
    progress: Progress
    reason: Reason | None


def go_on(pk: int, now: datetime, *, seconds: float) -> bool:
    """Retry the users of one Retrying, batch by batch, for about `seconds`; return whether there is more to do.

    Safe to repeat at any moment, and for several at once: how far it came is part of each batch's transaction.
    """
    began = time.monotonic()
    while many := Retrying.objects.filter(pk=pk, ended_at=None).first():
        chosen = Errored(many.workspace_id, many.sync_id, many.connection_id, many.reason)
        batches = chosen.next_batches(many.through_batch, many.last_batch)
        for batch_id in batches:
            at = now + timedelta(seconds=time.monotonic() - began)
            try:
                retrying.retry_of_batch(chosen, batch_id, now=at, note=partial(_note, pk, batch_id, at))
            except Ended:
                return False
            if time.monotonic() - began >= seconds:
                return True
        if not batches:
            retrying.retry_corrections(chosen)
            ended_at = now + timedelta(seconds=time.monotonic() - began)
            Retrying.objects.filter(pk=pk, ended_at=None).update(ended_at=ended_at, lease_until=None)
    return False


def take_up(now: datetime) -> int:
    """Ring for those that nobody works on: their doorbell was lost, or their worker died. Return how many."""
    rung = 0
    for many in Retrying.objects.filter(ended_at=None, lease_until__lt=now).order_by("pk"):
        ours = Retrying.objects.filter(pk=many.pk, ended_at=None, lease_until=many.lease_until)
        if ours.update(lease_until=now + LEASE):
            ring(many.pk)
            rung += 1
    return rung


def forget(now: datetime) -> None:
    """Delete those that ended so long ago that nobody looks at them any more."""
    old = Retrying.objects.filter(ended_at__lt=now - KEPT_FOR)
    if old.exists():
        old.delete()


def cancel(many: Retrying, user: User, now: datetime) -> bool:
    """Retry no more of them; who is pending again stays pending. Return whether it was still under way."""
    with transaction.atomic():
        ours = Retrying.objects.filter(pk=many.pk, ended_at=None)
        cancelled = ours.update(ended_at=now, cancelled_at=now, lease_until=None) == 1
        many.refresh_from_db()
        if cancelled:
            audit.record(many.workspace, user, CANCELLED, many.target, now=now, users=many.done)
    return cancelled


def find(workspace: Workspace, pk: int) -> Retrying | None:
    return Retrying.objects.select_related("sync", "connection").filter(workspace=workspace, pk=pk).first()


def shown_of_sync(sync: AudienceSync, now: datetime) -> list[Shown]:
    """Return what is under way for a step, and what ended a moment ago, the latest first."""
    return _shown(Q(sync=sync), now)


def shown_of_connection(connection: Connection, now: datetime) -> list[Shown]:
    return _shown(Q(connection=connection), now)


def show(many: Retrying, now: datetime) -> Shown:
    """Return how far it is. Its sync or connection comes with it."""
    worked = ((many.ended_at or now) - many.started_at).total_seconds()
    why = reason(many.reason, registry.name_of(partner_of(many))) if many.reason else None
    return Shown(many, progress_of(many.done, many.total, worked), why)


def partner_of(many: Retrying) -> str:
    """Return the slug of the partner that its users are sent to."""
    of = many.sync or many.connection
    assert of is not None  # the database holds that there is one of them
    return of.partner


def _shown(whose: Q, now: datetime) -> list[Shown]:
    is_fresh = Q(ended_at=None) | Q(ended_at__gt=now - SHOWN_FOR)
    found = Retrying.objects.select_related("sync", "connection").filter(whose, is_fresh).order_by("-pk")
    return [show(many, now) for many in found[:SHOWN]]


def _key(chosen: Errored) -> dict[str, object]:
    return {"sync_id": chosen.sync_id, "connection_id": chosen.connection_id, "reason": chosen.reason}


def _begin(chosen: Errored, target: str, user: User, users: int, now: datetime) -> Retrying:
    return Retrying.objects.create(
        workspace_id=chosen.workspace_id,
        **_key(chosen),
        target=target[:200],
        asked_by=user,
        started_at=now,
        total=users,
        last_batch=retrying.newest_batch(),
        lease_until=now + LEASE,
    )


def _note(pk: int, batch_id: int, now: datetime, users: int) -> None:
    """Write down, with the users of a batch, that they are pending again; undo that when it has ended meanwhile."""
    if not Retrying.objects.filter(pk=pk, ended_at=None).update(
        done=F("done") + users, through_batch=Greatest(F("through_batch"), batch_id), lease_until=now + LEASE
    ):
        raise Ended


def ring(pk: int) -> None:
    """Ask a worker to go on with it. A doorbell: losing it costs a minute, ringing twice costs nothing."""
    async_task(TASK, pk, save=False)


def _record(workspace: Workspace, user: User, target: str, users: int, now: datetime, **detail: object) -> None:
    if users:
        audit.record(workspace, user, ACTION, target, now=now, users=users, **detail)
