"""What the home page shows: panels, what needs attention, first steps. The apps above hand them in.

So this app need not know them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils.functional import Promise

from pinsync.workspaces.models import Role, Workspace


@dataclass(frozen=True)
class Attention:
    """Something that a person must mend: one sentence, what it holds up, and the page whose button mends it."""

    text: str
    url: str
    action: str | Promise  # what to do there, on the button
    detail: str = ""
    stops: tuple[tuple[str, str], ...] = ()  # (name, address) of what it holds up
    is_urgent: bool = True  # users wait or are lost because of it; else they will, or nobody is harmed yet
    role: Role = Role.VIEWER  # who may do it; to others the page says whom to ask


@dataclass(frozen=True)
class Panel:
    """A template and its context, which the template finds under `panel`; it brings its own card.

    Without a template there is no card, only what needs attention.
    """

    template: str = ""
    context: dict[str, Any] = field(default_factory=dict)
    attention: tuple[Attention, ...] = ()


@dataclass(frozen=True)
class FirstStep:
    """Something to do before anything flows; shown, with the others, until all are done."""

    label: str | Promise
    help: str | Promise
    url: str
    done: bool
    role: Role = Role.VIEWER  # who may open that page


PanelSource = Callable[[Workspace, datetime], Panel | None]
StepSource = Callable[[Workspace], FirstStep]
_panels: dict[str, tuple[int, PanelSource]] = {}
_first_steps: dict[str, tuple[int, StepSource]] = {}


def register(name: str, source: PanelSource, *, order: int = 100) -> None:
    """Show what `source(workspace, now)` returns on every home page, lowest order first; None shows nothing."""
    _panels[name] = (order, source)


def register_first_step(name: str, source: StepSource, *, order: int = 100) -> None:
    """Ask for `source(workspace)` on the home page of a workspace that is not set up yet, lowest order first."""
    _first_steps[name] = (order, source)


def panels(workspace: Workspace, now: datetime) -> list[Panel]:
    """Return the panels of a workspace's home page in their order."""
    found = [source(workspace, now) for _order, source in sorted(_panels.values(), key=lambda pair: pair[0])]
    return [panel for panel in found if panel is not None]


def attention(found: list[Panel]) -> list[Attention]:
    """Return what the panels want looked at: the urgent first, else in their order."""
    return sorted((each for panel in found for each in panel.attention), key=lambda each: not each.is_urgent)


def first_steps(workspace: Workspace) -> list[FirstStep]:
    """Return what is to be done first, in its order, or nothing when all of it is done."""
    steps = [source(workspace) for _order, source in sorted(_first_steps.values(), key=lambda pair: pair[0])]
    return [] if all(step.done for step in steps) else steps
