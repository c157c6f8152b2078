"""Building a journey.

Which steps there are and in which order, who enters and whether again can be changed in a draft only: users may be
under way in any other. A step's own settings may be changed at any time and count for those who arrive afterwards.
"""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from canvas import journeys
from canvas.models import Canvas, Step, StepTotals
from canvas.steps import kind_of, kinds
from pinsync.workspaces import audit
from pinsync.workspaces.models import AuditEvent, User

ENTRY = (
    "entry_kind",
    "starts_at",
    "time_zone",
    "repeat",
    "cron",
    "ends_at",
    "event_name",
    "segment",
    "source_import",
    "reentry",
    "reentry_days",
    "exit_event",
    "exit_segment",
)
NAMES = ("name", "description", "tags")
CHANGED = "canvas.changed"
ONE_CHANGE = timedelta(minutes=10)
# What a copy begins with; everything else says what became of the original.
COPIED = ("description", "tags", *ENTRY)


class NotDraft(Exception):
    """The Canvas was launched; its journey stays as it is."""


@dataclass(frozen=True)
class Removed:
    """A step that was deleted, as plain values: enough to put it back where it was."""

    canvas: int
    step: int
    position: int
    kind: str
    name: str
    kept: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def create(canvas: Canvas, user: User | None, now: datetime) -> Canvas:
    """Save a new Canvas as a draft."""
    with transaction.atomic():
        canvas.state = Canvas.State.DRAFT
        canvas.created_by = user
        canvas.save()
        audit.record(canvas.workspace, user, "canvas.created", canvas.name, now=now, canvas=canvas.pk)
    return canvas


def change(canvas: Canvas, user: User | None, now: datetime, fields: Collection[str] | None = None) -> Canvas:
    """Save what people call a Canvas and, while it is a draft, who enters it and when.

    Of `fields`, when they are named, and of no others. Changes that follow each other are one line of the audit log.
    """
    allowed = list(NAMES)
    with transaction.atomic():
        if journeys.hold(canvas.pk).state == Canvas.State.DRAFT:
            allowed += ENTRY
        wanted = [name for name in allowed if fields is None or name in fields]
        if not wanted:
            return canvas
        canvas.save(update_fields=[*wanted, "updated_at"])
        if not _goes_on(canvas, user, now):
            audit.record(canvas.workspace, user, CHANGED, canvas.name, now=now, canvas=canvas.pk)
    return canvas


def _goes_on(canvas: Canvas, user: User | None, now: datetime) -> bool:
    """Return whether the workspace's latest event is that the same person changed the same Canvas just now."""
    last = AuditEvent.objects.filter(workspace=canvas.workspace_id).order_by("-pk").first()
    return (
        last is not None
        and (last.action, last.actor_id, last.detail.get("canvas")) == (CHANGED, user.pk if user else None, canvas.pk)
        and last.at > now - ONE_CHANGE
    )


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


def delete_step(step: Step) -> Removed:
    """Take a step out, with what it owns; return what `restore_step` needs. Raises NotDraft.

    An audience that it created stays at the partner.
    """
    with transaction.atomic():
        steps = _steps(step.canvas)
        rest = [other for other in steps if other.pk != step.pk]
        removed = Removed(step.canvas_id, step.pk, step.position, step.kind, step.name, kind_of(step).keep(step))
        Step.objects.filter(pk=step.pk).delete()
        kind_of(step).dispose(step)
        _number(rest)
    return removed


def restore_step(canvas: Canvas, removed: Removed) -> Step:
    """Put a deleted step back at its place, under its old id. Safe to repeat. Raises NotDraft."""
    with transaction.atomic():
        steps = _steps(canvas)
        there = next((step for step in steps if step.pk == removed.step), None)
        return there or _insert(canvas, steps, removed.position - 1, removed)


def duplicate(canvas: Canvas, user: User | None, now: datetime) -> Canvas:
    """Return a new draft with the same settings and steps. Who entered, and when it was launched, is not copied."""
    with transaction.atomic():
        names = set(Canvas.objects.filter(workspace=canvas.workspace_id).values_list("name", flat=True))
        copy = Canvas(workspace=canvas.workspace, name=_copy_name(canvas.name, names), created_by=user)
        for name in COPIED:
            setattr(copy, name, getattr(canvas, name))
        copy.save()
        steps: list[Step] = []
        for step in Step.objects.filter(canvas=canvas).select_related("sync__audience"):
            kept = Removed(copy.pk, 0, 0, step.kind, step.name, kind_of(step).copy(step))
            steps.append(_insert(copy, steps, len(steps), kept))
        audit.record(canvas.workspace, user, "canvas.duplicated", copy.name, now=now, canvas=copy.pk, of=canvas.pk)
    return copy


def _insert(canvas: Canvas, steps: list[Step], place: int, removed: Removed) -> Step:
    place = max(0, min(place, len(steps)))
    step = Step(pk=removed.step or None, canvas=canvas, kind=removed.kind, name=removed.name, position=place + 1)
    kind_of(step).bring_back(step, removed.kept)
    step.save(force_insert=True)
    StepTotals.objects.create(step=step)
    _number([*steps[:place], step, *steps[place:]])
    return step


def _copy_name(name: str, taken: set[str]) -> str:
    """Return “Winter (copy)”, numbered when it is taken, and no longer than a name may be."""
    longest = Canvas._meta.get_field("name").max_length or 0
    number = 1
    while True:
        ending = _("(copy)") if number == 1 else _("(copy %(number)s)") % {"number": number}
        found = f"{name[: longest - len(ending) - 1]} {ending}"
        if found not in taken:
            return found
        number += 1


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
