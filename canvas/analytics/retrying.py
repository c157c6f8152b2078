"""Errored users of a step get another chance: one, a batch, or all with a reason; written down in the audit log."""

from datetime import datetime

from django.db import transaction
from django_q.tasks import async_task

from canvas.models import Step
from integrations.delivery import retrying
from integrations.models import Batch, Delivery, SyncReason
from integrations.reasons import ERRORS
from pinsync.workspaces import audit
from pinsync.workspaces.models import User, Workspace

AT_ONCE = 10_000  # users retried while a person waits for the page; more are left to a worker
TASK = "canvas.tasks.retry"
ACTION = "users.retried"


def errored(step: Step, why: str) -> int:
    """Return how many users of a step are errored (for a reason), from the counters."""
    counters = SyncReason.objects.filter(sync=step.sync_id, reason__in=[why] if why else list(ERRORS))
    return sum(counters.values_list("users", flat=True))


def would_retry(step: Step, why: str) -> int:
    """Return how many users Retry would take: without those whom another step asked the opposite for since.

    Counts one by one only as many as a page can wait for; of more, it returns how many are errored.
    """
    users = errored(step, why)
    if step.sync is None or users > AT_ONCE:
        return users
    return retrying.errored(step.sync, why).count()


def retry_step(step: Step, why: str, user: User, now: datetime) -> int | None:
    """Retry a step's errored users (with a reason); return how many are pending again, None when a worker does it."""
    if step.sync is None:
        return 0
    if errored(step, why) <= AT_ONCE:
        users = retrying.retry_sync(step.sync, reason=why, now=now)
        _record(step.canvas.workspace, user, step.name, users, now, reason=why)
        return users
    with transaction.atomic():
        _record(step.canvas.workspace, user, step.name, errored(step, why), now, reason=why)
        transaction.on_commit(lambda: async_task(TASK, step.pk, why, save=False))
    return None


def retry_some(step: Step, why: str, now: datetime) -> bool:
    """Retry about AT_ONCE users of a step; return whether there may be more."""
    return step.sync is not None and retrying.retry_sync(step.sync, reason=why, at_least=AT_ONCE, now=now) >= AT_ONCE


def retry_batch(batch: Batch, user: User, now: datetime) -> int:
    """Retry the users of an errored batch, or the records of a correction; return how many are sent again."""
    retried = retrying.retry_batch(batch, now=now)
    _record(
        batch.audience.ad_account.connection.workspace, user, str(batch.audience.name), retried, now, batch=batch.pk
    )
    return retried


def retry_user(step: Step, delivery: Delivery, user: User, now: datetime) -> bool:
    """Retry one errored user; return whether they are pending again."""
    users = retrying.retry_delivery(delivery, now=now)
    _record(step.canvas.workspace, user, step.name, users, now, profile=delivery.profile_id)
    return bool(users)


def _record(workspace: Workspace, user: User, target: str, users: int, now: datetime, **detail: object) -> None:
    if users:
        audit.record(workspace, user, ACTION, target, now=now, users=users, **{k: v for k, v in detail.items() if v})
