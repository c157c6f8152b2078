"""The scenarios, found by looking into this folder: every module with a `scenario`."""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from canvas.scenarios.base import Scenario


@cache
def scenarios() -> dict[str, Scenario]:
    """Return all scenarios by slug, in the order of their page."""
    modules = [import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__)]
    found: list[Scenario] = [module.scenario for module in modules if hasattr(module, "scenario")]
    return {scenario.slug: scenario for scenario in sorted(found, key=lambda scenario: scenario.order)}
