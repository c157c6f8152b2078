"""The list of Canvases, a new one, and the journey page."""

from django.core.paginator import Paginator
from django.db.models import OuterRef, Q, Subquery
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from canvas import editing, launching
from canvas.forms.canvas import CanvasForm
from canvas.models import Canvas, Move, StepTotals
from canvas.reading import cards
from canvas.steps import kinds
from pinsync.workspaces.access import WorkspaceRequest, workspace_view
from pinsync.workspaces.models import Role, Workspace

CANVASES_PER_PAGE = 50
MOVES_SHOWN = 10


@workspace_view(Role.VIEWER)
@require_GET
def canvases(request: WorkspaceRequest, workspace: Workspace) -> HttpResponse:
    text, archived = request.GET.get("q", "").strip(), request.GET.get("show") == "archived"
    entered = StepTotals.objects.filter(step__canvas=OuterRef("pk"), step__position=1).values("entered")[:1]
    found = Canvas.objects.filter(workspace=workspace).annotate(entered=Subquery(entered)).order_by("-id")
    found = found.filter(state="archived") if archived else found.exclude(state="archived")
    if text:
        found = found.filter(Q(name__icontains=text) | Q(tags__icontains=text))
    context = {
        "page": Paginator(found, CANVASES_PER_PAGE).get_page(request.GET.get("page")),
        "text": text,
        "archived": archived,
        "may_edit": request.member.may(Role.EDITOR),
    }
    return render(request, "canvas/list.html", context)


@workspace_view(Role.EDITOR)
@require_http_methods(["GET", "POST"])
def create(request: WorkspaceRequest, workspace: Workspace) -> HttpResponse:
    form = CanvasForm(workspace, request.POST or None)
    if not form.is_valid():
        return render(request, "canvas/edit.html", {"form": form})
    canvas = editing.create(form.save(commit=False), request.user, timezone.now())
    return redirect("canvas:detail", workspace=workspace.slug, canvas=canvas.pk)


@workspace_view(Role.EDITOR)
@require_http_methods(["GET", "POST"])
def edit(request: WorkspaceRequest, workspace: Workspace, canvas: int) -> HttpResponse:
    found = get_object_or_404(Canvas, workspace=workspace, pk=canvas)
    name = found.name
    form = CanvasForm(workspace, request.POST or None, instance=found)
    if not form.is_valid():
        return render(request, "canvas/edit.html", {"form": form, "canvas": found, "name": name})
    editing.change(form.save(commit=False), request.user, timezone.now())
    return redirect("canvas:detail", workspace=workspace.slug, canvas=found.pk)


@workspace_view(Role.VIEWER)
@require_GET
def detail(request: WorkspaceRequest, workspace: Workspace, canvas: int) -> HttpResponse:
    found = get_object_or_404(Canvas.objects.select_related("segment", "source_import"), workspace=workspace, pk=canvas)
    found.workspace = workspace
    drafted = found.state == Canvas.State.DRAFT
    problems = [] if found.state == Canvas.State.ARCHIVED else launching.problems(found, timezone.now())
    may_edit = request.member.may(Role.EDITOR)
    context = {
        "canvas": found,
        "cards": cards(found),
        "kinds": kinds().values(),
        "problems": problems,
        "moves": Move.objects.filter(canvas=found).select_related("step").order_by("-id")[:MOVES_SHOWN],
        "may_edit": may_edit,
        "may_build": may_edit and drafted,
    }
    return render(request, "canvas/detail.html", context)
