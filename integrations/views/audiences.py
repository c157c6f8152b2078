"""The audiences of an ad account as a list to pick from, and its refresh. Pages of other apps build on it."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from integrations import audiences as local_copy
from integrations.contract import AudiencePartner
from integrations.errors import PartnerError
from integrations.views.common import ad_account_or_404, say_why, with_partner
from pinsync.workspaces.access import WorkspaceRequest, workspace_view
from pinsync.workspaces.models import Role, Workspace


@workspace_view(Role.VIEWER)
@require_GET
@with_partner
def audiences(
    request: WorkspaceRequest, workspace: Workspace, *, partner: AudiencePartner, ad_account: int
) -> HttpResponse:
    """Return a page of `<li role="option" data-id data-name>`; `q` searches, `after` goes on. Calls nobody."""
    found = ad_account_or_404(workspace, partner, ad_account)
    text = request.GET.get("q", "")[:300]
    after = request.GET.get("after", "")
    page = local_copy.search(found, text, after)
    context = {"partner": partner, "ad_account": found, "page": page, "text": text, "is_first": not after}
    return render(request, "integrations/_audience_options.html", context)


@workspace_view(Role.EDITOR)
@require_POST
@with_partner
def refresh(
    request: WorkspaceRequest, workspace: Workspace, *, partner: AudiencePartner, ad_account: int
) -> HttpResponse:
    """Read the audiences again. A fragment request gets the first options, others go back to the partner page."""
    found = ad_account_or_404(workspace, partner, ad_account)
    problem: PartnerError | None = None
    number = 0
    try:
        number = local_copy.refresh(found, timezone.now())
    except PartnerError as raised:
        problem = raised
    if request.headers.get("HX-Request") == "true":
        found.refresh_from_db()
        context = {"partner": partner, "ad_account": found, "page": local_copy.search(found), "is_first": True}
        return render(request, "integrations/_audience_options.html", {**context, "problem": problem})
    if problem:
        say_why(request, partner, problem)
    else:
        sentence = ngettext("{number} audience read.", "{number} audiences read.", number)
        messages.success(request, sentence.format(number=f"{number:,}"))
    return redirect("integrations:partner", workspace=workspace.slug, partner=partner.slug)
