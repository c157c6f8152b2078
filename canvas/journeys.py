"""Who is where in a Canvas: enter, advance, exit. The only writer of Entry and Move.

All of it works on sets of users in SQL, so the number of queries depends on the number of steps alone. Every change
holds the Canvas row: two launches, a tick and a stop of one Canvas follow each other.
"""

import logging
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, F, Max, Min, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from canvas.models import Canvas, Entry, Move, Step, StepTotals
from canvas.steps import kind_of
from canvas.steps.base import PassingKind, WaitingKind
from integrations.delivery.counting import tally
from pinsync.profiles.models import Profile
from pinsync.profiles.segments import profiles_in
from pinsync.sql import insert_select, joined_as_sets, joined_by_lookup, rows_about

log = logging.getLogger(__name__)

USERS_PER_MOVE = 200_000  # users who go on in one transaction; at about 5 s a hundred thousand nobody waits long
LOOKUP_COST = 10  # reading one profile by its id costs as much as so many in a row


class NotActive(Exception):
    """The Canvas lets nobody in: it is a draft, stopped or archived."""


@dataclass(frozen=True)
class Walk:
    """The way of users who start together. Steps are in a row, so all of them go the same way."""

    passed: list[Step]
    waits_in: Step | None
    due_at: datetime | None

    def last_state(self, now: datetime) -> dict[str, Any]:
        """Return where an Entry stands at the end of the walk."""
        if self.waits_in is None:
            return {"state": Entry.State.EXITED, "step": None, "due_at": None, "exited_at": now}
        return {"state": Entry.State.WAITING, "step": self.waits_in, "due_at": self.due_at, "exited_at": None}


def hold(canvas_id: int) -> Canvas:
    """Return the Canvas as it is now; until the transaction ends, nobody else changes it or moves its users."""
    return Canvas.objects.select_for_update(no_key=True).get(pk=canvas_id)


def enter(
    canvas: Canvas,
    profiles: "QuerySet[Profile]",
    *,
    source: str,
    now: datetime,
    within: tuple[int, int] | None = None,
) -> Move:
    """Let those of `profiles` in who may enter; they walk on at once, to the first wait or to the end.

    `within`: the first and the last id that any of them may have, where that is known and they lie close together.
    Returns the Move with the number of users let in. Calling it again lets nobody in twice who may not re-enter.
    Raises NotActive.
    """
    with transaction.atomic():
        canvas = hold(canvas.pk)
        if canvas.state != Canvas.State.ACTIVE:
            raise NotActive
        walk = _walk(_steps(canvas), now)
        move = Move.objects.create(canvas=canvas, kind=Move.Kind.ENTER, source=source, at=now)
        entries = {
            "canvas": canvas,
            "profile": F("id"),
            "turn": _turn(canvas),
            "move": move,
            "entered_at": now,
            **walk.last_state(now),
        }
        # The Canvas is held, so nobody enters it meanwhile. Who was inside before is looked up one by one, or read at
        # once within the span: of all of them, there are more with every portion of a launch.
        with joined_as_sets() if within else joined_by_lookup():
            move.users = insert_select(Entry, entries, may_enter(canvas, profiles, now, within=within))
        _follow(move, walk, now, within=within)
    log.info("users entered", extra={"canvas": canvas.pk, "move": move.pk, "users": move.users, "source": source})
    return move


def may_enter(
    canvas: Canvas, profiles: "QuerySet[Profile]", now: datetime, *, within: tuple[int, int] | None = None
) -> "QuerySet[Profile]":
    """Return those of `profiles` whom the Canvas' rules let in now.

    Without re-entry: who never entered before; with it: who is not inside and did not enter in the last
    `reentry_days`. Whoever its exit criteria would send out again does not enter. Raises FilterError.
    """
    if profiles.query.is_sliced or profiles.query.combinator:
        profiles = Profile.objects.filter(pk__in=profiles.values("pk"))
    earlier = Entry.objects.filter(canvas=canvas, profile=OuterRef("pk"))
    if within is not None:
        earlier = earlier.filter(profile__gte=within[0], profile__lte=within[1])
    if canvas.reentry:
        too_soon = Q(state=Entry.State.WAITING)
        if canvas.reentry_days:
            too_soon |= Q(entered_at__gt=now - timedelta(days=canvas.reentry_days))
        earlier = earlier.filter(too_soon)
    if canvas.exit_segment is not None:
        # Asked of each, not “not in”: PostgreSQL would look through the whole list for everybody when it is long.
        profiles = profiles.filter(~Exists(_leaving(canvas, now).filter(pk=OuterRef("pk"))))
    return profiles.filter(~Exists(earlier), workspace=canvas.workspace_id)


def leave(canvas: Canvas, profiles: "QuerySet[Profile]", *, now: datetime) -> int:
    """Let those of `profiles` who wait in the Canvas leave it; return how many. What they passed stays as it is."""
    total = 0
    with transaction.atomic():
        canvas = hold(canvas.pk)
        for step in _steps(canvas):
            if isinstance(kind_of(step), WaitingKind):
                waiting = Entry.objects.filter(step=step, state=Entry.State.WAITING, profile__in=profiles.values("pk"))
                total += _let_out(canvas, step, waiting, now)
    return total


