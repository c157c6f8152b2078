"""What this app hands to the home page: the state of every partner, what is wrong there, and the first thing to do."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Prefetch
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from integrations import registry, usage
from integrations.contract import AudiencePartner
from integrations.models import AdAccount, Audience, AudienceSync, Connection
from integrations.reasons import reason
from pinsync.workspaces.home import Attention, FirstStep, Panel
from pinsync.workspaces.models import Role, Workspace

# Tokens are renewed with ten days left and refresh tokens rotate with them: less means that renewing fails.
EXPIRES_SOON = timedelta(days=5)
GONE_SHOWN = 5


@dataclass(frozen=True)
class Row:
    partner: AudiencePartner
    connection: Connection
    ad_accounts: int


def panel(workspace: Workspace, now: datetime) -> Panel | None:
    """Return the partners that this workspace is, or was until something broke, connected to."""
    chosen = AdAccount.objects.filter(state__in=(AdAccount.State.CONNECTED, AdAccount.State.LOST))
    connections = {
        connection.partner: connection
        for connection in Connection.objects.filter(workspace=workspace)
        .exclude(state=Connection.State.DISCONNECTED)
        .prefetch_related(Prefetch("ad_accounts", chosen))
    }
    known = [(partner, connections[partner.slug]) for partner in registry.partners() if partner.slug in connections]
    if not known:
        return None
    rows = []
    attention: list[Attention] = []
    for partner, connection in known:
        accounts = list(connection.ad_accounts.all())
        number = sum(account.state == AdAccount.State.CONNECTED for account in accounts)
        rows.append(Row(partner, connection, number))
        attention += _wrong(workspace, partner, connection, accounts, now)
    return Panel("integrations/_home.html", {"rows": rows}, (*attention, *_gone(workspace)))


def first_step(workspace: Workspace) -> FirstStep:
    """A connection that broke was made; that it needs mending is said elsewhere."""
    return FirstStep(
        gettext_lazy("Connect a technology partner"),
        gettext_lazy("Give consent there once and choose the ad accounts that your audiences live in."),
        reverse("integrations:partners", kwargs={"workspace": workspace.slug}),
        AdAccount.objects.filter(
            connection__workspace=workspace,
            connection__state__in=(Connection.State.CONNECTED, Connection.State.BROKEN),
            state__in=(AdAccount.State.CONNECTED, AdAccount.State.LOST),
        ).exists(),
    )


def _wrong(
    workspace: Workspace, partner: AudiencePartner, connection: Connection, accounts: list[AdAccount], now: datetime
) -> Iterator[Attention]:
    """Yield what is wrong with one connection: a broken one is all that can be said about it."""
    page = reverse("integrations:partner", args=[workspace.slug, partner.slug])
    if connection.state == Connection.State.BROKEN:
        why = reason(connection.broken_code, partner.name)
        yield Attention(
            f"{partner.name}: {why.name}",
            page,
            _("Reconnect"),
            detail=str(why.cause),
            stops=_active(connection),
            role=Role.ADMIN,
        )
        return
    if connection.paused_at:
        sentence = _("The connection to {partner} is paused by staff.").format(partner=partner.name)
        yield Attention(sentence, page, _("Show"), stops=_active(connection))
    ends = [at for at in (connection.access_expires_at, connection.refresh_expires_at) if at]
    if ends and min(ends) <= now + EXPIRES_SOON:
        days = max((min(ends) - now).days, 0)
        yield Attention(
            _("The token of {partner} could not be renewed").format(partner=partner.name),
            page,
            _("Change Account"),
            detail=_("It ends within {days} days; give consent once more before.").format(days=days + 1),
            is_urgent=False,
            role=Role.ADMIN,
        )
    for account in accounts:
        if account.state == AdAccount.State.LOST:
            why = reason("ad_account_access", partner.name)
            yield Attention(
                _("{partner}: no access to the ad account “{name}”").format(partner=partner.name, name=account.name),
                f"{page}#ad-accounts",
                _("Check access"),
                detail=f"{why.cause} {why.way_out}",
                role=Role.ADMIN,
            )


def _active(connection: Connection) -> tuple[tuple[str, str], ...]:
    return tuple((each.name, each.url) for each in usage.of(connection) if each.active)


def _gone(workspace: Workspace) -> Iterator[Attention]:
    """Yield the audiences that steps name and that do not exist any more."""
    syncs = AudienceSync.objects.filter(workspace=workspace, audience__state=Audience.State.GONE)
    found = {sync.audience_id: sync for sync in syncs.select_related("audience").order_by("audience_id")}
    for sync in list(found.values())[:GONE_SHOWN]:
        yield Attention(
            _("The audience “{name}” does not exist any more").format(name=sync.audience.name if sync.audience else ""),
            reverse("integrations:recreation", args=[workspace.slug, sync.partner, sync.audience_id]),
            _("Recreate audience"),
            detail=str(reason("audience_gone", "").cause),
            role=Role.EDITOR,
        )
