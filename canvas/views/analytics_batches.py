"""The batches of a step, and one batch with who was in it."""

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from canvas.analytics import batch_list
from canvas.analytics import batches as one_batch
from canvas.views.analytics import find_step
from pinsync.ids import row_id
from pinsync.workspaces.access import WorkspaceRequest, workspace_view
from pinsync.workspaces.models import Role, Workspace


@workspace_view(Role.VIEWER)
@require_GET
def batches(request: WorkspaceRequest, workspace: Workspace, canvas: int, step: int) -> HttpResponse:
    found = find_step(workspace, canvas, step)
    if found.sync is None:
        raise Http404
    outcome, before = request.GET.get("outcome", ""), row_id(request.GET.get("before", ""))
    is_known = outcome in batch_list.OUTCOMES
    context = {
        "canvas": found.canvas,
        "step": found,
        "outcomes": [(key, label) for key, (label, _sql) in batch_list.OUTCOMES.items()],
        "outcome": outcome,
        "is_known": is_known,
        "page": batch_list.batches(found.sync, outcome, before=before or 0) if is_known else None,
        "paged": before is not None,
    }
    return render(request, "canvas/analytics/batches.html", context)


@workspace_view(Role.VIEWER)
@require_GET
def batch(request: WorkspaceRequest, workspace: Workspace, batch: int) -> HttpResponse:
    found = one_batch.find(workspace, batch)
    if found is None:
        raise Http404
    page = one_batch.page_of(found, request.GET.get("after", ""))
    context = {
        "batch": found,
        "page": page,
        "came_from": one_batch.came_from(page, row_id(request.GET.get("step", ""))),
        "paged": bool(request.GET.get("after")),
        "may_edit": request.member.may(Role.EDITOR),
    }
    return render(request, "canvas/analytics/batch.html", context)
