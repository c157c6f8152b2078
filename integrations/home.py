"""What this app hands to the home page: the state of every partner, and the first thing to do."""

from dataclasses import dataclass

from django.db.models import Count
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from integrations import registry
from integrations.contract import AudiencePartner
from integrations.models import AdAccount, Connection
from pinsync.workspaces.home import FirstStep, Panel
from pinsync.workspaces.models import Workspace


@dataclass(frozen=True)
class Row:
    partner: AudiencePartner
    connection: Connection
    ad_accounts: int


def panel(workspace: Workspace) -> Panel | None:
    """Return the partners that this workspace is, or was until something broke, connected to."""
    connections = {
        connection.partner: connection
        for connection in Connection.objects.filter(workspace=workspace).exclude(state=Connection.State.DISCONNECTED)
    }
    numbers = dict(
        AdAccount.objects.filter(connection__in=connections.values(), state=AdAccount.State.CONNECTED)
        .values_list("connection")
        .annotate(number=Count("pk"))
    )
    rows = [
        Row(partner, connection, numbers.get(connection.pk, 0))
        for partner in registry.partners()
        if (connection := connections.get(partner.slug))
    ]
    return Panel("integrations/_home.html", {"rows": rows}) if rows else None


def first_step(workspace: Workspace) -> FirstStep:
    return FirstStep(
        _("Connect a technology partner"),
        _("Give consent there once and choose the ad accounts that your audiences live in."),
        reverse("integrations:partners", kwargs={"workspace": workspace.slug}),
        AdAccount.objects.filter(
            connection__workspace=workspace,
            connection__state=Connection.State.CONNECTED,
            state=AdAccount.State.CONNECTED,
        ).exists(),
    )
