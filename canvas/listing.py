"""The list of Canvases: a page by key, with the figures of all of its Canvases in one query."""

import json
from dataclasses import dataclass
from typing import Any

from django.db.models import F, Q, QuerySet

from canvas.models import Canvas, Step
from pinsync.workspaces.models import Workspace

ROWS = 50


@dataclass
class Figures:
    """Of one Canvas: who entered, and of its sync steps who waits and who errored."""

    entered: int = 0
    pending: int = 0
    errored: int = 0


@dataclass(frozen=True)
class Row:
    canvas: Canvas
    figures: Figures


@dataclass(frozen=True)
class Page:
    """Canvases, the newest first; `older` is the `before` of the next page and "" on the last."""

    rows: list[Row]
    older: str


def page(workspace: Workspace, *, state: str = "", text: str = "", before: int | None = None) -> Page:
    """Return a page of those in `state` (in use, when it is "") whose name or tags contain `text`.

    Two queries, however many there are.
    """
    found = Canvas.objects.filter(workspace=workspace).select_related("created_by").order_by("-id")
    if "\0" in text + state:  # nothing is called that, and PostgreSQL would refuse to look
        return Page([], "")
    found = found.filter(state=state) if state else found.exclude(state=Canvas.State.ARCHIVED)
    if text:
        found = found.filter(_contains(text))
    if before is not None:
        found = found.filter(pk__lt=before)
    canvases = list(found[: ROWS + 1])
    shown = canvases[:ROWS]
    figures = figures_of(shown)
    older = str(shown[-1].pk) if len(canvases) > ROWS else ""
    return Page([Row(canvas, figures[canvas.pk]) for canvas in shown], older)


def figures_of(canvases: list[Canvas]) -> dict[int, Figures]:
    """Return the figures of each, by id, in one query."""
    found = {canvas.pk: Figures() for canvas in canvases}
    for step in _steps(list(found)):
        one = found[step["canvas_id"]]
        if step["position"] == 1:
            one.entered = step["entered"] or 0
        one.pending += step["pending"] or 0
        one.errored += step["errored"] or 0
    return found


def _steps(canvases: list[int]) -> "QuerySet[Step, Any]":
    return (
        Step.objects.filter(canvas__in=canvases)
        .order_by()
        .values(
            "canvas_id",
            "position",
            entered=F("totals__entered"),
            pending=F("sync__totals__pending"),
            errored=F("sync__totals__errored"),
        )
    )


def _contains(text: str) -> Q:
    """Tags are kept as JSON, in which SQLite writes what is not ASCII in digits."""
    return Q(name__icontains=text) | Q(tags__icontains=text) | Q(tags__icontains=json.dumps(text)[1:-1])
