"""The users of the brand: the list, the search, one user."""

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET, require_http_methods

from pinsync.ids import row_id
from pinsync.profiles.finding import page_of, search
from pinsync.profiles.matching import LABELS, RECORD_COLUMNS
from pinsync.profiles.models import Profile
from pinsync.profiles.panels import panels
from pinsync.workspaces.access import WorkspaceRequest, workspace_view
from pinsync.workspaces.models import Role, Workspace


@workspace_view(Role.VIEWER)
@require_http_methods(["GET", "POST"])
def profile_list(request: WorkspaceRequest, workspace: Workspace) -> HttpResponse:
    """Show a page of users; a search comes as POST, so that no address stands in a URL or a log of them."""
    asked = request.POST if request.method == "POST" else request.GET
    text = asked.get("q", "")
    if text.strip():
        return render(request, "profiles/list.html", {"profiles": search(workspace, text), "q": text})
    before = row_id(request.GET.get("before", ""))
    page = page_of(Profile.objects.filter(workspace=workspace), before)
    context = {"profiles": page.profiles, "older": page.older, "paged": before is not None}
    return render(request, "profiles/list.html", context)


@workspace_view(Role.VIEWER)
@require_GET
def profile_detail(request: WorkspaceRequest, workspace: Workspace, profile: int) -> HttpResponse:
    """Show one user. Raw values are for those who may change things; others see which fields are usable."""
    one = get_object_or_404(Profile.objects.select_related("last_import"), workspace=workspace, pk=profile)
    raw = request.member.may(Role.EDITOR)
    fields = [
        {
            "label": label,
            "value": getattr(one, name) if raw else "",
            "filled": bool(getattr(one, name)),
            "usable": getattr(one, RECORD_COLUMNS[name]) is not None,
        }
        for name, label in LABELS.items()
    ]
    context = {"profile": one, "fields": fields, "raw": raw, "attributes": sorted(one.attributes.items())}
    return render(request, "profiles/detail.html", {**context, "panels": panels(one)})
