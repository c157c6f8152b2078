"""Telling a scenario: advanced by whoever takes it when it is due, tidied up at its end.

A run that waits for something is looked at again at every tick. Each step is saved with what it remembers before the
next one begins; a worker that dies leaves a run that is due again when its lease is over, and the step is done again.
"""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from canvas import building, launching, simulator
from canvas.models import Canvas, ScenarioRun, SimulatorRun
from canvas.samples import measure_all, thinned
from canvas.scenarios import doing, telling
from canvas.scenarios.base import (
    PATIENCE,
    Check,
    Do,
    Figures,
    Look,
    Scenario,
    Stage,
    Step,
    StoryEnds,
    Wait,
    stage_of,
)
from canvas.scenarios.runs import ring
from integrations.connecting import CannotConnect
from integrations.consenting import ConsentProblem
from integrations.creating import CannotCreate
from integrations.delivery.clock import clock_from
from integrations.errors import PartnerError
from integrations.reasons import reason
from pinsync.profiles.segments import SegmentRefused

log = logging.getLogger("pinsync.simulator")

LEASE = timedelta(seconds=120)  # longer than the queue lets a task live
AT_ONCE = 10.0  # seconds of steps, before others take their turn
LOOK_EVERY = timedelta(seconds=1)  # at what a story waits for; a worker comes by at every tick
TIDY_FOR = timedelta(minutes=5)

PROBLEMS = (
    PartnerError,
    building.CannotBuild,
    launching.NotReady,
    launching.WrongState,
    ConsentProblem,
    CannotConnect,
    CannotCreate,
    SegmentRefused,
    StoryEnds,
)
End = ScenarioRun.End


class _LeaseLost(Exception):
    """Somebody else works on the run."""


def advance_due(now: datetime) -> int:
    """Go on with every story that is due; return how many. What fails in one holds up no other."""
    told = 0
    due = ScenarioRun.objects.filter(next_at__lte=now).select_related("workspace", "canvas", "created_by")
    for run in due:
        leased = now + LEASE
        if not ScenarioRun.objects.filter(pk=run.pk, next_at=run.next_at).update(next_at=leased):
            continue
        run.next_at = leased
        try:
            _advance(run, clock_from(now))
            told += 1
        except _LeaseLost:
            log.warning("lease lost while telling", extra={"run": run.pk})
        except Exception:  # told again from this step when the lease is over, for a while
            log.exception("telling failed", extra={"run": run.pk})
            _give_up(run, clock_from(now)())
    return told


def _advance(run: ScenarioRun, clock: Callable[[], datetime]) -> None:
    began = time.monotonic()
    scenario = telling.scenario_of(run)
    try:
        if scenario is None:
            raise StoryEnds(_("There is no scenario %(name)s any more.") % {"name": run.scenario})
        stage = stage_of(run, clock, lambda: _save(run, memory=run.memory))
    except StoryEnds as problem:
        _tell(run, telling.STOPPED, clock(), problem=str(problem))
        _save(run, end=End.FAILED, ended_at=clock(), finished_at=clock(), next_at=None, lines=run.lines)
        return
    while not run.end:
        if ScenarioRun.objects.filter(pk=run.pk, is_cancelled=True).exists():
            _save(run, end=End.CANCELLED, ended_at=clock())
        elif run.step >= len(scenario.steps):
            held, made = telling.checks_of(run)
            _save(run, end=End.PASSED if held == made else End.FAILED, ended_at=clock())
        elif not _take(stage, scenario.steps[run.step]):
            _save(run, memory=run.memory, samples=_measured(run, clock()), next_at=clock() + LOOK_EVERY)
            return
        elif time.monotonic() - began > AT_ONCE:
            _save(run, next_at=clock())
            ring()
            return
    _tidy(stage, scenario)


def _take(stage: Stage, step: Step) -> bool:
    """Take one step of the story, and save; return whether the next one may follow."""
    run = stage.run
    mark, figures = telling.DONE, Figures()
    try:
        if isinstance(step, Do):
            done = step.act(stage)
            if done is None:
                _save(run, memory=run.memory)
                return True
            figures = done
        else:
            seen = _look(stage, step)
            if seen is None:
                return False
            figures = seen.figures
            if isinstance(step, Check):
                mark = telling.GOOD if seen.holds else telling.BAD
            elif not seen.holds:
                run.memory["look"] = figures
                if stage.clock() <= run.step_since + step.most:
                    return False
                _stop(stage, figures, "")
                return True
    except PROBLEMS as problem:
        _stop(stage, {}, _sentence(stage, problem))
        return True
    now = stage.clock()
    run.memory.pop("look", None)
    _tell(run, mark, now, figures=figures)
    _save(
        run,
        step=run.step + 1,
        step_since=now,
        lines=run.lines,
        memory=run.memory,
        canvas=run.canvas,
        samples=_measured(run, now),
    )
    return True


