"""The kinds of steps, found by looking into this folder: every module with a `kind`."""

from collections.abc import Sequence
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from canvas.models import Step
from canvas.steps.base import StepKind
from integrations.problems import Problem


@cache
def kinds() -> dict[str, StepKind]:
    """Return all kinds by slug, in the order of the component menu."""
    modules = [import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__)]
    found: list[StepKind] = [module.kind for module in modules if hasattr(module, "kind")]
    return {kind.slug: kind for kind in sorted(found, key=lambda kind: (kind.menu_order, kind.slug))}


def kind_of(step: Step) -> StepKind:
    """Raises KeyError when the kind is not installed any more."""
    return kinds()[step.kind]


def problems_of(steps: Sequence[Step]) -> dict[int, list[Problem]]:
    """Return what keeps each step from working, by its id: as many queries as there are kinds, not steps."""
    found: dict[int, list[Problem]] = {}
    for slug in {step.kind for step in steps}:
        found |= kinds()[slug].problems_of([step for step in steps if step.kind == slug])
    return found