def advance_due(now: datetime) -> int:
    """Send everybody on whose wait is over; return how many. What fails at one step holds up no other.

    In a Canvas that is not active any more, they leave it.
    """
    due = Entry.objects.filter(step=OuterRef("pk"), state=Entry.State.WAITING, due_at__lte=now)
    total = 0
    for step in Step.objects.filter(Exists(due)):
        try:
            moved = USERS_PER_MOVE
            while moved == USERS_PER_MOVE:
                moved = _advance(step, now)
                total += moved
        except Exception:  # the others' waits are over, too; this step is tried again at the next tick
            log.exception("going on failed", extra={"canvas": step.canvas_id, "step": step.pk})
    return total


def _advance(step: Step, now: datetime) -> int:
    """Send up to USERS_PER_MOVE on in one transaction; return how many."""
    with transaction.atomic():
        canvas = hold(step.canvas_id)
        later = [other for other in _steps(canvas) if (other.position, other.pk) > (step.position, step.pk)]
        walk = _walk(later, now) if canvas.state == Canvas.State.ACTIVE else Walk([], None, None)
        due = Entry.objects.filter(step=step, state=Entry.State.WAITING, due_at__lte=now)
        if canvas.state == Canvas.State.ACTIVE and canvas.exit_segment is not None:
            leaving = due.filter(profile__in=_leaving(canvas, now).values("pk")).order_by("due_at")
            out = _let_out(canvas, step, leaving[:USERS_PER_MOVE], now)
            if out == USERS_PER_MOVE:
                return out  # nobody goes on while somebody is left who must not
        move = Move.objects.create(canvas=canvas, kind=Move.Kind.ADVANCE, step=step, at=now)
        move.users = Entry.objects.filter(pk__in=due.order_by("due_at").values("pk")[:USERS_PER_MOVE]).update(
            move=move, **walk.last_state(now)
        )
        if not move.users:
            move.delete()  # another worker was first
            return 0
        if canvas.state == Canvas.State.ACTIVE:
            _follow(move, walk, now, start=step)
        else:
            move.save(update_fields=["users"])
            StepTotals.objects.filter(step=step).update(left=F("left") + move.users)
    extra = {"canvas": canvas.pk, "step": step.pk, "move": move.pk, "users": move.users}
    log.info("users went on", extra=extra)
    return move.users


def _leaving(canvas: Canvas, now: datetime) -> "QuerySet[Profile]":
    """Return whom the exit segment of the Canvas holds. Raises FilterError."""
    return profiles_in(canvas.workspace, canvas.exit_segment, now=now)


def _let_out(canvas: Canvas, step: Step, waiting: "QuerySet[Entry]", now: datetime) -> int:
    """Let entries that wait in a step leave by the exit criteria; return how many. The Canvas is held."""
    move = Move.objects.create(canvas=canvas, kind=Move.Kind.EXIT, step=step, at=now)
    move.users = Entry.objects.filter(pk__in=waiting.values("pk")).update(
        move=move, **Walk([], None, None).last_state(now)
    )
    if not move.users:
        move.delete()
        return 0
    move.save(update_fields=["users"])
    StepTotals.objects.filter(step=step).update(left=F("left") + move.users)
    extra = {"canvas": canvas.pk, "step": step.pk, "move": move.pk, "users": move.users}
    log.info("users left by exit criteria", extra=extra)
    return move.users


def _steps(canvas: Canvas) -> list[Step]:
    return list(canvas.steps.select_related("sync__audience", "sync__ad_account"))


def _walk(steps: list[Step], now: datetime) -> Walk:
    passed: list[Step] = []
    for step in steps:
        kind = kind_of(step)
        if isinstance(kind, WaitingKind):
            return Walk(passed, step, kind.wait_until(step, now=now))
        passed.append(step)
    return Walk(passed, None, None)


def _turn(canvas: Canvas) -> "Value | Coalesce":
    if not canvas.reentry:
        return Value(0)
    earlier = Entry.objects.filter(canvas=canvas, profile=OuterRef("pk")).order_by().values("profile")
    return Coalesce(Subquery(earlier.annotate(next=Max("turn") + 1).values("next")), 0)


def _follow(
    move: Move, walk: Walk, now: datetime, *, start: Step | None = None, within: tuple[int, int] | None = None
) -> None:
    """Hand the users of a move to the steps they pass, and count them. They waited in `start` before, if anywhere.

    Of the profiles only their span is read: `within`, or from the first of them to the last.
    """
    move.save(update_fields=["users"])
    if not move.users:
        return
    moved = Entry.objects.filter(move=move)
    first, last = within or tuple(moved.aggregate(first=Min("profile"), last=Max("profile")).values())
    users = Profile.objects.filter(pk__in=moved.values("profile"), pk__gte=first, pk__lte=last)
    many = move.users * LOOKUP_COST > rows_about(Profile)
    with joined_as_sets() if many else nullcontext():
        _hand_over(users, walk, now)
    _count(move.users, walk, start)


def _hand_over(users: "QuerySet[Profile]", walk: Walk, now: datetime) -> None:
    with tally(now):  # the figures of all steps at the end: their rows are locked for a moment, not for the whole walk
        for step in walk.passed:
            kind = kind_of(step)
            if isinstance(kind, PassingKind):
                kind.receive(step, users, now=now)


def _count(users: int, walk: Walk, start: Step | None) -> None:
    entered = [*walk.passed, *([walk.waits_in] if walk.waits_in else [])]
    proceeded = [*([start] if start else []), *walk.passed]
    last = proceeded[-1:] if walk.waits_in is None else []
    StepTotals.objects.bulk_create([StepTotals(step=step) for step in entered], ignore_conflicts=True)
    for figure, steps in (("entered", entered), ("proceeded", proceeded), ("exited", last)):
        StepTotals.objects.filter(step__in=steps).update(**{figure: F(figure) + users})
