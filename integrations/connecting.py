"""Connect a workspace to a partner, hand the connection to another person, disconnect it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from integrations import ad_accounts, consenting, registry
from integrations.delivery.reading import reads_of
from integrations.errors import AudienceGone, PartnerError, RateLimited
from integrations.limits_said import limit_sentence
from integrations.models import AdAccount, Audience, Authorization, Connection
from integrations.tokens import mark_broken, with_token
from pinsync.workspaces import audit
from pinsync.workspaces.models import User, Workspace

__all__ = ["connection_of", "mark_broken", "with_token"]  # the last two live in tokens.py


class CannotConnect(Exception):
    """Consent was given but the connection was not made or changed. `str()` is the sentence for the person."""


@dataclass(frozen=True)
class NotReached:
    """Something in use that the new person does not reach."""

    kind: str  # "ad account" or "audience", for people
    name: str


class WouldLose(CannotConnect):
    """The new person does not reach everything in use."""

    def __init__(self, sentence: str, missing: Sequence[NotReached]) -> None:
        super().__init__(sentence)
        self.missing = list(missing)


def connection_of(workspace: Workspace, partner_slug: str) -> Connection | None:
    """Return the workspace's connection in whatever state; None when it was never connected."""
    return (
        Connection.objects.filter(workspace=workspace, partner=partner_slug)
        .select_related("workspace", "connected_by")
        .first()
    )


def needs_choice(authorization: Authorization) -> bool:
    """Return whether the person must still choose ad accounts: not where a connection is only renewed."""
    connection = connection_of(authorization.workspace, authorization.partner)
    if connection is None or connection.state == Connection.State.DISCONNECTED:
        return True
    return not connection.ad_accounts.exclude(state=AdAccount.State.AVAILABLE).exists()


def take_over(authorization: Authorization, now: datetime) -> Connection:
    """Renew a connection, or hand it to another person, with the ad accounts it has.

    Raises WouldLose where another person does not reach all that is in use, CannotConnect where that cannot be
    found out. The old person stays connected then, and what consent gave is forgotten.
    """
    connection = connection_of(authorization.workspace, authorization.partner)
    if connection is None:
        raise CannotConnect(_("There is nothing to take over. Connect first."))
    if connection.partner_user_id != authorization.partner_user_id:
        try:
            missing = not_reached(connection, authorization)
        except RateLimited as problem:
            consenting.abandon(authorization, now)
            raise CannotConnect(limit_sentence(registry.partner(connection.partner), problem)) from None
        except PartnerError:
            consenting.abandon(authorization, now)
            sentence = _("{partner} does not answer just now. Nothing was changed; try again in a few minutes.")
            raise CannotConnect(sentence.format(partner=registry.name_of(connection.partner))) from None
        if missing:
            consenting.abandon(authorization, now)
            sentence = _("The {partner} user “{person}” does not reach everything that is in use. Nothing was changed.")
            name = registry.name_of(connection.partner)
            raise WouldLose(sentence.format(partner=name, person=authorization.partner_user_name), missing)
    return complete(authorization, [], now)


def not_reached(connection: Connection, authorization: Authorization) -> list[NotReached]:
    """Return the ad accounts and audiences in use by a sync that the new person does not reach.

    Audiences that are known to be gone do not count. Raises PartnerError when that cannot be found out.
    """
    with reads_of(connection.partner, authorization.partner_user_id):
        return _not_reached(connection, authorization)


def _not_reached(connection: Connection, authorization: Authorization) -> list[NotReached]:
    partner = registry.partner(connection.partner)
    writable = {info.id for info in consenting.infos(authorization) if info.may_write}
    missing = []
    used = AdAccount.objects.filter(connection=connection, syncs__isnull=False).distinct()
    for ad_account in used:
        if ad_account.external_id not in writable:
            missing.append(NotReached(_("ad account"), ad_account.name))
            continue
        audiences = Audience.objects.filter(
            ad_account=ad_account, state=Audience.State.READY, syncs__isnull=False
        ).distinct()
        for audience in audiences:
            try:
                partner.audience(authorization.access_token, ad_account.external_id, audience.external_id or "")
            except AudienceGone:
                missing.append(NotReached(_("audience"), audience.name))
    return missing


