"""Launch, stop, resume, archive; and what a launch would mean."""

from collections.abc import Callable
from datetime import datetime

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_GET, require_POST

from canvas import launching, previewing
from canvas.models import Canvas
from pinsync.profiles.filters import FilterError
from pinsync.profiles.matching import LABELS
from pinsync.workspaces.access import WorkspaceRequest, workspace_view
from pinsync.workspaces.models import Role, User, Workspace

Move = Callable[[Canvas, User, datetime], None]
MOVES: dict[str, tuple[Move, str | Promise]] = {
    "launch": (launching.launch, gettext_lazy("“%(name)s” is launched.")),
    "stop": (launching.stop, gettext_lazy("“%(name)s” is stopped. Who is pending is still sent.")),
    "resume": (launching.resume, gettext_lazy("“%(name)s” is active again.")),
    "archive": (launching.archive, gettext_lazy("“%(name)s” is archived.")),
    "unarchive": (launching.unarchive, gettext_lazy("“%(name)s” is back from the archive.")),
}


@workspace_view(Role.EDITOR)
@require_POST
def change_state(request: WorkspaceRequest, workspace: Workspace, canvas: int, move: str) -> HttpResponse:
    found = get_object_or_404(Canvas.objects.select_related("workspace"), workspace=workspace, pk=canvas)
    change, said = MOVES[move]
    try:
        change(found, request.user, timezone.now())
        messages.success(request, said % {"name": found.name})
    except launching.NotReady as refusal:
        count = len(refusal.problems)
        said = ngettext("%(count)s problem stands in the way.", "%(count)s problems stand in the way.", count)
        messages.error(request, said % {"count": count})
    except launching.WrongState:
        messages.error(request, _("That is not possible any more: the Canvas has changed meanwhile."))
    return redirect("canvas:detail", workspace=workspace.slug, canvas=found.pk)


@workspace_view(Role.VIEWER)
@require_GET
def preview(request: WorkspaceRequest, workspace: Workspace, canvas: int) -> HttpResponse:
    found = get_object_or_404(Canvas.objects.select_related("workspace", "segment"), workspace=workspace, pk=canvas)
    try:
        counted = previewing.preview(found, timezone.now())
    except FilterError:
        counted = None  # the page lists it among the problems
    return render(request, "canvas/_preview.html", {"canvas": found, "preview": counted})


@workspace_view(Role.VIEWER)
@require_GET
def coverage(request: WorkspaceRequest, workspace: Workspace, canvas: int) -> HttpResponse:
    """Return what stands beside the match fields of an editor; each takes its place by its id."""
    found = get_object_or_404(Canvas.objects.select_related("workspace", "segment"), workspace=workspace, pk=canvas)
    try:
        counted = previewing.coverage(found, timezone.now())
    except FilterError:
        return HttpResponse(status=204)  # the journey page lists it among the problems
    fields = [(name, counted.percent(name)) for name in LABELS]
    return render(request, "canvas/_coverage.html", {"users": counted.users, "fields": fields})
