"""Staff pause a connection: nothing is sent while they look into it; users wait."""

from datetime import datetime

from django.db import transaction

from integrations import registry
from integrations.models import Connection
from pinsync.workspaces import audit
from pinsync.workspaces.models import User


def pause(connection: Connection, user: User | None, now: datetime) -> bool:
    """Stop all calls of a connection; return whether it was not paused before. What is under way ends."""
    return _move(connection, user, now, was_paused=False)


def resume(connection: Connection, user: User | None, now: datetime) -> bool:
    """Allow calls again; return whether it was paused. Whoever waits is sent with the next tick."""
    return _move(connection, user, now, was_paused=True)


def _move(connection: Connection, user: User | None, now: datetime, *, was_paused: bool) -> bool:
    with transaction.atomic():
        ours = Connection.objects.filter(pk=connection.pk, paused_at__isnull=not was_paused).update(
            paused_at=None if was_paused else now
        )
        if ours:
            action = "partner.unpaused" if was_paused else "partner.paused"
            audit.record(connection.workspace, user, action, registry.name_of(connection.partner), now=now)
    return bool(ours)
