"""The step editor, and the places of steps in the row."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from canvas import editing
from canvas.forms.steps import AddStepForm, MoveStepForm
from canvas.models import Canvas, Step
from canvas.reading import steps_of
from canvas.steps import kind_of
from canvas.steps.base import Editor
from pinsync.workspaces.access import WorkspaceRequest, workspace_view
from pinsync.workspaces.models import Role, Workspace


@workspace_view(Role.EDITOR)
@require_http_methods(["GET", "POST"])
def step(request: WorkspaceRequest, workspace: Workspace, canvas: int, step: int) -> HttpResponse:
    """Show or submit a step's editor: as a page, or for htmx as the dialog or its content."""
    found = get_object_or_404(steps_of(_canvas(workspace, canvas)), pk=step)
    kind = kind_of(found)
    if request.method == "GET":
        return _editor(request, found, kind.open(found))
    editor = kind.submit(found, request.POST, user=request.user, now=timezone.now())
    if not editor.done:
        return _editor(request, found, editor)
    messages.success(request, _("“%(step)s” was saved.") % {"step": Step.objects.get(pk=found.pk).name})
    page = reverse("canvas:detail", args=[workspace.slug, canvas])
    if request.headers.get("HX-Request") == "true":
        return HttpResponse(headers={"HX-Redirect": page})
    return redirect(page)


@workspace_view(Role.EDITOR)
@require_POST
def add(request: WorkspaceRequest, workspace: Workspace, canvas: int) -> HttpResponse:
    found = _canvas(workspace, canvas)
    form = AddStepForm(request.POST)
    if form.is_valid():
        try:
            editing.add_step(found, form.cleaned_data["kind"], position=form.cleaned_data["position"])
        except editing.NotDraft:
            _refuse(request)
    return _back(workspace, found)


@workspace_view(Role.EDITOR)
@require_POST
def move(request: WorkspaceRequest, workspace: Workspace, canvas: int, step: int) -> HttpResponse:
    found = get_object_or_404(steps_of(_canvas(workspace, canvas)), pk=step)
    form = MoveStepForm(request.POST)
    if form.is_valid():
        try:
            editing.move_step(found, by=-1 if form.cleaned_data["to"] == "up" else 1)
        except editing.NotDraft:
            _refuse(request)
    return _back(workspace, found.canvas)


@workspace_view(Role.EDITOR)
@require_POST
def delete(request: WorkspaceRequest, workspace: Workspace, canvas: int, step: int) -> HttpResponse:
    found = get_object_or_404(steps_of(_canvas(workspace, canvas)), pk=step)
    try:
        editing.delete_step(found)
        messages.success(request, _("“%(step)s” was deleted.") % {"step": found.name})
    except editing.NotDraft:
        _refuse(request)
    return _back(workspace, found.canvas)


def _canvas(workspace: Workspace, pk: int) -> Canvas:
    return get_object_or_404(Canvas, workspace=workspace, pk=pk)


def _refuse(request: WorkspaceRequest) -> None:
    messages.error(request, _("This Canvas was launched; its journey stays as it is."))


def _back(workspace: Workspace, canvas: Canvas) -> HttpResponse:
    return redirect("canvas:detail", workspace=workspace.slug, canvas=canvas.pk)


def _editor(request: WorkspaceRequest, step: Step, editor: Editor) -> HttpResponse:
    asked_by = request.headers.get("HX-Target", "") if request.headers.get("HX-Request") == "true" else ""
    template = {"step-editor": "canvas/_editor.html", "editor": "canvas/_editor_dialog.html"}
    context = {"step": step, "canvas": step.canvas, "kind": kind_of(step), "editor": editor, "form": editor.form}
    status = 422 if editor.form.is_bound and editor.form.errors else 200
    return render(request, template.get(asked_by, "canvas/step.html"), context, status=status)
