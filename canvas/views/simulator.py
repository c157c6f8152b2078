"""The simulator: launch a journey, watch it, and break the playground meanwhile."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from canvas import building, launching, simulator, watching
from canvas.analytics import METRICS
from canvas.forms.simulator import SimulatorForm
from canvas.models import SimulatorRun
from canvas.scenarios import runs
from canvas.views.analytics import unless_known
from integrations.contract import Playground
from integrations.errors import PartnerError
from integrations.models import AdAccount
from pinsync.ids import row_id
from pinsync.workspaces.access import WorkspaceRequest, workspace_view
from pinsync.workspaces.models import Role, Workspace

RUNS_SHOWN = 10


@workspace_view(Role.VIEWER)
@require_http_methods(["GET", "HEAD"])
def simulator_page(request: WorkspaceRequest, workspace: Workspace) -> HttpResponse:
    return _page(request, workspace, SimulatorForm(workspace, _accounts(workspace)))


@workspace_view(Role.EDITOR)
@require_POST
def launch(request: WorkspaceRequest, workspace: Workspace) -> HttpResponse:
    form = SimulatorForm(workspace, _accounts(workspace), request.POST)
    if not form.is_valid():
        return _page(request, workspace, form, status=422)
    canvas = form.chosen
    if canvas is None:
        try:
            canvas = simulator.fresh_canvas(
                form.cleaned_data["ad_account"],
                form.cleaned_data["audience"],
                form.match_fields,
                user=request.user,
                now=timezone.now(),
            )
        except building.CannotBuild as problem:
            form.add_error("audience", str(problem))
            return _page(request, workspace, form, status=422)
        except launching.NotReady as refusal:
            form.add_error("canvas", [problem.text for problem in refusal.problems])
            return _page(request, workspace, form, status=422)
    run = simulator.start(canvas, form.order(), user=request.user, now=timezone.now())
    return redirect("canvas:simulator_run", workspace=workspace.slug, simulation=run.pk)


@workspace_view(Role.VIEWER)
@require_GET
def run_page(request: WorkspaceRequest, workspace: Workspace, simulation: int) -> HttpResponse:
    found = _run(workspace, simulation)
    context = {**_live(found), "may_launch": request.member.may(Role.EDITOR)}
    return render(request, "canvas/simulator/run.html", context)


@workspace_view(Role.VIEWER)
@require_GET
def run_live(request: WorkspaceRequest, workspace: Workspace, simulation: int) -> HttpResponse:
    found = _run(workspace, simulation)
    context = {**_live(found), "live": True, "seen": request.GET.get("seen", "")}
    return unless_known(request, render(request, "canvas/simulator/_live.html", context))


@workspace_view(Role.EDITOR)
@require_POST
def stop(request: WorkspaceRequest, workspace: Workspace, simulation: int) -> HttpResponse:
    found = _run(workspace, simulation)
    if simulator.stop(found, user=request.user, now=timezone.now()):
        messages.success(request, _("Stopped. Who has entered goes on."))
    return redirect("canvas:simulator_run", workspace=workspace.slug, simulation=found.pk)


@workspace_view(Role.VIEWER)
@require_GET
def traffic(request: WorkspaceRequest, workspace: Workspace) -> HttpResponse:
    """Show what the playground saw and holds: a fragment of its own, for it asks another process."""
    partner = watching.partner_of(workspace)
    ground = partner.playground()
    watched = _watched(request, workspace)
    now = timezone.now()
    context: dict[str, object] = {"partner": partner, "ground": ground, "watched": watched}
    if ground is not None:
        try:
            context["traffic"] = watching.traffic(workspace, partner, ground, now)
            if watched is not None:
                scene = watching.scene_of(watched, now)
                # A page that has not drawn the latest Canvas yet has no place for the numbers of its audience.
                if request.GET.get("seen") in (None, str(len(scene.pictures))):
                    context["agreements"] = watching.agreements(ground, partner, scene.counts)
        except PartnerError:
            context["silent"] = True
    return unless_known(request, render(request, "canvas/simulator/_traffic.html", context))


@workspace_view(Role.EDITOR)
@require_GET
def faults(request: WorkspaceRequest, workspace: Workspace) -> HttpResponse:
    return _faults(request, workspace)


@workspace_view(Role.EDITOR)
@require_POST
def break_it(request: WorkspaceRequest, workspace: Workspace) -> HttpResponse:
    ground = watching.partner_of(workspace).playground()
    told = None
    if ground is not None:
        told = watching.break_it(ground, request.POST.get("fault", ""), request.POST.dict())
    return _faults(request, workspace, told)


@workspace_view(Role.EDITOR)
@require_POST
def mend(request: WorkspaceRequest, workspace: Workspace) -> HttpResponse:
    ground = watching.partner_of(workspace).playground()
    told = None
    if ground is not None:
        try:
            name = request.POST.get("fault", "")
            ground.mend(name=name)
            told = (True, _("Mended.") if name else _("Everything that can be mended is mended."))
        except PartnerError:
            told = (False, str(watching.SILENT))
    return _faults(request, workspace, told)


def _faults(request: WorkspaceRequest, workspace: Workspace, told: tuple[bool, str] | None = None) -> HttpResponse:
    partner = watching.partner_of(workspace)
    ground: Playground | None = partner.playground()
    watched = _watched(request, workspace)
    context: dict[str, object] = {"partner": partner, "ground": ground, "told": told, "watched": watched}
    if ground is not None:
        canvas = watched.canvases[-1] if watched and watched.canvases else None
        try:
            refused = request.POST.dict() if told and not told[0] else None
            found = watching.switches(workspace, ground, canvas, refused)
            context["switches"] = [switch for switch in found if not switch.fault.at_once]
            context["deeds"] = [switch for switch in found if switch.fault.at_once]
        except PartnerError:
            context["silent"] = True
    return render(request, "canvas/simulator/_faults.html", context)


def _watched(request: WorkspaceRequest, workspace: Workspace) -> watching.Watched | None:
    """Return what the page that asks is about."""
    asked = request.GET or request.POST
    run, story = row_id(asked.get("run", "")), row_id(asked.get("story", ""))
    if run is not None:
        found = simulator.runs_of(workspace).select_related("canvas__workspace").filter(pk=run).first()
        return watching.watched_run(found) if found else None
    if story is not None:
        told = runs.runs_of(workspace).filter(pk=story).first()
        return watching.watched_story(told) if told else None
    return None


def _page(request: WorkspaceRequest, workspace: Workspace, form: SimulatorForm, status: int = 200) -> HttpResponse:
    context = {
        "form": form,
        "runs": simulator.runs_of(workspace)[:RUNS_SHOWN],
        "partner": watching.partner_of(workspace),
        "may_launch": request.member.may(Role.EDITOR),
    }
    return render(request, "canvas/simulator/page.html", context, status=status)


def _accounts(workspace: Workspace) -> list[AdAccount]:
    try:
        return building.usable_ad_accounts(building.connection_in_use(workspace))
    except building.CannotBuild:
        return []


def _run(workspace: Workspace, pk: int) -> SimulatorRun:
    return get_object_or_404(simulator.runs_of(workspace).select_related("canvas__workspace", "users"), pk=pk)


def _live(run: SimulatorRun) -> dict[str, object]:
    return {"run": run, **stage_context(watching.watched_run(run), run.canvas.workspace)}


def stage_context(watched: watching.Watched, workspace: Workspace) -> dict[str, object]:
    """Return what the stage of a live page shows."""
    partner = watching.partner_of(workspace)
    scene = watching.scene_of(watched, timezone.now())
    return {
        "watched": watched,
        "scene": scene,
        "counts": scene.counts if partner.playground() else [],
        "tiles": [(key, METRICS[key], value) for key, value in scene.tiles],
        "chart": watching.over_time(watched, scene),
        "levels": scene.levels(watched.samples) if not watched.is_over else {"in": 0, "out": 0},
        "partner": partner,
    }
