"""Partner Integrations > Technology Partners, and the page of one of them in all its states."""

from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from integrations import connecting, consenting, registry, retrying, usage
from integrations.contract import AudiencePartner
from integrations.delivery import forecast
from integrations.forms import TermsForm
from integrations.models import AdAccount, Connection
from integrations.reasons import reason
from integrations.views.common import let_forms_lead_to, live_connection_or_404, with_partner
from pinsync.workspaces.access import WorkspaceRequest, workspace_view
from pinsync.workspaces.models import Role, Workspace


@dataclass(frozen=True)
class Tile:
    partner: AudiencePartner
    connection: Connection | None
    ad_accounts: int


@workspace_view(Role.VIEWER)
@require_GET
def partners(request: WorkspaceRequest, workspace: Workspace) -> HttpResponse:
    text = request.GET.get("q", "").strip()
    connections = {found.partner: found for found in Connection.objects.filter(workspace=workspace)}
    tiles = []
    for partner in registry.partners():
        if text.casefold() in f"{partner.name} {partner.tagline}".casefold():
            connection = connections.get(partner.slug)
            number = connection.ad_accounts.exclude(state=AdAccount.State.AVAILABLE).count() if connection else 0
            tiles.append(Tile(partner, connection, number))
    context = {"tiles": tiles, "text": text}
    is_fragment = request.headers.get("HX-Request") == "true"
    return render(request, "integrations/_tiles.html" if is_fragment else "integrations/partners.html", context)


@workspace_view(Role.VIEWER)
@require_GET
@with_partner
def partner(request: WorkspaceRequest, workspace: Workspace, *, partner: AudiencePartner) -> HttpResponse:
    return show(request, workspace, partner, TermsForm())


def show(
    request: WorkspaceRequest, workspace: Workspace, partner: AudiencePartner, form: TermsForm, status: int = 200
) -> HttpResponse:
    """Render the page of a partner, whatever state the connection is in. Calls nobody."""
    connection = connecting.connection_of(workspace, partner.slug)
    is_live = connection is not None and connection.state != Connection.State.DISCONNECTED
    context: dict[str, object] = {
        "partner": partner,
        "connection": connection,
        "is_live": is_live,
        "form": form,
        "terms": consenting.accepted_terms(workspace, partner.slug),
        "playground": partner.playground(),
        "may_connect": request.member.may(Role.ADMIN),
        "overview": f"integrations/{partner.slug}/overview.html",
    }
    if connection and is_live:
        ad_accounts = list(connection.ad_accounts.exclude(state=AdAccount.State.AVAILABLE))
        context["ad_accounts"] = ad_accounts
        context["lost_accounts"] = sum(each.state == AdAccount.State.LOST for each in ad_accounts)
        context["canvases"] = [found for found in usage.of(connection) if found.active]
        context["standing"] = forecast.standing(connection, timezone.now())
        context["errored"] = retrying.errored_while_disconnected(connection).figure() if connection.may_call else 0
        context["may_retry"] = context["may_edit"] = request.member.may(Role.EDITOR)
        retryings = retrying.shown_of_connection(connection, timezone.now())
        context |= {"retryings": retryings, "is_retrying": any(one.retrying.ended_at is None for one in retryings)}
        context["reason"] = reason(connection.broken_code, partner.name) if connection.broken_code else None
        context["lost"] = reason("ad_account_access", partner.name)
    response = render(request, "integrations/partner.html", context, status=status)
    return let_forms_lead_to(response, partner)


@workspace_view(Role.ADMIN)
@require_http_methods(["GET", "POST"])
@with_partner
def disconnect(request: WorkspaceRequest, workspace: Workspace, *, partner: AudiencePartner) -> HttpResponse:
    connection = live_connection_or_404(workspace, partner)
    if request.method == "GET":
        canvases = [found for found in usage.of(connection) if found.active]
        context = {"partner": partner, "connection": connection, "canvases": canvases}
        return render(request, "integrations/disconnect.html", context)
    if connecting.disconnect(connection, request.user, timezone.now()):
        messages.success(request, _("{partner} is disconnected.").format(partner=partner.name))
    else:
        sentence = _(
            "{partner} is disconnected and its tokens are deleted here. {partner} did not take them back by itself: "
            "remove Pinsync from the connected apps there, too."
        )
        messages.warning(request, sentence.format(partner=partner.name))
    return redirect("integrations:partner", workspace=workspace.slug, partner=partner.slug)
