"""Figures of a Canvas and of a step: pages, the fragments that keep them live, and downloads."""

import hashlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpResponse, HttpResponseBadRequest, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.cache import get_conditional_response
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from canvas.analytics import exporting, periods
from canvas.analytics.chart import draw
from canvas.analytics.figures import MEANINGS, METRICS, StepFigures, figures_of, read
from canvas.analytics.flow import flow_of
from canvas.analytics.history import history
from canvas.forms.moments import RangeForm
from canvas.models import Canvas, Step
from canvas.reading import steps_of
from canvas.steps import kind_of
from integrations import audiences, registry
from integrations.models import SyncReason
from integrations.reasons import NOT_SYNCED, reason
from pinsync.workspaces.access import WorkspaceRequest, workspace_view
from pinsync.workspaces.models import Role, Workspace


@workspace_view(Role.VIEWER)
@require_GET
def analytics(request: WorkspaceRequest, workspace: Workspace, canvas: int) -> HttpResponse:
    return render(request, "canvas/analytics/canvas.html", _canvas_context(workspace, canvas))


@workspace_view(Role.VIEWER)
@require_GET
def analytics_live(request: WorkspaceRequest, workspace: Workspace, canvas: int) -> HttpResponse:
    """Return the table alone."""
    return unless_known(request, render(request, "canvas/analytics/_figures.html", _canvas_context(workspace, canvas)))


@workspace_view(Role.VIEWER)
@require_GET
def cards_live(request: WorkspaceRequest, workspace: Workspace, canvas: int) -> HttpResponse:
    """Return the figures of all cards of the journey page; each takes the place of the one before by its id."""
    return unless_known(request, render(request, "canvas/analytics/_cards.html", _canvas_context(workspace, canvas)))


@workspace_view(Role.VIEWER)
@require_GET
def step_analytics(request: WorkspaceRequest, workspace: Workspace, canvas: int, step: int) -> HttpResponse:
    context = _step_context(request, workspace, canvas, step)
    return render(request, "canvas/analytics/step.html", context)


@workspace_view(Role.VIEWER)
@require_GET
def step_live(request: WorkspaceRequest, workspace: Workspace, canvas: int, step: int) -> HttpResponse:
    context = _step_context(request, workspace, canvas, step)
    return unless_known(request, render(request, "canvas/analytics/_step.html", context))


@workspace_view(Role.VIEWER)
@require_GET
def download_figures(request: WorkspaceRequest, workspace: Workspace, canvas: int, form: str) -> HttpResponseBase:
    found = get_object_or_404(Canvas, workspace=workspace, pk=canvas)
    if form == "json":
        return _json(f"canvas-{found.pk}-figures", exporting.figures_json(found, timezone.now()))
    return _download(form, f"canvas-{found.pk}-figures", csv=exporting.figures_csv(found), json=iter(()))


@workspace_view(Role.VIEWER)
@require_GET
def download_minutes(request: WorkspaceRequest, workspace: Workspace, canvas: int, form: str) -> HttpResponseBase:
    found = get_object_or_404(Canvas, workspace=workspace, pk=canvas)
    csv, json = exporting.minutes_csv(found), exporting.minutes_json(found)
    return _download(form, f"canvas-{found.pk}-minutes", csv=csv, json=json)


@workspace_view(Role.VIEWER)
@require_GET
def download_history(
    request: WorkspaceRequest, workspace: Workspace, canvas: int, step: int, form: str
) -> HttpResponseBase:
    """Hand out what the step's chart shows for the same choice of time."""
    found = find_step(workspace, canvas, step)
    if found.sync is None:
        raise Http404
    choice = periods.read(request.GET.dict())
    if choice.is_wrong:
        return HttpResponseBadRequest(_("That is no range of time: “from” must come before “to”."), "text/plain")
    shown = history(found.sync, choice, timezone.now())
    name = f"step-{found.pk}-{shown.range.began:%Y%m%dT%H%M}-{shown.range.ended:%Y%m%dT%H%M}"
    if form == "json":
        return _json(name, exporting.history_json(found, shown))
    return _download(form, name, csv=exporting.history_csv(shown), json=iter(()))


def find_step(workspace: Workspace, canvas: int, step: int) -> Step:
    """Return a step with its figures, or raise Http404."""
    return get_object_or_404(steps_of(canvas), pk=step, canvas__workspace=workspace)


def unless_known(request: WorkspaceRequest, response: HttpResponse) -> HttpResponse:
    """Answer 304 when the browser has exactly this already."""
    etag = f'"{hashlib.sha256(response.content).hexdigest()[:32]}"'
    response["ETag"] = etag
    known = get_conditional_response(request, etag=etag, response=response)
    assert isinstance(known, HttpResponse)
    return known


def _canvas_context(workspace: Workspace, canvas: int) -> dict[str, Any]:
    found = get_object_or_404(Canvas, workspace=workspace, pk=canvas)
    return {
        "canvas": found,
        "figures": figures_of(found),
        "metrics": METRICS.values(),
        "meanings": [(label, MEANINGS[key]) for key, label in METRICS.items()],
    }


def _step_context(request: WorkspaceRequest, workspace: Workspace, canvas: int, step: int) -> dict[str, Any]:
    found = find_step(workspace, canvas, step)
    figures = StepFigures(found, read(found))
    now = timezone.now()
    sync = found.sync
    context = {
        "canvas": found.canvas,
        "step": found,
        "figures": figures,
        "problems": kind_of(found).problems(found),
        "summary": kind_of(found).summary(found),
        "flow": flow_of(found, figures.metrics, now),
        "reasons": _reasons(found),
        "periods": periods.PERIODS,
        "may_edit": request.member.may(Role.EDITOR),
        "as_table": request.GET.get("view") == "table",
    }
    if sync is not None:
        context["progress"] = audiences.progress(sync)
        choice = periods.read(request.GET.dict())
        shown = history(sync, choice, now)
        typed = request.GET if choice.is_wrong else {"from": shown.range.began, "to": shown.range.ended}
        context |= {"choice": choice, "history": shown, "chart": draw(shown), "query": urlencode(choice.query)}
        context["range_form"] = RangeForm(dict(typed.items()))
    return context


def _reasons(step: Step) -> list[dict[str, Any]]:
    """Return why users are not synced or errored: the most frequent reason first."""
    if step.sync is None:
        return []
    called = registry.name_of(step.sync.partner)
    return [
        {
            "code": row.reason,
            "users": row.users,
            "reason": reason(row.reason, called),
            "state": "not_synced" if row.reason in NOT_SYNCED else "errored",
        }
        for row in SyncReason.objects.filter(sync=step.sync_id, users__gt=0).order_by("-users", "reason")
    ]


def _json(name: str, found: dict[str, Any]) -> JsonResponse:
    disposition = f'attachment; filename="{name}.json"'
    return JsonResponse(found, json_dumps_params={"ensure_ascii": False}, headers={"Content-Disposition": disposition})


def _download(form: str, name: str, *, csv: Iterator[str], json: Iterator[str]) -> StreamingHttpResponse:
    kinds = {"csv": ("text/csv; charset=utf-8", csv), "json": ("application/json", json)}
    if form not in kinds:
        raise Http404
    content_type, pieces = kinds[form]
    disposition = f'attachment; filename="{name}.{form}"'
    return StreamingHttpResponse(pieces, content_type=content_type, headers={"Content-Disposition": disposition})
