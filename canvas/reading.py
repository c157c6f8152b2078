"""What pages show of a Canvas and its steps."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.functional import Promise

from canvas.models import Canvas, Entry, Step
from canvas.steps import kind_of
from canvas.steps.base import StepKind
from integrations import registry
from integrations.models import Arrival, Audience, Batch, Connection, Delivery, Operation
from integrations.problems import Problem
from integrations.reasons import Reason, reason
from integrations.usage import Usage
from pinsync.profiles.models import Profile
from pinsync.workspaces.home import Panel
from pinsync.workspaces.models import Workspace

SHOWN = 5  # on the home page
PANEL_ROWS = 20  # of one user


@dataclass(frozen=True)
class Card:
    """One step as the journey page draws it."""

    step: Step
    kind: StepKind
    summary: list[tuple[str | Promise, str]]
    problems: list[Problem]


def steps_of(canvas: Canvas) -> QuerySet[Step]:
    """Return the steps in order, with everything that a card says about them."""
    related = ("canvas__workspace", "sync__ad_account__connection", "sync__audience", "sync__totals", "totals")
    return Step.objects.filter(canvas=canvas).select_related(*related)


def cards(canvas: Canvas) -> list[Card]:
    found = []
    for step in steps_of(canvas):
        kind = kind_of(step)
        found.append(Card(step, kind, kind.summary(step), kind.problems(step)))
    return found


def usages(syncs: Iterable[int]) -> list[Usage]:
    """Return the Canvases whose steps own these AudienceSyncs, for pages that do not know Canvases."""
    found = Canvas.objects.filter(steps__sync__in=list(syncs)).exclude(state=Canvas.State.ARCHIVED)
    return [
        Usage(canvas.name, page_of(canvas), canvas.state == Canvas.State.ACTIVE)
        for canvas in found.select_related("workspace").distinct()
    ]


def page_of(canvas: Canvas) -> str:
    return reverse("canvas:detail", args=[canvas.workspace.slug, canvas.pk])


def home_panel(workspace: Workspace) -> Panel:
    """Return the newest Canvases, or what to do first."""
    canvases = Canvas.objects.filter(workspace=workspace).exclude(state=Canvas.State.ARCHIVED).order_by("-id")[:SHOWN]
    connected = Connection.objects.filter(workspace=workspace, state=Connection.State.CONNECTED).exists()
    return Panel("canvas/_home.html", {"canvases": canvases, "connected": connected})


def profile_panel(profile: Profile) -> Panel:
    """Return one user's latest journeys, and what became of them at the audiences."""
    entries = Entry.objects.filter(profile=profile.pk).select_related("canvas__workspace", "step").order_by("-id")
    arrivals = Arrival.objects.filter(profile=profile.pk).select_related("audience").order_by("-id")
    deliveries = Delivery.objects.filter(profile=profile.pk).select_related("sync", "audience", "batch").order_by("-id")
    syncs = [
        *(_sync_row(each, Batch.State.WAITING, "") for each in arrivals[:PANEL_ROWS]),
        *(
            _sync_row(each, each.batch.state if each.batch else "", each.reason or getattr(each.batch, "reason", ""))
            for each in deliveries[:PANEL_ROWS]
        ),
    ]
    return Panel("canvas/_profile.html", {"entries": entries[:PANEL_ROWS], "syncs": syncs[:PANEL_ROWS]})


@dataclass(frozen=True)
class SyncRow:
    """One user at one audience. `outcome` is synced, pending, errored or not_synced."""

    audience: Audience | None
    operation: str
    entered_at: datetime
    outcome: str
    reason: Reason | None


def _sync_row(row: Arrival | Delivery, state: str, code: str) -> SyncRow:
    outcomes = {Batch.State.ACCEPTED.value: "synced", Batch.State.ERRORED.value: "errored", "": "not_synced"}
    outcome = outcomes.get(state, "pending")
    partner = registry.name_of(row.sync.partner) if code else ""
    why = reason(code, partner) if code and outcome != "synced" else None
    return SyncRow(row.audience, str(Operation(row.operation).label), row.entered_at, outcome, why)
