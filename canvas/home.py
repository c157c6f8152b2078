"""What this app hands to the home page: the Canvases that run, whose users errored, and what to do first."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Case, F, OuterRef, QuerySet, Subquery, Sum, Value, When
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from canvas.analytics.sparklines import Sparkline, sparklines
from canvas.models import Canvas, Step
from integrations.models import Connection, SyncTotals
from pinsync.workspaces.home import Attention, FirstStep, Panel
from pinsync.workspaces.models import Workspace

SHOWN = 6
ERRORED_SHOWN = 5
FIGURES = ("synced", "pending", "errored")


@dataclass(frozen=True)
class Row:
    """One Canvas, the sums of its sync steps in the annotations `synced`, `pending`, `errored`, and its line."""

    canvas: Canvas
    sparkline: Sparkline | None


def panel(workspace: Workspace, now: datetime) -> Panel:
    """Return the Canvases that run, then those that were launched last, then drafts; or what to do first."""
    canvases = list(_canvases(workspace))
    if not canvases:
        states = set(Connection.objects.filter(workspace=workspace).values_list("state", flat=True))
        is_broken = Connection.State.BROKEN in states
        return Panel(
            "canvas/_home.html",
            {"rows": [], "connected": Connection.State.CONNECTED in states, "is_broken": is_broken},
        )
    lines = sparklines(canvases, now)
    rows = [Row(canvas, lines.get(canvas.pk)) for canvas in canvases]
    return Panel("canvas/_home.html", {"rows": rows}, _errored(workspace))


def first_step(workspace: Workspace) -> FirstStep:
    return FirstStep(
        _("Build and launch a Canvas"),
        _("Put an Audience Sync step into it, choose or create an audience, and launch."),
        reverse("canvas:list", kwargs={"workspace": workspace.slug}),
        Canvas.objects.filter(workspace=workspace, launched_at__isnull=False).exists(),
    )


def _canvases(workspace: Workspace) -> "QuerySet[Canvas]":
    """Return the Canvases to show with their figures, which are summed for those only."""
    sums = {
        figure: Subquery(
            SyncTotals.objects.filter(sync__step__canvas=OuterRef("pk"))
            .values("sync__step__canvas")
            .annotate(sum=Sum(figure))
            .values("sum")
        )
        for figure in FIGURES
    }
    is_idle = Case(When(state=Canvas.State.ACTIVE, then=Value(0)), default=Value(1))
    found = Canvas.objects.filter(workspace=workspace).exclude(state=Canvas.State.ARCHIVED)
    return found.annotate(**sums).order_by(is_idle, F("launched_at").desc(nulls_last=True), "-id")[:SHOWN]


def _errored(workspace: Workspace) -> tuple[Attention, ...]:
    """Return the steps that have errored users, newest Canvas first. What is archived was looked at."""
    steps = (
        Step.objects.filter(canvas__workspace=workspace, sync__totals__errored__gt=0)
        .exclude(canvas__state=Canvas.State.ARCHIVED)
        .select_related("canvas", "sync__totals")
        .order_by("-canvas_id", "position")
    )
    found = []
    for step in steps[:ERRORED_SHOWN]:
        users = step.sync.totals.errored if step.sync else 0
        sentence = ngettext(
            "%(users)s user errored in “%(step)s” of “%(canvas)s”",
            "%(users)s users errored in “%(step)s” of “%(canvas)s”",
            users,
        )
        address = reverse("canvas:users", args=[workspace.slug, step.canvas_id, step.pk])
        found.append(
            Attention(
                sentence % {"users": f"{users:,}", "step": step.name, "canvas": step.canvas.name},
                f"{address}?state=errored",
                _("Show them"),
                is_urgent=False,
            )
        )
    return tuple(found)