def complete(authorization: Authorization, chosen: Sequence[str], now: datetime) -> Connection:
    """Hand what consent gave to the connection and connect these ad accounts beside those that are connected.

    Raises CannotConnect where nothing usable was chosen, or somebody was faster.
    """
    reached = consenting.infos(authorization)
    usable = {info.id for info in reached if info.may_write}
    is_new = needs_choice(authorization)
    if is_new and not usable.intersection(chosen):
        raise CannotConnect(_("Choose at least one ad account."))
    before = connection_of(authorization.workspace, authorization.partner)
    with transaction.atomic():
        # The row also guards against a second click: whoever sets `completed_at` goes on.
        ours = Authorization.objects.filter(pk=authorization.pk, completed_at=None).update(
            completed_at=now, access_token="", refresh_token=""
        )
        if not ours:
            raise CannotConnect(_("This was confirmed already."))
        connection = _write(authorization, now)
        ad_accounts.save_list(connection, reached, now)
        ad_accounts.choose(connection, chosen, authorization.user, now)
        action = "partner.connected" if is_new else "partner.taken_over"
        name = registry.name_of(connection.partner)
        audit.record(
            connection.workspace, authorization.user, action, name, now=now, partner_user=connection.partner_user_id
        )
    _revoke_former(before, connection)
    return connection


def disconnect(connection: Connection, user: User, now: datetime) -> bool:
    """Forget the tokens and disconnect every ad account; return whether the partner took the tokens back.

    A partner that refuses or does not answer stops nothing. Whatever waits goes on waiting for a reconnect.
    """
    connection = Connection.objects.get(pk=connection.pk)
    tokens = [connection.refresh_token, connection.access_token]
    may_call = connection.state == Connection.State.CONNECTED
    with transaction.atomic():
        ours = (
            Connection.objects.filter(pk=connection.pk)
            .exclude(state=Connection.State.DISCONNECTED)
            .update(
                state=Connection.State.DISCONNECTED,
                access_token="",
                refresh_token="",
                access_expires_at=None,
                refresh_expires_at=None,
                broken_at=None,
                broken_code="",
                generation=F("generation") + 1,
                refresh_lease=None,
                refresh_lease_until=None,
            )
        )
        if not ours:
            return True
        AdAccount.objects.filter(connection=connection).update(state=AdAccount.State.AVAILABLE)
        name = registry.name_of(connection.partner)
        audit.record(connection.workspace, user, "partner.disconnected", name, now=now)
    return may_call and consenting.revoke(registry.partner(connection.partner), tokens)


def _write(authorization: Authorization, now: datetime) -> Connection:
    fields = {
        "state": Connection.State.CONNECTED,
        "partner_user_id": authorization.partner_user_id,
        "partner_user_name": authorization.partner_user_name,
        "access_token": authorization.access_token,
        "refresh_token": authorization.refresh_token,
        "scopes": authorization.scopes,
        "access_expires_at": authorization.access_expires_at,
        "refresh_expires_at": authorization.refresh_expires_at,
        "refreshed_at": now,
        "connected_by": authorization.user,
        "connected_at": now,
        "broken_at": None,
        "broken_code": "",
        "notified_at": None,
        "refresh_lease": None,
        "refresh_lease_until": None,
    }
    key = {"workspace": authorization.workspace, "partner": authorization.partner}
    Connection.objects.bulk_create([Connection(**key, **fields)], ignore_conflicts=True)
    Connection.objects.filter(**key).update(**fields, generation=F("generation") + 1)
    return Connection.objects.get(**key)


def _revoke_former(before: Connection | None, now_: Connection) -> None:
    """Take the tokens of the person before back; those of a broken connection are dead and never used again."""
    if before and before.state == Connection.State.CONNECTED and before.partner_user_id != now_.partner_user_id:
        partner = registry.partner(before.partner)
        consenting.revoke(partner, [before.refresh_token, before.access_token])
