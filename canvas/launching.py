"""Whether a Canvas can be launched, and its moves from state to state.

Legal moves: draft → active → stopped → active; draft or stopped → archived → where it was. Each is a conditional UPDATE
in the transaction that writes it down in the audit log.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _
from django_q.tasks import async_task

from canvas import journeys, recurring
from canvas.models import Canvas, Step
from canvas.steps import problems_of
from integrations.problems import Problem
from pinsync.profiles.filters import FilterError
from pinsync.profiles.models import Import, Profile
from pinsync.profiles.segments import profiles_in
from pinsync.progress import Progress, progress_of
from pinsync.workspaces import audit
from pinsync.workspaces.models import Role, User

LAUNCH = "launch"  # Move.source of users who entered because of a launch
RING = "canvas.tasks.enter_due"

State = Canvas.State


class NotReady(Exception):
    """Something keeps the Canvas from being launched; `problems` says what."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(f"{len(problems)} problems")
        self.problems = problems


class WrongState(Exception):
    """The Canvas is not in a state from which this move leads anywhere; somebody else may have been first."""


def target(canvas: Canvas, now: datetime) -> "QuerySet[Profile]":
    """Return the target audience: everybody, a segment, or the users of an import. Raises FilterError."""
    return profiles_in(canvas.workspace, canvas.segment, canvas.source_import, now=now)


def problems(
    canvas: Canvas, now: datetime, of_steps: Sequence[tuple[Step, list[Problem]]] | None = None
) -> list[Problem]:
    """Return what keeps the Canvas from being launched or resumed, in the order of the page. Calls no partner.

    `of_steps`: the steps and their problems, where the caller has looked at them already.
    """
    if of_steps is None:
        sync = ("sync__workspace", "sync__ad_account__connection", "sync__audience")
        steps = list(canvas.steps.select_related(*sync, "canvas__workspace"))
        theirs = problems_of(steps)
        of_steps = [(step, theirs[step.pk]) for step in steps]
    found = []
    found += entry_problems(canvas, now)
    if not of_steps:
        page = reverse("canvas:detail", args=[canvas.workspace.slug, canvas.pk])
        found.append(Problem(_("There is no step yet. Add one to the journey."), page))
    for step, its in of_steps:
        here = reverse("canvas:step", args=[canvas.workspace.slug, canvas.pk, step.pk])
        for each in its:
            mended = each if each.url else replace(each, url=here, role=Role.EDITOR)
            found.append(replace(mended, text=f"“{step.name}”: {each.text}"))
    return found


def entry_problems(canvas: Canvas, now: datetime) -> list[Problem]:
    """Return what is wrong with who enters and when, each with the section of the settings that mends it."""
    found = []
    kind, is_draft = canvas.entry_kind, canvas.state == State.DRAFT
    when, who, send = (
        reverse("canvas:settings", args=[canvas.workspace.slug, canvas.pk, section])
        for section in ("schedule", "target", "send")
    )
    if kind == Canvas.EntryKind.SCHEDULED and canvas.starts_at is None:
        found.append(Problem(_("Say when users enter."), when))
    elif kind == Canvas.EntryKind.SCHEDULED and is_draft and recurring.next_entry(canvas, now) is None:
        found.append(Problem(_("The time at which users enter has passed. Choose a later one."), when))
    if kind == Canvas.EntryKind.EVENT and not canvas.event_name:
        found.append(Problem(_("Say which event lets users in."), when))
    try:
        target(canvas, now)
    except FilterError as wrong:
        found.append(Problem(_("The target audience cannot be used: %(why)s") % {"why": wrong}, who))
    source = canvas.source_import
    if source and source.state == Import.State.CANCELLED:
        sentence = _("The import “%(name)s” was cancelled. Choose another target audience.")
        found.append(Problem(sentence % {"name": source.name}, who))
    elif source and source.state != Import.State.DONE:
        found.append(Problem(_("The import “%(name)s” is not finished.") % {"name": source.name}, who))
    try:
        profiles_in(canvas.workspace, canvas.exit_segment, now=now)
    except FilterError as wrong:
        found.append(Problem(_("The segment of the exit criteria cannot be used: %(why)s") % {"why": wrong}, send))
    return [replace(each, role=Role.EDITOR) for each in found]


def progress(canvas: Canvas, now: datetime) -> Progress | None:
    """Return how far a launch, or the round of a schedule, has come; None while nobody is due to enter."""
    if canvas.state != State.ACTIVE or canvas.enter_at is None or canvas.enter_at > now:
        return None
    if canvas.enter_began_at is None or canvas.enter_total is None:
        return Progress(0, None, None)
    return progress_of(canvas.enter_done, canvas.enter_total, (now - canvas.enter_began_at).total_seconds())


