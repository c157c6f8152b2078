"""A scenario told in this process, with or without a worker beside it: for commands."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from django.utils import timezone

from canvas import building, simulator
from canvas.models import ScenarioRun
from canvas.scenarios import running, runs, telling
from canvas.scenarios.base import Scenario
from canvas.ticking import work_until
from integrations import upkeep
from pinsync.workspaces.models import Workspace

TIDY_SECONDS = 60.0  # for mending what a story broke that was cut short


@dataclass
class Told:
    """How it ended. `problem` is a sentence unless all checks hold."""

    run: ScenarioRun
    interrupted: bool = False
    problem: str = ""
    lines: list[telling.Line] = field(default_factory=list)

    @property
    def summary(self) -> str:
        held, made = telling.checks_of(self.run)
        seconds = ((self.run.ended_at or self.run.started_at) - self.run.started_at).total_seconds()
        return f"{held} of {made} checks hold, after {seconds:.0f} seconds."

    def as_dict(self) -> dict[str, Any]:
        """Return it as a program reads it."""
        held, made = telling.checks_of(self.run)
        lines = [{**asdict(line), "at": line.at.isoformat() if line.at else None} for line in self.lines]
        return {
            "scenario": self.run.scenario,
            "run": self.run.pk,
            "end": self.run.end,
            "checks": made,
            "held": held,
            "lines": lines,
        }


def tell(
    workspace: Workspace,
    scenario: Scenario,
    *,
    users: int | None,
    seconds: float,
    say: Callable[[telling.Line], object],
) -> Told:
    """Tell a scenario to its end, line by line; Ctrl-C and a story that takes too long are tidied up.

    Raises CannotBuild where it cannot begin.
    """
    try:
        run = runs.start(workspace, scenario, user=None, now=timezone.now(), users=users)
    except runs.CannotStart as problem:
        raise building.CannotBuild(str(problem)) from None
    told = Told(run)

    def is_over() -> bool:
        run.refresh_from_db()
        there = [line for line in telling.lines_of(run) if line.mark != telling.NOW]
        for line in there[len(told.lines) :]:
            say(line)
        told.lines = there
        return run.is_over

    def work(limit: float) -> bool:
        also = (simulator.advance_due, running.advance_due, upkeep.keep)
        return work_until(is_over, seconds=limit, clock=timezone.now, also=also)

    try:
        in_time = work(seconds)
    except KeyboardInterrupt:
        in_time, told.interrupted = False, True
    if not in_time:
        runs.cancel(run, user=None, now=timezone.now())
        work(TIDY_SECONDS)
    told.problem = _problem(told, seconds, in_time=in_time)
    return told


def _problem(told: Told, seconds: float, *, in_time: bool) -> str:
    if told.interrupted:
        return "Stopped, and tidied up."
    if not in_time:
        return f"The story was not at its end after {seconds:g} seconds. {told.summary}"
    return "" if told.run.end == ScenarioRun.End.PASSED else f"The story did not end well. {told.summary}"
