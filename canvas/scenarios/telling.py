"""A run as people read it, line by line, in their language."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _

from canvas.models import ScenarioRun
from canvas.scenarios import scenarios
from canvas.scenarios.base import Check, Do, Scenario, Wait

DONE, GOOD, BAD, STOPPED, TIDY, UNTIDY, NOW = "done", "good", "bad", "stopped", "tidy", "untidy", "now"


@dataclass(frozen=True)
class Line:
    """One line of the story. `mark` is one of the words above."""

    mark: str
    text: str
    detail: str = ""
    at: datetime | None = None


def scenario_of(run: ScenarioRun) -> Scenario | None:
    """Return the scenario, or None when it is not installed any more."""
    return scenarios().get(run.scenario)


def lines_of(run: ScenarioRun, figures: dict[str, int] | None = None) -> list[Line]:
    """Return what was told so far and, while the story goes on, what it waits for; by fresher `figures`, if any."""
    scenario = scenario_of(run)
    if scenario is None:
        return []
    found = [_line(scenario, told) for told in run.lines]
    if run.is_over:
        return found
    if run.end or run.is_cancelled:
        return [*found, Line(NOW, _("Everything that the story broke is mended."))]
    if run.step < len(scenario.steps):
        step = scenario.steps[run.step]
        if isinstance(step, Wait):
            return [*found, Line(NOW, _filled(step.waiting, {**run.memory.get("look", {}), **(figures or {})}))]
        if isinstance(step, Do) and step.doing and "look" in run.memory:
            return [*found, Line(NOW, _filled(step.doing, run.memory["look"]))]
    return [*found, Line(NOW, _("The story goes on within seconds."))]


def checks_of(run: ScenarioRun) -> tuple[int, int]:
    """Return how many checks hold, and how many were made."""
    marks = [told["mark"] for told in run.lines]
    return marks.count(GOOD), marks.count(GOOD) + marks.count(BAD)


def _line(scenario: Scenario, told: dict[str, Any]) -> Line:
    mark, at = told["mark"], datetime.fromisoformat(told["at"])
    if mark == TIDY:
        return Line(mark, _("Tidied up: nothing is broken, and nobody enters any more."), at=at)
    if mark == UNTIDY:
        return Line(mark, _("Not everything could be tidied up."), told["problem"], at)
    step = scenario.steps[told["step"]] if told["step"] < len(scenario.steps) else None
    if step is None:
        return Line(mark, told["problem"], at=at)
    if mark == STOPPED:
        waited = _filled(step.waiting, told["figures"]) if isinstance(step, Wait) else ""
        text = told["problem"] or _("That took too long.")
        return Line(mark, text, waited, at)
    detail = _filled(step.figures, told["figures"]) if isinstance(step, Check) else ""
    return Line(mark, _filled(step.said, told["figures"]), detail, at)


class _Said(dict[str, Any]):
    """Figures for a sentence: numbers with separators, and a dash for what is not known."""

    def __missing__(self, key: str) -> str:
        return "–"


def _filled(sentence: str | Promise, figures: dict[str, Any]) -> str:
    shown = {name: f"{value:,}" if isinstance(value, int) else value for name, value in figures.items()}
    return str(sentence) % _Said(shown)
