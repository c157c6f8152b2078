"""The ad accounts of a connection: which the person reaches, and which of them the workspace chose."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Max, Q, QuerySet

from integrations import registry
from integrations.contract import AdAccountInfo
from integrations.delivery.reading import reads_of
from integrations.models import AdAccount, Connection
from integrations.tokens import with_token
from pinsync.workspaces import audit
from pinsync.workspaces.models import User

LOOK_FOR_LOST = timedelta(minutes=10)  # between two looks whether a lost ad account is back


def save_list(connection: Connection, infos: Sequence[AdAccountInfo], now: datetime) -> None:
    """Write down the whole list of what the person reaches now.

    What was chosen stays chosen; a chosen one that is not in the list, or in which the person may no longer write, is
    LOST until it comes back. Rows are never deleted: audiences and what was sent to them hang on them.
    """
    rows = [
        AdAccount(
            connection=connection,
            external_id=info.id,
            name=info.name[:256] or info.id,
            country=info.country[:2],
            currency=info.currency[:3],
            roles=list(info.roles),
            may_write=info.may_write,
            seen_at=now,
        )
        for info in {info.id: info for info in infos}.values()  # PostgreSQL refuses to write a row twice
    ]
    states = AdAccount.State
    with transaction.atomic():
        AdAccount.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["connection", "external_id"],
            update_fields=["name", "country", "currency", "roles", "may_write", "seen_at"],
        )
        usable = {info.id for info in infos if info.may_write}
        ours = AdAccount.objects.filter(connection=connection)
        ours.filter(state=states.CONNECTED).exclude(external_id__in=usable).update(state=states.LOST)
        ours.filter(state=states.LOST, external_id__in=usable).update(state=states.CONNECTED)


def reread(connection: Connection, now: datetime) -> None:
    """Read the list again with the present token. Raises PartnerError, and changes nothing then."""
    partner = registry.partner(connection.partner)
    with reads_of(connection.partner, connection.partner_user_id):
        infos = with_token(connection, lambda token: list(partner.ad_accounts(token)), now)
    save_list(connection, infos, now)


def offered(connection: Connection) -> QuerySet[AdAccount]:
    """Return what can be added: reached when the list was last read, and not chosen."""
    found = AdAccount.objects.filter(connection=connection)
    latest = found.aggregate(latest=Max("seen_at"))["latest"]
    return found.filter(state=AdAccount.State.AVAILABLE, seen_at=latest)


def choose(connection: Connection, external_ids: Iterable[str], user: User | None, now: datetime) -> int:
    """Connect these of the offered ad accounts and return how many that were. Safe to repeat."""
    with transaction.atomic():
        chosen = list(
            offered(connection).filter(external_id__in=list(external_ids), may_write=True).values_list("pk", flat=True)
        )
        number = AdAccount.objects.filter(pk__in=chosen, state=AdAccount.State.AVAILABLE).update(
            state=AdAccount.State.CONNECTED
        )
        if number:
            name = registry.name_of(connection.partner)
            audit.record(connection.workspace, user, "ad_accounts.connected", name, now=now, ad_accounts=number)
    return number


def disconnect(ad_account: AdAccount, user: User, now: datetime) -> bool:
    """Stop using an ad account; return whether it was connected. Users who wait for it go on waiting."""
    with transaction.atomic():
        ours = (
            AdAccount.objects.filter(pk=ad_account.pk)
            .exclude(state=AdAccount.State.AVAILABLE)
            .update(state=AdAccount.State.AVAILABLE)
        )
        if ours:
            audit.record(
                ad_account.connection.workspace,
                user,
                "ad_account.disconnected",
                ad_account.name,
                now=now,
                ad_account=ad_account.external_id,
            )
    return bool(ours)


def take_lost(now: datetime) -> list[Connection]:
    """Return the connections with a lost ad account for this caller to read again; each is taken by one caller."""
    is_due = Q(looked_at=None) | Q(looked_at__lte=now - LOOK_FOR_LOST)
    found = Connection.objects.filter(
        is_due, state=Connection.State.CONNECTED, paused_at=None, ad_accounts__state=AdAccount.State.LOST
    ).distinct()
    return [
        connection for connection in found if Connection.objects.filter(is_due, pk=connection.pk).update(looked_at=now)
    ]
