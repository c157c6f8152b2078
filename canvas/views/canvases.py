"""The list of Canvases, a copy of one, and the journey page."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from canvas import editing, launching, listing, saying
from canvas.models import Canvas, Move
from canvas.reading import cards
from canvas.steps import kinds
from canvas.views.settings import STEPS
from canvas.views.steps import UNDO
from integrations.problems import seen_by
from pinsync.ids import row_id
from pinsync.workspaces.access import WorkspaceRequest, workspace_view
from pinsync.workspaces.models import Role, Workspace

MOVES_SHOWN = 10
LONGEST_SEARCH = 120


@workspace_view(Role.VIEWER)
@require_GET
def canvases(request: WorkspaceRequest, workspace: Workspace) -> HttpResponse:
    text, state = request.GET.get("q", "").strip()[:LONGEST_SEARCH], request.GET.get("show", "")
    before = row_id(request.GET.get("before", ""))
    context = {
        "page": listing.page(workspace, state=state, text=text, before=before),
        "text": text,
        "state": state,
        "is_known": state in ("", *Canvas.State.values),
        "states": Canvas.State.choices,
        "paged": before is not None,
        "may_edit": request.member.may(Role.EDITOR),
    }
    return render(request, "canvas/list.html", context)


@workspace_view(Role.EDITOR)
@require_POST
def duplicate(request: WorkspaceRequest, workspace: Workspace, canvas: int) -> HttpResponse:
    found = get_object_or_404(Canvas.objects.select_related("workspace"), workspace=workspace, pk=canvas)
    copy = editing.duplicate(found, request.user, timezone.now())
    messages.success(request, _("This is a copy of “%(name)s”, as a draft.") % {"name": found.name})
    return redirect("canvas:detail", workspace=workspace.slug, canvas=copy.pk)


@workspace_view(Role.VIEWER)
@require_GET
def detail(request: WorkspaceRequest, workspace: Workspace, canvas: int) -> HttpResponse:
    found = get_object_or_404(
        Canvas.objects.select_related("segment", "source_import", "exit_segment"), workspace=workspace, pk=canvas
    )
    found.workspace, now = workspace, timezone.now()
    drafted = found.state == Canvas.State.DRAFT
    drawn = cards(found)
    of_steps = [(card.step, card.problems) for card in drawn]
    archived = found.state == Canvas.State.ARCHIVED
    problems = [] if archived else launching.problems(found, now, of_steps)
    may_edit = request.member.may(Role.EDITOR)
    context = {
        "canvas": found,
        "cards": drawn,
        "kinds": kinds().values(),
        "problems": seen_by(request.member, problems),
        "entry": saying.entry(found),
        "target": saying.target(found),
        "progress": launching.progress(found, now),
        "sections": STEPS,
        "section": "build",
        "moves": Move.objects.filter(canvas=found).select_related("step").order_by("-id")[:MOVES_SHOWN],
        "may_edit": may_edit,
        "may_build": may_edit and drafted,
        "undo": _undo(request, found) if drafted else None,
    }
    return render(request, "canvas/detail.html", context)


def _undo(request: WorkspaceRequest, canvas: Canvas) -> dict[str, Any] | None:
    """Return, once, the step of this Canvas that was just deleted."""
    removed = request.session.get(UNDO)
    if not removed or removed["canvas"] != canvas.pk:
        return None
    del request.session[UNDO]
    return dict(removed)
