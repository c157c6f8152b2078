"""What a user's page shows beside their data: panels that the apps above hand in, unknown to this one."""

from collections.abc import Callable

from pinsync.profiles.models import Profile
from pinsync.workspaces.home import Panel

Source = Callable[[Profile], Panel | None]
_sources: dict[str, tuple[int, Source]] = {}


def register(name: str, source: Source, *, order: int = 100) -> None:
    """Show what `source(profile)` returns on every user's page, lowest order first; None shows nothing."""
    _sources[name] = (order, source)


def panels(profile: Profile) -> list[Panel]:
    """Return the panels of a user's page in their order."""
    found = [source(profile) for _order, source in sorted(_sources.values(), key=lambda pair: pair[0])]
    return [panel for panel in found if panel is not None]
