"""The simulator: launch a journey, watch it, and break the playground meanwhile."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from canvas import building, launching, simulator, watching
from canvas.analytics import figures_of
from canvas.forms.simulator import SimulatorForm
from canvas.models import SimulatorRun
from integrations.contract import Playground
from integrations.errors import PartnerError
from integrations.models import AdAccount
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
    return render(request, "canvas/simulator/run.html", {**_live(found), "may_launch": request.member.may(Role.EDITOR)})


@workspace_view(Role.VIEWER)
@require_GET
def run_live(request: WorkspaceRequest, workspace: Workspace, simulation: int) -> HttpResponse:
    found = _run(workspace, simulation)
    context = {**_live(found), "may_launch": request.member.may(Role.EDITOR)}
    return render(request, "canvas/simulator/_live.html", context)


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
    """Show what the playground saw: a fragment of its own, for it asks another process."""
    partner = watching.partner_of(workspace)
    ground = partner.playground()
    context: dict[str, object] = {
        "partner": partner,
        "ground": ground,
        "may_launch": request.member.may(Role.EDITOR),
        "run": request.GET.get("run", ""),
    }
    if ground is not None:
        try:
            context["traffic"] = watching.traffic(workspace, partner, ground, timezone.now())
        except PartnerError:
            context["silent"] = True
    return render(request, "canvas/simulator/_traffic.html", context)


@workspace_view(Role.EDITOR)
@require_GET
def faults(request: WorkspaceRequest, workspace: Workspace) -> HttpResponse:
    return _faults(request, workspace, request.GET.get("run", ""))


@workspace_view(Role.EDITOR)
@require_POST
def break_it(request: WorkspaceRequest, workspace: Workspace) -> HttpResponse:
    ground = watching.partner_of(workspace).playground()
    told = None
    if ground is not None:
        told = watching.break_it(ground, request.POST.get("fault", ""), request.POST.dict())
    return _faults(request, workspace, request.POST.get("run", ""), told)


@workspace_view(Role.EDITOR)
@require_POST
def mend(request: WorkspaceRequest, workspace: Workspace) -> HttpResponse:
    ground = watching.partner_of(workspace).playground()
    told = None
    if ground is not None:
        try:
            ground.mend()
            told = (True, _("Everything that can be mended is mended."))
        except PartnerError as problem:
            told = (False, str(problem))
    return _faults(request, workspace, request.POST.get("run", ""), told)


def _faults(
    request: WorkspaceRequest, workspace: Workspace, run: str, told: tuple[bool, str] | None = None
) -> HttpResponse:
    partner = watching.partner_of(workspace)
    ground: Playground | None = partner.playground()
    watched = simulator.runs_of(workspace).filter(pk=run).first() if run.isdecimal() else None
    context: dict[str, object] = {"partner": partner, "ground": ground, "told": told, "run": run}
    if ground is not None:
        try:
            context["knobs"] = watching.knobs(workspace, ground, watched.canvas if watched else None)
        except PartnerError:
            context["silent"] = True
    return render(request, "canvas/simulator/_faults.html", context)


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
        connection = building.connection_in_use(workspace)
    except building.CannotBuild:
        return []
    usable = AdAccount.objects.filter(connection=connection, state=AdAccount.State.CONNECTED, may_write=True)
    return list(usable.select_related("connection"))


def _run(workspace: Workspace, pk: int) -> SimulatorRun:
    return get_object_or_404(simulator.runs_of(workspace).select_related("canvas__workspace", "users"), pk=pk)


def _live(run: SimulatorRun) -> dict[str, object]:
    return {"run": run, "steps": figures_of(run.canvas), "chart": watching.over_time(run, timezone.now())}
