"""A Canvas' settings as a row of sections, each saved by itself; the last one sums them up."""

from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_http_methods

from canvas import editing, launching, saying
from canvas.forms.canvas import SECTIONS, BasicsForm
from canvas.models import Canvas
from canvas.reading import cards
from integrations.problems import seen_by
from pinsync.workspaces.access import WorkspaceRequest, workspace_view
from pinsync.workspaces.models import Role, Workspace

# In Braze's order. “Build” is the journey page; a name that is no section of the forms leads to a page of its own.
STEPS: dict[str, str | Promise] = {
    "basics": _("Basics"),
    "schedule": _("Entry Schedule"),
    "target": _("Target Audience"),
    "send": _("Send Settings"),
    "build": _("Build"),
    "summary": _("Summary"),
}
HINTS: dict[str, str | Promise] = {
    "basics": _("A name, a description and tags to find it by."),
    "schedule": _("When users enter, and what lets them in."),
    "target": _("Which of your users may enter."),
    "send": _("Whether users enter again, and what lets them out before the end."),
}


@workspace_view(Role.EDITOR)
@require_http_methods(["GET", "POST"])
def create(request: WorkspaceRequest, workspace: Workspace) -> HttpResponse:
    """Begin with the basics; from then on there is a draft."""
    form = BasicsForm(workspace, request.POST or None)
    if not form.is_valid():
        status = 422 if form.is_bound else 200
        return render(request, "canvas/settings/page.html", _context(None, "basics") | {"form": form}, status=status)
    canvas = editing.create(form.save(commit=False), request.user, timezone.now())
    return redirect("canvas:settings", workspace=workspace.slug, canvas=canvas.pk, section="schedule")


@workspace_view(Role.EDITOR)
@require_GET
def edit(request: WorkspaceRequest, workspace: Workspace, canvas: int) -> HttpResponse:
    found = get_object_or_404(Canvas, workspace=workspace, pk=canvas)
    return redirect("canvas:settings", workspace=workspace.slug, canvas=found.pk, section="basics")


@workspace_view(Role.EDITOR)
@require_http_methods(["GET", "POST"])
def settings(request: WorkspaceRequest, workspace: Workspace, canvas: int, section: str) -> HttpResponse:
    """Show or save one section. For htmx, which sends every change, the answer says only whether it is saved."""
    if section not in SECTIONS:
        raise Http404
    found = get_object_or_404(
        Canvas.objects.select_related("segment", "source_import", "exit_segment"), workspace=workspace, pk=canvas
    )
    found.workspace = workspace
    name = found.name
    form = SECTIONS[section](workspace, request.POST or None, instance=found)
    is_fragment = request.headers.get("HX-Request") == "true"
    if request.method == "POST" and form.is_valid():
        editing.change(form.save(commit=False), request.user, timezone.now(), section_fields(form))
        if is_fragment:
            return render(request, "canvas/settings/_saved.html", {"now": timezone.now()})
        return redirect(_next(workspace, found, section))
    status = 422 if form.is_bound else 200
    if is_fragment and form.is_bound:
        return render(request, "canvas/settings/_saved.html", {"form": form}, status=status)
    context = _context(found, section) | {"form": form, "name": name}
    return render(request, "canvas/settings/page.html", context, status=status)


@workspace_view(Role.VIEWER)
@require_GET
def summary(request: WorkspaceRequest, workspace: Workspace, canvas: int) -> HttpResponse:
    found = get_object_or_404(
        Canvas.objects.select_related("segment", "source_import", "exit_segment"), workspace=workspace, pk=canvas
    )
    found.workspace = workspace
    drawn, now = cards(found), timezone.now()
    of_steps = [(card.step, card.problems) for card in drawn]
    archived = found.state == Canvas.State.ARCHIVED
    context = _context(found, "summary") | {
        "name": found.name,
        "cards": drawn,
        "facts": [
            ("schedule", _("Entry"), saying.entry(found)),
            ("target", _("Target audience"), saying.target(found)),
            ("send", _("Re-entry"), saying.reentry(found)),
            ("send", _("Exit criteria"), saying.exits(found)),
        ],
        "problems": seen_by(request.member, [] if archived else launching.problems(found, now, of_steps)),
        "progress": launching.progress(found, now),
        "may_edit": request.member.may(Role.EDITOR),
    }
    return render(request, "canvas/settings/summary.html", context)


def section_fields(form: BasicsForm | Any) -> list[str]:
    """Return the columns of the Canvas that a section writes."""
    columns = {"target": ["segment", "source_import"]}
    return [column for name in form.fields for column in columns.get(name, [name])]


def _next(workspace: Workspace, canvas: Canvas, section: str) -> str:
    order = list(STEPS)
    following = order[order.index(section) + 1]
    if following == "build":
        return reverse("canvas:detail", args=[workspace.slug, canvas.pk])
    return reverse("canvas:settings", args=[workspace.slug, canvas.pk, following])


def _context(canvas: Canvas | None, section: str) -> dict[str, Any]:
    hint = HINTS.get(section, "")
    return {"canvas": canvas, "section": section, "sections": STEPS, "hint": hint, "may_edit": True}
