"""Bring users in by CSV: upload, watch, and read what was wrong."""

from collections.abc import Iterator
from itertools import chain

from django.contrib import messages
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from pinsync.ids import row_id
from pinsync.profiles.forms import UploadForm
from pinsync.profiles.importing import cancel, start_import
from pinsync.profiles.models import Import, ImportProblem
from pinsync.spreadsheets import csv_lines
from pinsync.workspaces.access import WorkspaceRequest, workspace_view
from pinsync.workspaces.models import Role, Workspace

RUNS_SHOWN = 20
PROBLEMS_PER_PAGE = 50


@workspace_view(Role.EDITOR)
@require_http_methods(["GET", "POST"])
def imports(request: WorkspaceRequest, workspace: Workspace) -> HttpResponse:
    form = UploadForm(request.POST or None, request.FILES or None) if request.method == "POST" else UploadForm()
    if form.is_valid():
        upload = form.cleaned_data["file"]
        run = start_import(workspace, upload.name, upload, request.user, now=timezone.now())
        messages.success(request, _("The file is here; its rows are being imported."))
        return redirect("profiles:import_run", workspace=workspace.slug, run=run.pk)
    runs = Import.objects.filter(workspace=workspace).select_related("created_by").order_by("-id")[:RUNS_SHOWN]
    context = {"form": form, "runs": runs, "is_busy": any(run.may_cancel for run in runs)}
    return render(request, "profiles/imports.html", context, status=422 if form.errors else 200)


@workspace_view(Role.VIEWER)
@require_GET
def import_run(request: WorkspaceRequest, workspace: Workspace, run: int) -> HttpResponse:
    one = get_object_or_404(Import.objects.select_related("created_by"), workspace=workspace, pk=run)
    after = row_id(request.GET.get("after", ""))
    problems = one.problems.order_by("line", "id")
    if after is not None:
        problems = problems.filter(line__gt=after)
    page = list(problems[: PROBLEMS_PER_PAGE + 1])
    more = page[PROBLEMS_PER_PAGE - 1].line if len(page) > PROBLEMS_PER_PAGE else None
    context = {
        "run": one,
        "problems": page[:PROBLEMS_PER_PAGE],
        "more": more,
        "may_edit": request.member.may(Role.EDITOR),
    }
    return render(request, "profiles/import_run.html", context)


@workspace_view(Role.VIEWER)
@require_GET
def import_progress(request: WorkspaceRequest, workspace: Workspace, run: int) -> HttpResponse:
    """Return the figures of a run; once it has ended, ask for the whole page, which then has its problems."""
    one = get_object_or_404(Import.objects.select_related("created_by"), workspace=workspace, pk=run)
    context = {"run": one, "may_edit": request.member.may(Role.EDITOR)}
    response = render(request, "profiles/import_progress.html", context)
    if one.finished_at:
        response["HX-Refresh"] = "true"
    return response


@workspace_view(Role.EDITOR)
@require_POST
def import_cancel(request: WorkspaceRequest, workspace: Workspace, run: int) -> HttpResponse:
    one = get_object_or_404(Import.objects.select_related("workspace"), workspace=workspace, pk=run)
    if cancel(one, request.user, now=timezone.now()):
        messages.success(request, _("The import is cancelled. What was taken stays."))
    else:
        messages.info(request, _("Nothing to cancel: the import had ended."))
    return redirect("profiles:import_run", workspace=workspace.slug, run=one.pk)


@workspace_view(Role.VIEWER)
@require_GET
def import_problems(request: WorkspaceRequest, workspace: Workspace, run: int) -> StreamingHttpResponse:
    """Return line and reason of every row that was not taken, as CSV; nothing of its content."""
    one = get_object_or_404(Import, workspace=workspace, pk=run)
    lines = _problem_lines(one, translation.get_language())
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="import-{one.pk}-problems.csv"'
    return response


def _problem_lines(run: Import, language: str | None) -> Iterator[str]:
    problems = ImportProblem.objects.filter(run=run).order_by("line", "id")
    with translation.override(language):  # a stream begins when the request's language is over
        heading = ((_("Line"), _("Reason")),)
        rows = ((str(problem.line), problem.sentence) for problem in problems.iterator(chunk_size=2_000))
        yield from csv_lines(chain(heading, rows))
