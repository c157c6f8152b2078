"""What the page of one step shows beside its figures: the audience as the partner knows it, and who else uses it."""

from dataclasses import dataclass
from datetime import datetime

from canvas import drawing
from canvas.models import Canvas, Step
from integrations import lookalikes, sizes
from integrations.contract import LookalikeOffer
from integrations.models import Audience, Lookalike, Operation
from integrations.sizes import Standing

MOST_NEIGHBOURS = 50


@dataclass(frozen=True)
class Trend:
    """The size of an audience over time: as a drawing, and as the rows behind it."""

    drawing: drawing.Lines
    since: datetime
    until: datetime
    rows: list[tuple[datetime, int | None]]  # the newest first


@dataclass(frozen=True)
class Neighbour:
    """Another step of the same audience."""

    step: Step
    canvas: Canvas
    feeds: bool  # it adds users; otherwise it takes them out


@dataclass(frozen=True)
class AudiencePage:
    standing: Standing
    trend: Trend | None
    neighbours: list[Neighbour]
    offer: LookalikeOffer | None
    lookalikes: list[Lookalike]


def audience_of(step: Step) -> Audience | None:
    """Return the audience of a sync step, with its ad account and connection."""
    if step.sync is None or step.sync.audience_id is None:
        return None
    return Audience.objects.select_related("ad_account__connection").filter(pk=step.sync.audience_id).first()


def audience_page(step: Step, audience: Audience) -> AudiencePage:
    """Return what is known here. Calls no partner; a handful of queries."""
    return AudiencePage(
        standing=sizes.standing(audience),
        trend=trend(sizes.history(audience)),
        neighbours=neighbours(step, audience),
        offer=lookalikes.offer_of(audience),
        lookalikes=lookalikes.of(audience),
    )


def neighbours(step: Step, audience: Audience) -> list[Neighbour]:
    """Return the other steps that feed or drain the audience, those of active Canvases first."""
    found = (
        Step.objects.filter(sync__audience=audience)
        .exclude(pk=step.pk)
        .exclude(canvas__state=Canvas.State.ARCHIVED)
        .select_related("canvas__workspace", "sync")
        .order_by("canvas__state", "-canvas_id", "position")[:MOST_NEIGHBOURS]
    )
    return [
        Neighbour(each, each.canvas, each.sync is not None and each.sync.operation == Operation.ADD) for each in found
    ]


def trend(history: list[tuple[datetime, int | None]]) -> Trend | None:
    """Draw sizes as steps, each until the next was told; None while fewer than two were told at all.

    A hidden size is no figure: the line begins with the first that was told, and stays where it was meanwhile.
    """
    told = [(at, size) for at, size in history if size is not None]
    if len(told) < 2:
        return None
    since, until = told[0][0], max(history[-1][0], told[-1][0])
    times: list[float] = []
    values: list[int] = []
    for at, size in told:
        second = (at - since).total_seconds()
        if times:
            times.append(second)
            values.append(values[-1])
        times.append(second)
        values.append(size)
    times.append((until - since).total_seconds())
    values.append(values[-1])
    return Trend(drawing.lines(times, [("size", "", values)]), since, until, list(reversed(history)))
