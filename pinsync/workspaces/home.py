"""What the home page shows: panels and first steps that the apps above hand in, so that this app need not know them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.utils.functional import Promise

from pinsync.workspaces.models import Workspace


@dataclass(frozen=True)
class Panel:
    """A template and its context, which the template finds under `panel`; it brings its own card."""

    template: str
    context: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class FirstStep:
    """Something to do before anything flows; shown, with the others, until all are done."""

    label: str | Promise
    help: str | Promise
    url: str
    done: bool


PanelSource = Callable[[Workspace], Panel | None]
StepSource = Callable[[Workspace], FirstStep]
_panels: dict[str, tuple[int, PanelSource]] = {}
_first_steps: dict[str, tuple[int, StepSource]] = {}


def register(name: str, source: PanelSource, *, order: int = 100) -> None:
    """Show what `source(workspace)` returns on every home page, lowest order first; None shows nothing."""
    _panels[name] = (order, source)


def register_first_step(name: str, source: StepSource, *, order: int = 100) -> None:
    """Ask for `source(workspace)` on the home page of a workspace that is not set up yet, lowest order first."""
    _first_steps[name] = (order, source)


def panels(workspace: Workspace) -> list[Panel]:
    """Return the panels of a workspace's home page in their order."""
    found = [source(workspace) for _order, source in sorted(_panels.values(), key=lambda pair: pair[0])]
    return [panel for panel in found if panel is not None]


def first_steps(workspace: Workspace) -> list[FirstStep]:
    """Return what is to be done first, in its order, or nothing when all of it is done."""
    steps = [source(workspace) for _order, source in sorted(_first_steps.values(), key=lambda pair: pair[0])]
    return [] if all(step.done for step in steps) else steps
