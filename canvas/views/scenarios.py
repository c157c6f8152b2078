"""Scenarios: cards to choose from, and the page on which one is told."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from canvas import watching
from canvas.models import ScenarioRun
from canvas.picture import Scene
from canvas.scenarios import runs, scenarios, telling
from canvas.views.analytics import unless_known
from canvas.views.simulator import stage_context
from pinsync.workspaces.access import WorkspaceRequest, workspace_view
from pinsync.workspaces.models import Role, Workspace

TOLD_SHOWN = 50  # runs looked through for each scenario's latest


@workspace_view(Role.VIEWER)
@require_http_methods(["GET", "HEAD"])
def scenario_cards(request: WorkspaceRequest, workspace: Workspace) -> HttpResponse:
    latest: dict[str, ScenarioRun] = {}
    for run in runs.runs_of(workspace)[:TOLD_SHOWN]:
        latest.setdefault(run.scenario, run)
    partner = watching.partner_of(workspace)
    context = {
        "partner": partner,
        "ground": partner.playground(),
        "going_on": runs.unfinished(workspace),
        "cards": [
            (scenario, latest.get(slug), request.member.may(scenario.role)) for slug, scenario in scenarios().items()
        ],
        "may_launch": request.member.may(Role.EDITOR),
    }
    return render(request, "canvas/simulator/scenarios.html", context)


@workspace_view(Role.EDITOR)
@require_POST
def start(request: WorkspaceRequest, workspace: Workspace) -> HttpResponse:
    scenario = scenarios().get(request.POST.get("scenario", ""))
    if scenario is None:
        messages.error(request, _("There is no such scenario."))
        return redirect("canvas:scenarios", workspace=workspace.slug)
    try:
        run = runs.start(workspace, scenario, user=request.user, now=timezone.now())
    except runs.CannotStart as refusal:
        messages.error(request, str(refusal))
        return redirect("canvas:scenarios", workspace=workspace.slug)
    return redirect("canvas:story", workspace=workspace.slug, story=run.pk)


@workspace_view(Role.VIEWER)
@require_GET
def story(request: WorkspaceRequest, workspace: Workspace, story: int) -> HttpResponse:
    found = get_object_or_404(runs.runs_of(workspace), pk=story)
    context = {**_live(found, workspace), "may_launch": request.member.may(Role.EDITOR)}
    return render(request, "canvas/simulator/story.html", context)


@workspace_view(Role.VIEWER)
@require_GET
def story_live(request: WorkspaceRequest, workspace: Workspace, story: int) -> HttpResponse:
    found = get_object_or_404(runs.runs_of(workspace), pk=story)
    context = {**_live(found, workspace), "live": True, "seen": request.GET.get("seen", "")}
    return unless_known(request, render(request, "canvas/simulator/_live.html", context))


@workspace_view(Role.EDITOR)
@require_POST
def cancel(request: WorkspaceRequest, workspace: Workspace, story: int) -> HttpResponse:
    found = get_object_or_404(runs.runs_of(workspace), pk=story)
    if runs.cancel(found, user=request.user, now=timezone.now()):
        messages.success(request, _("Cancelled. What the story broke is mended within seconds."))
    return redirect("canvas:story", workspace=workspace.slug, story=found.pk)


def _live(run: ScenarioRun, workspace: Workspace) -> dict[str, object]:
    held, made = telling.checks_of(run)
    stage = stage_context(watching.watched_story(run), workspace)
    return {
        "story": run,
        "scenario": telling.scenario_of(run),
        "lines": telling.lines_of(run, _figures(stage["scene"])),
        "held": held,
        "made": made,
        **stage,
    }


def _figures(scene: object) -> dict[str, int]:
    """Return the latest Canvas' figures as they are: the line that waits says what the numbers beside it say."""
    assert isinstance(scene, Scene)
    if not scene.pictures or not scene.pictures[-1].steps:
        return {}
    metrics = scene.pictures[-1].steps[0].metrics
    return {"entered": metrics.entered, "synced": metrics.synced, "pending": metrics.pending}
