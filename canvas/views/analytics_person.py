"""Everything that happened to one user, page by page."""

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from canvas.analytics import person
from pinsync.profiles.models import Profile
from pinsync.workspaces.access import WorkspaceRequest, workspace_view
from pinsync.workspaces.models import Role, Workspace


@workspace_view(Role.VIEWER)
@require_GET
def history(request: WorkspaceRequest, workspace: Workspace, profile: int) -> HttpResponse:
    """Show the journeys and the audiences of a user; each of the two lists is paged by itself."""
    one = get_object_or_404(Profile, workspace=workspace, pk=profile)
    after, entries = request.GET.get("after", ""), request.GET.get("entries", "")
    context = {
        "profile": one,
        "page": person.happenings(one, after),
        "journeys": person.journeys(one, entries),
        "after": after,
        "entries": entries,
    }
    return render(request, "canvas/analytics/person.html", context)
