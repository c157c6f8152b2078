"""A connection's tokens: used, refreshed long before they expire, and given up on once.

What happens when a process dies in a refresh: its lease runs out after `LEASE`, and the next upkeep asks again with the
refresh token that is still stored. Pinterest rotates refresh tokens; the answer that nobody saved has replaced the
stored one, which keeps working until the new one is first used. Nobody can use what nobody saved, so the second try
succeeds. (Were the old one dead at once, the connection would be marked broken and a person told; nothing is lost.)
A process that was only slow cannot save over the second one: it no longer holds the lease.

No transaction is open while a partner is called: lease (commit), call, save (commit).
"""

import logging
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from django.db import transaction
from django.db.models import F, Q
from django_q.tasks import async_task

from integrations import registry
from integrations.contract import Tokens
from integrations.errors import NeedsReconnect, PartnerError, Unavailable
from integrations.models import Connection
from pinsync.sql import get_row
from pinsync.workspaces import audit

log = logging.getLogger("pinsync.connections")

LEASE = timedelta(seconds=90)  # longer than the longest call: 5 s to connect, 30 s to read
LOOK_AGAIN = timedelta(seconds=2)  # when somebody else is refreshing
TRY_AGAIN = timedelta(seconds=30)  # after a refresh that met an outage
Answer = TypeVar("Answer")


def with_token(connection: Connection, call: Callable[[str], Answer], now: datetime) -> Answer:
    """Return `call(access_token)` with a token that is alive. See `with_live`."""
    return with_live(connection.pk, lambda live: call(live.access_token), now)


def with_live(connection_id: int, call: Callable[[Connection], Answer], now: datetime) -> Answer:
    """Return `call(connection)` with the row as it is now: with a token that is alive, and the person whose it is.

    An expired token is refreshed before, a refused one after; then `call` is made once
    more, so it must be safe to repeat. A second refusal marks the connection broken.
    Raises NeedsReconnect without calling where no call may be made, Unavailable while somebody else refreshes or
    staff paused the connection, and what `call` raises.
    """
    connection = get_row(Connection, id=connection_id)
    if connection is None:
        raise Connection.DoesNotExist
    _check(connection)
    if connection.access_expires_at and connection.access_expires_at <= now:
        connection = refresh(connection, now)
    if not connection.access_token:
        mark_broken(connection, NeedsReconnect.code, now)
        raise NeedsReconnect
    try:
        return call(connection)
    except NeedsReconnect:
        connection = refresh(connection, now)
    _check(connection)
    try:
        return call(connection)
    except NeedsReconnect as refused:
        mark_broken(connection, refused.code, now)
        raise


def _check(connection: Connection) -> None:
    if connection.state != Connection.State.CONNECTED:
        raise NeedsReconnect
    if connection.paused_at:
        raise Unavailable("The connection is paused")


def refresh(connection: Connection, now: datetime) -> Connection:
    """Replace the tokens that `connection` was read with, and return the row with the new ones.

    Of all who try at once, one asks the partner; who comes late gets what that one saved.
    Raises NeedsReconnect (the connection is marked broken then), Unavailable while another process is at it, and
    other PartnerErrors.
    """
    lease = uuid.uuid4()
    is_free = Q(refresh_lease_until=None) | Q(refresh_lease_until__lt=now)
    same = Connection.objects.filter(
        pk=connection.pk, state=Connection.State.CONNECTED, generation=connection.generation
    )
    if not same.filter(is_free).update(refresh_lease=lease, refresh_lease_until=now + LEASE):
        current = Connection.objects.get(pk=connection.pk)
        if current.state != Connection.State.CONNECTED:
            raise NeedsReconnect
        if current.generation != connection.generation:
            return current
        raise Unavailable("Somebody else is refreshing the token, or it was just tried", retry_after=LOOK_AGAIN)
    held = Connection.objects.get(pk=connection.pk)
    try:
        if not held.refresh_token:
            raise NeedsReconnect("There is no refresh token that can be read")
        tokens = registry.partner(held.partner).refresh(held.refresh_token)
    except NeedsReconnect as refused:
        mark_broken(held, refused.code, now)
        raise
    except PartnerError as problem:
        again = now + max(problem.retry_after or TRY_AGAIN, TRY_AGAIN)
        same.filter(refresh_lease=lease).update(refresh_lease=None, refresh_lease_until=again)
        raise
    fields = token_fields(tokens, now)
    if not tokens.refresh_lifetime:
        del fields["refresh_expires_at"]
    if same.filter(refresh_lease=lease).update(**fields):
        log.info("token refreshed", extra={"connection": held.pk})
    else:
        log.warning("refreshed token came too late", extra={"connection": held.pk})
    current = Connection.objects.get(pk=held.pk)
    if current.state != Connection.State.CONNECTED:
        raise NeedsReconnect
    return current


def token_fields(tokens: Tokens, now: datetime) -> dict[str, object]:
    """Return what to write into a Connection to give it these tokens. Every write makes a new generation."""
    return {
        "access_token": tokens.access_token,
        "refresh_token": tokens.refresh_token,
        "scopes": sorted(tokens.scopes),
        "access_expires_at": now + tokens.access_lifetime,
        "refresh_expires_at": now + tokens.refresh_lifetime if tokens.refresh_lifetime else None,
        "refreshed_at": now,
        "generation": F("generation") + 1,
        "refresh_lease": None,
        "refresh_lease_until": None,
    }


def due(now: datetime) -> list[Connection]:
    """Return the connections whose token has less than `refresh_before` to live and is not being refreshed."""
    found: list[Connection] = []
    for partner in registry.partners():
        found += Connection.objects.filter(
            Q(refresh_lease_until=None) | Q(refresh_lease_until__lt=now),
            partner=partner.slug,
            state=Connection.State.CONNECTED,
            access_expires_at__lte=now + partner.refresh_before,
        ).order_by("access_expires_at", "pk")
    return found


def mark_broken(connection: Connection, code: str, now: datetime) -> bool:
    """Stop all calls until a person reconnects; return whether it was still up to this caller.

    A verdict on tokens that were replaced since `connection` was read changes nothing.
    """
    with transaction.atomic():
        ours = Connection.objects.filter(
            pk=connection.pk, state=Connection.State.CONNECTED, generation=connection.generation
        ).update(
            state=Connection.State.BROKEN,
            broken_at=now,
            broken_code=code,
            notified_at=None,
            refresh_lease=None,
            refresh_lease_until=None,
        )
        if ours:
            audit.record(
                connection.workspace, None, "partner.broken", registry.name_of(connection.partner), now=now, reason=code
            )
            transaction.on_commit(lambda: async_task("integrations.tasks.tell_of_breaks", save=False))
            log.warning("connection broken", extra={"connection": connection.pk, "reason": code})
    return bool(ours)
