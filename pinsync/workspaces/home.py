"""What the home page shows: panels that the apps above hand in, so that this app need not know them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pinsync.workspaces.models import Workspace


@dataclass(frozen=True)
class Panel:
    """A template and its context, which the template finds under `panel`; it brings its own card."""

    template: str
    context: dict[str, Any] = field(default_factory=dict)


Source = Callable[[Workspace], Panel | None]
_sources: dict[str, tuple[int, Source]] = {}


def register(name: str, source: Source, *, order: int = 100) -> None:
    """Show what `source(workspace)` returns on every home page, lowest order first; None shows nothing."""
    _sources[name] = (order, source)


def panels(workspace: Workspace) -> list[Panel]:
    """Return the panels of a workspace's home page in their order."""
    found = [source(workspace) for _order, source in sorted(_sources.values(), key=lambda pair: pair[0])]
    return [panel for panel in found if panel is not None]
