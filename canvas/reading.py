"""What pages show of a Canvas and its steps."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import F, QuerySet
from django.urls import reverse
from django.utils.functional import Promise

from canvas.models import Canvas, Entry, Step
from canvas.steps import kind_of, problems_of
from canvas.steps.base import StepKind
from integrations.problems import Problem
from integrations.usage import Usage
from pinsync.profiles.models import Profile
from pinsync.workspaces.home import Panel

PANEL_ROWS = 20  # of one user


@dataclass(frozen=True)
class Card:
    """One step as the journey page draws it."""

    step: Step
    kind: StepKind
    summary: list[tuple[str | Promise, str]]
    problems: list[Problem]


def steps_of(canvas: Canvas | int) -> QuerySet[Step]:
    """Return the steps of a Canvas, or of the one with this id, in order, with everything that a card says."""
    sync = ("sync__workspace", "sync__ad_account__connection", "sync__audience", "sync__totals")
    related = ("canvas__workspace", *sync, "totals")
    return Step.objects.filter(canvas=canvas).select_related(*related)


def cards(canvas: Canvas) -> list[Card]:
    """Return the steps of the journey page; with a number of queries that does not grow with them."""
    steps = list(steps_of(canvas))
    problems = problems_of(steps)
    return [Card(step, kind_of(step), kind_of(step).summary(step), problems[step.pk]) for step in steps]


def usages(syncs: Iterable[int]) -> list[Usage]:
    """Return the Canvases whose steps own these AudienceSyncs, for pages that do not know Canvases."""
    found = Canvas.objects.filter(steps__sync__in=list(syncs)).exclude(state=Canvas.State.ARCHIVED)
    return [
        Usage(canvas.name, page_of(canvas), canvas.state == Canvas.State.ACTIVE)
        for canvas in found.select_related("workspace").distinct()
    ]


def page_of(canvas: Canvas) -> str:
    return reverse("canvas:detail", args=[canvas.workspace.slug, canvas.pk])


def profile_panel(profile: Profile) -> Panel:
    """Return one user's latest journeys."""
    entries = Entry.objects.filter(profile=profile.pk).select_related("canvas__workspace", "step", "move")
    # The sum keeps the database from walking down the primary key past everybody else's.
    found = list(entries.order_by((F("id") + 0).desc())[: PANEL_ROWS + 1])
    return Panel("canvas/_profile.html", {"entries": found[:PANEL_ROWS], "older": len(found) > PANEL_ROWS})
