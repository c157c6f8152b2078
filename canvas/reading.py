"""What pages show of a Canvas and its steps."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.functional import Promise

from canvas.models import Canvas, Entry, Step
from canvas.steps import kind_of
from canvas.steps.base import StepKind
from integrations.models import Connection
from integrations.problems import Problem
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
    """Return one user's latest journeys."""
    entries = Entry.objects.filter(profile=profile.pk).select_related("canvas__workspace", "step").order_by("-id")
    return Panel("canvas/_profile.html", {"entries": entries[:PANEL_ROWS]})
