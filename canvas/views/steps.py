"""The step editor, and the places of steps in the row."""

from datetime import timedelta

from django.contrib import messages
from django.core import signing
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

UNDO = "canvas_undo"  # session key: what the next journey page offers to put back
UNDO_SALT = "canvas.steps.restore"
UNDO_FOR = timedelta(days=1)


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
    made: Step | None = None
    if form.is_valid():
        try:
            made = editing.add_step(found, form.cleaned_data["kind"], position=form.cleaned_data["position"])
        except editing.NotDraft:
            _refuse(request)
    return _back(workspace, found, made)


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
    return _back(workspace, found.canvas, found)


@workspace_view(Role.EDITOR)
@require_POST
def delete(request: WorkspaceRequest, workspace: Workspace, canvas: int, step: int) -> HttpResponse:
    """Delete a step; the next journey page says so and offers to put it back."""
    found = get_object_or_404(steps_of(_canvas(workspace, canvas)), pk=step)
    try:
        removed = editing.delete_step(found)
        token = signing.dumps(removed.as_dict(), salt=UNDO_SALT)
        request.session[UNDO] = {"canvas": canvas, "name": removed.name, "token": token}
    except editing.NotDraft:
        _refuse(request)
    return _back(workspace, found.canvas)


@workspace_view(Role.EDITOR)
@require_POST
def restore(request: WorkspaceRequest, workspace: Workspace, canvas: int) -> HttpResponse:
    """Put a deleted step back: what it was set to comes in the form, signed by us."""
    found = _canvas(workspace, canvas)
    back: Step | None = None
    try:
        removed = editing.Removed(**signing.loads(request.POST.get("token", ""), salt=UNDO_SALT, max_age=UNDO_FOR))
        if removed.canvas != found.pk:
            raise signing.BadSignature
        back = editing.restore_step(found, removed)
        messages.success(request, _("“%(step)s” is back at its place.") % {"step": back.name})
    except signing.BadSignature:
        messages.error(request, _("This cannot be undone any more. Add the step again."))
    except editing.NotDraft:
        _refuse(request)
    return _back(workspace, found, back)


def _canvas(workspace: Workspace, pk: int) -> Canvas:
    return get_object_or_404(Canvas, workspace=workspace, pk=pk)


def _refuse(request: WorkspaceRequest) -> None:
    messages.error(request, _("This Canvas was launched; its journey stays as it is."))


def _back(workspace: Workspace, canvas: Canvas, step: Step | None = None) -> HttpResponse:
    """Go to the journey page; there the keyboard and the eye go on at `step`."""
    page = reverse("canvas:detail", args=[workspace.slug, canvas.pk])
    return redirect(f"{page}#step-{step.pk}" if step else page)


def _editor(request: WorkspaceRequest, step: Step, editor: Editor) -> HttpResponse:
    asked_by = request.headers.get("HX-Target", "") if request.headers.get("HX-Request") == "true" else ""
    template = {"step-editor": "canvas/_editor.html", "editor": "canvas/_editor_dialog.html"}
    context = {"step": step, "canvas": step.canvas, "kind": kind_of(step), "editor": editor, "form": editor.form}
    status = 422 if editor.form.is_bound and editor.form.errors else 200
    return render(request, template.get(asked_by, "canvas/step.html"), context, status=status)