def _look(stage: Stage, step: Wait | Check) -> Look | None:
    """Return what is seen; None when the playground is too busy to answer just now, and may be asked again."""
    most = step.most if isinstance(step, Wait) else PATIENCE
    try:
        return step.look(stage)
    except PartnerError:
        if stage.clock() <= stage.run.step_since + most:
            return None
        raise


def _stop(stage: Stage, figures: Figures, problem: str) -> None:
    run, now = stage.run, stage.clock()
    _tell(run, telling.STOPPED, now, figures=figures, problem=problem)
    _save(run, lines=run.lines, memory=run.memory, end=End.FAILED, ended_at=now)


def _give_up(run: ScenarioRun, now: datetime) -> None:
    """End a run that has failed for long by a fault of ours: no other could begin in its workspace."""
    problem = _("It is our fault, and it was written down. Nothing you sent before is lost.")
    scenario = telling.scenario_of(run)
    step = scenario.steps[run.step] if scenario and run.step < len(scenario.steps) else None
    changes: dict[str, object] = {}
    if run.ended_at is not None and now > run.ended_at + TIDY_FOR:
        _tell(run, telling.UNTIDY, now, problem=problem)
        changes = {"finished_at": now, "next_at": None}
    elif run.ended_at is None and now > run.step_since + (step.most if isinstance(step, Wait) else PATIENCE):
        _tell(run, telling.STOPPED, now, problem=problem)
        changes = {"end": End.FAILED, "ended_at": now, "next_at": now}
    if changes:
        with suppress(_LeaseLost):
            _save(run, lines=run.lines, **changes)


def _tidy(stage: Stage, scenario: Scenario) -> None:
    """Mend what the story broke and close its doors; what does not succeed is tried again, for a while."""
    run, problem = stage.run, ""
    try:
        doing.mend(stage)
        for simulation in SimulatorRun.objects.filter(pk__in=run.memory.get("runs", []), sent_at=None):
            simulator.stop(simulation, user=None, now=stage.clock())
        for canvas in Canvas.objects.filter(pk__in=run.memory.get("canvases", []), state=Canvas.State.ACTIVE):
            launching.stop(canvas, stage.user, stage.clock())
        done = scenario.tidy(stage)
    except PROBLEMS as raised:
        done, problem = False, _sentence(stage, raised)
    now = stage.clock()
    assert run.ended_at is not None
    if not done and now <= run.ended_at + TIDY_FOR:
        _save(run, memory=run.memory, next_at=now + LOOK_EVERY)
        return
    _tell(run, telling.TIDY if done else telling.UNTIDY, now, problem=problem)
    _save(
        run,
        memory=run.memory,
        lines=run.lines,
        samples=_measured(run, now),
        finished_at=now,
        next_at=None,
    )
    log.info("scenario ended", extra={"run": run.pk, "outcome": run.end})


def _tell(run: ScenarioRun, mark: str, at: datetime, *, figures: Figures | None = None, problem: str = "") -> None:
    line = {"step": run.step, "mark": mark, "at": at.isoformat(), "figures": figures or {}, "problem": problem}
    run.lines = [*run.lines, line]


def _sentence(stage: Stage, problem: Exception) -> str:
    if isinstance(problem, PartnerError):
        why = reason(problem.code, stage.partner.name)
        return f"{why.name}: {why.cause} {why.way_out}"
    if isinstance(problem, launching.NotReady):
        return " ".join(str(each.text) for each in problem.problems)
    if isinstance(problem, launching.WrongState):
        return _("Somebody changed the Canvas meanwhile.")
    return str(problem)


def _measured(run: ScenarioRun, now: datetime) -> list[list[float]]:
    """Return the samples with what is now, if there is anything to measure."""
    canvases = Canvas.objects.filter(pk__in=run.memory.get("canvases", []))
    if not canvases:
        return list(run.samples)
    sample = measure_all(canvases, (now - run.started_at).total_seconds())
    return thinned([*run.samples, sample.as_list()])


def _save(run: ScenarioRun, **changes: object) -> None:
    """Save what is still leased to us. Raises _LeaseLost."""
    if not ScenarioRun.objects.filter(pk=run.pk, next_at=run.next_at).update(**changes):
        raise _LeaseLost
    for name, value in changes.items():
        setattr(run, name, value)
