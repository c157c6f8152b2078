"""Building a journey.

Which steps there are and in which order, who enters and whether again can be changed in a draft only: users may be
under way in any other. A step's own settings may be changed at any time and count for those who arrive afterwards.
"""

from datetime import datetime

from django.db import transaction

from canvas import journeys
from canvas.models import Canvas, Step, StepTotals
from canvas.steps import kind_of, kinds
from pinsync.workspaces import audit
from pinsync.workspaces.models import User


class NotDraft(Exception):
    """The Canvas was launched; its journey stays as it is."""


def create(canvas: Canvas, user: User | None, now: datetime) -> Canvas:
    """Save a new Canvas as a draft."""
    with transaction.atomic():
        canvas.state = Canvas.State.DRAFT
        canvas.created_by = user
        canvas.save()
        audit.record(canvas.workspace, user, "canvas.created", canvas.name, now=now, canvas=canvas.pk)
    return canvas


def change(canvas: Canvas, user: User | None, now: datetime) -> Canvas:
    """Save what people call a Canvas and, while it is a draft, who enters it."""
    fields = ["name", "description", "tags", "updated_at"]
    with transaction.atomic():
        if journeys.hold(canvas.pk).state == Canvas.State.DRAFT:
            fields += ["entry_kind", "segment", "source_import", "reentry"]
        canvas.save(update_fields=fields)
        audit.record(canvas.workspace, user, "canvas.changed", canvas.name, now=now, canvas=canvas.pk)
    return canvas


def add_step(canvas: Canvas, kind: str, *, position: int | None = None, name: str = "") -> Step:
    """Put a new step at `position` (from 1; at the end when None). Raises NotDraft; KeyError for an unknown kind."""
    with transaction.atomic():
        steps = _steps(canvas)
        place = len(steps) if position is None else max(0, min(position - 1, len(steps)))
        step = Step(canvas=canvas, kind=kind, position=place + 1, name=name or _free_name(steps, kind))
        kinds()[kind].prepare(step)
        step.save()
        StepTotals.objects.create(step=step)
        _number([*steps[:place], step, *steps[place:]])
    return step


def move_step(step: Step, *, by: int) -> None:
    """Move a step up (-1) or down (1); at the end of the row nothing happens. Raises NotDraft."""
    with transaction.atomic():
        steps = _steps(step.canvas)
        here = steps.index(step)
        there = max(0, min(here + by, len(steps) - 1))
        steps.insert(there, steps.pop(here))
        _number(steps)


def delete_step(step: Step) -> None:
    """Take a step out, with what it owns. An audience that it created stays at the partner. Raises NotDraft."""
    with transaction.atomic():
        steps = _steps(step.canvas)
        rest = [other for other in steps if other.pk != step.pk]
        Step.objects.filter(pk=step.pk).delete()
        kind_of(step).dispose(step)
        _number(rest)


def _steps(canvas: Canvas) -> list[Step]:
    """Return the steps of a draft, held until the transaction ends."""
    if journeys.hold(canvas.pk).state != Canvas.State.DRAFT:
        raise NotDraft
    return list(Step.objects.filter(canvas=canvas))


def _number(steps: list[Step]) -> None:
    for position, step in enumerate(steps, start=1):
        if step.position != position:
            step.position = position
            step.save(update_fields=["position"])


def _free_name(steps: list[Step], kind: str) -> str:
    """Return the kind's name, numbered when it is taken: “Delay 2”."""
    name = str(kinds()[kind].default_name)
    taken = {step.name for step in steps}
    numbered = (f"{name} {number}" for number in range(2, len(steps) + 3))
    return name if name not in taken else next(each for each in numbered if each not in taken)
