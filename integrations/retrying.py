"""Errored users get another chance because a person asks for it: few at once, many by a worker, always written down."""

from dataclasses import asdict
from datetime import datetime

from django.db import transaction
from django_q.tasks import async_task

from integrations import registry
from integrations.delivery import retrying
from integrations.delivery.retrying import Errored
from integrations.errors import NeedsReconnect
from integrations.models import Batch, Connection, Delivery
from pinsync.workspaces import audit
from pinsync.workspaces.models import User, Workspace

AT_ONCE = 10_000  # users retried while a person waits for the page; more are left to a worker
TASK = "integrations.tasks.retry"
ACTION = "users.retried"


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
    if users <= AT_ONCE:
        users = retrying.retry_part(chosen, now=now).users
        _record(workspace, user, target, users, now, **detail)
        return users
    with transaction.atomic():
        _record(workspace, user, target, users, now, **detail)
        transaction.on_commit(lambda: async_task(TASK, asdict(chosen), 0, save=False))
    return None


def go_on(chosen: Errored, after: int, now: datetime) -> None:
    """Retry about AT_ONCE users behind a batch, and ring for the rest."""
    part = retrying.retry_part(chosen, at_least=AT_ONCE, after=after, now=now)
    if part.after is not None:
        async_task(TASK, asdict(chosen), part.after, save=False)


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


def _record(workspace: Workspace, user: User, target: str, users: int, now: datetime, **detail: object) -> None:
    if users:
        audit.record(workspace, user, ACTION, target, now=now, users=users, **detail)