def launch(canvas: Canvas, user: User | None, now: datetime) -> None:
    """Make a draft active. Raises NotReady or WrongState.

    Who is in its target audience enters within seconds, or when the schedule says so.
    """
    with transaction.atomic():
        _check(canvas, now)
        first = _first_entry(canvas, now)
        changes = {"enter_at": first, "enter_after": 0} if first else {}
        _move(canvas, State.DRAFT, state=State.ACTIVE, launched_at=now, **changes)
        audit.record(canvas.workspace, user, "canvas.launched", canvas.name, now=now, canvas=canvas.pk)
        transaction.on_commit(ring)


def stop(canvas: Canvas, user: User | None, now: datetime) -> None:
    """Let nobody in any more. Who is pending is still sent; who waits in a Delay leaves when it ends.

    Raises WrongState.
    """
    with transaction.atomic():
        _move(canvas, State.ACTIVE, state=State.STOPPED, stopped_at=now, enter_at=None)
        audit.record(canvas.workspace, user, "canvas.stopped", canvas.name, now=now, canvas=canvas.pk)


def resume(canvas: Canvas, user: User | None, now: datetime) -> None:
    """Make a stopped Canvas active again. Raises NotReady or WrongState.

    Who entered at its launch does not enter again; a launch that was stopped before everybody had entered goes on.
    Rounds of a schedule that were missed meanwhile are not made up for, but one that was to come once is.
    """
    with transaction.atomic():
        _check(canvas, now)
        enters_at = None if canvas.enter_after is None else now
        if canvas.entry_kind == Canvas.EntryKind.SCHEDULED and enters_at and canvas.enter_began_at is None:
            is_once = canvas.repeat == Canvas.Repeat.ONCE and canvas.starts_at is not None
            enters_at = max(now, canvas.starts_at) if is_once else recurring.next_entry(canvas, now)  # type: ignore[type-var]
        rest: dict[str, object] = {} if enters_at else {"enter_after": None}
        if canvas.enter_began_at is not None and canvas.stopped_at is not None:
            rest["enter_began_at"] = canvas.enter_began_at + (now - canvas.stopped_at)  # the pause is no work
        _move(canvas, State.STOPPED, state=State.ACTIVE, stopped_at=None, enter_at=enters_at, **rest)
        audit.record(canvas.workspace, user, "canvas.resumed", canvas.name, now=now, canvas=canvas.pk)
        transaction.on_commit(ring)


def archive(canvas: Canvas, user: User | None, now: datetime) -> None:
    """Put a draft or a stopped Canvas away. Raises WrongState."""
    with transaction.atomic():
        _move(canvas, State.DRAFT, State.STOPPED, state=State.ARCHIVED)
        audit.record(canvas.workspace, user, "canvas.archived", canvas.name, now=now, canvas=canvas.pk)


def unarchive(canvas: Canvas, user: User | None, now: datetime) -> None:
    """Take an archived Canvas out again, to where it was. Raises WrongState."""
    with transaction.atomic():
        journeys.hold(canvas.pk)
        canvas.refresh_from_db(fields=["launched_at"])
        _move(canvas, State.ARCHIVED, state=State.STOPPED if canvas.launched_at else State.DRAFT)
        audit.record(canvas.workspace, user, "canvas.unarchived", canvas.name, now=now, canvas=canvas.pk)


def _first_entry(canvas: Canvas, now: datetime) -> datetime | None:
    """Return when users enter first by themselves; None where something else lets them in."""
    if canvas.entry_kind == Canvas.EntryKind.SCHEDULED:
        return recurring.next_entry(canvas, now)
    return now if canvas.entry_kind == Canvas.EntryKind.LAUNCH else None


def ring() -> None:
    """Ask a worker to let in who is due. A doorbell: losing it costs one tick, ringing twice costs nothing."""
    async_task(RING, save=False)


def _check(canvas: Canvas, now: datetime) -> None:
    """Look at the Canvas as it is now, held until the transaction ends."""
    journeys.hold(canvas.pk)
    canvas.refresh_from_db()
    found = problems(canvas, now)
    if found:
        raise NotReady(found)


def _move(canvas: Canvas, *expected: State, **changes: object) -> None:
    if not Canvas.objects.filter(pk=canvas.pk, state__in=expected).update(**changes):
        raise WrongState
    canvas.refresh_from_db()
