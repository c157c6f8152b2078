"""Add ad accounts to a connection, and disconnect single ones."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from integrations import ad_accounts, usage
from integrations.contract import AdAccountInfo, AudiencePartner
from integrations.errors import PartnerError
from integrations.forms import AdAccountsForm
from integrations.models import AdAccount
from integrations.views.common import ad_account_or_404, live_connection_or_404, say_why, with_partner
from pinsync.workspaces.access import WorkspaceRequest, workspace_view
from pinsync.workspaces.models import Role, Workspace


@workspace_view(Role.ADMIN)
@require_POST
@with_partner
def read(request: WorkspaceRequest, workspace: Workspace, *, partner: AudiencePartner) -> HttpResponse:
    """Read the list of ad accounts from the partner; `then=add` goes on to choosing some."""
    connection = live_connection_or_404(workspace, partner)
    then = "integrations:ad_accounts_add" if request.POST.get("then") == "add" else "integrations:partner"
    try:
        ad_accounts.reread(connection, timezone.now())
    except PartnerError as problem:
        say_why(request, partner, problem)
        then = "integrations:partner"
    return redirect(then, workspace=workspace.slug, partner=partner.slug)


@workspace_view(Role.ADMIN)
@require_http_methods(["GET", "POST"])
@with_partner
def add(request: WorkspaceRequest, workspace: Workspace, *, partner: AudiencePartner) -> HttpResponse:
    connection = live_connection_or_404(workspace, partner)
    form = AdAccountsForm(request.POST or None, infos=[_info(one) for one in ad_accounts.offered(connection)])
    context = {"partner": partner, "connection": connection, "form": form, "is_searching": "search" in request.POST}
    if request.headers.get("HX-Request") == "true":
        return render(request, "integrations/_ad_account_choices.html", context)
    if "search" in request.POST or not form.is_valid():
        return render(request, "integrations/add.html", context)
    number = ad_accounts.choose(connection, form.cleaned_data["ad_account"], request.user, timezone.now())
    sentence = ngettext("{number} ad account added.", "{number} ad accounts added.", number)
    messages.success(request, sentence.format(number=number))
    return redirect("integrations:partner", workspace=workspace.slug, partner=partner.slug)


def _info(ad_account: AdAccount) -> AdAccountInfo:
    return AdAccountInfo(
        id=ad_account.external_id,
        name=ad_account.name,
        country=ad_account.country,
        currency=ad_account.currency,
        roles=tuple(ad_account.roles),
        may_write=ad_account.may_write,
    )


@workspace_view(Role.ADMIN)
@require_http_methods(["GET", "POST"])
@with_partner
def disconnect(
    request: WorkspaceRequest, workspace: Workspace, *, partner: AudiencePartner, ad_account: int
) -> HttpResponse:
    found = ad_account_or_404(workspace, partner, ad_account)
    if request.method == "GET":
        canvases = [one for one in usage.of(found) if one.active]
        context = {"partner": partner, "ad_account": found, "canvases": canvases}
        return render(request, "integrations/ad_account_disconnect.html", context)
    if ad_accounts.disconnect(found, request.user, timezone.now()):
        messages.success(request, _("The ad account “{name}” is disconnected.").format(name=found.name))
    return redirect("integrations:partner", workspace=workspace.slug, partner=partner.slug)
