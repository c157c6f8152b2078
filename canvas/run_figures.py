"""The figures of one run of the simulator: what became of users since it began, until now or until its end.

The figures of all steps are kept with the run, as one statement read them when it began and when it ended; what lies
between is the run's. Flows are differences. Who is pending or waits in a Delay is whoever does so now, and that may
be somebody from before the run: their outcome falls into it. So those who were pending when it began count as entered
in it, and Entered = Synced + Not Synced + Pending + Errored holds for every two readings. Likewise those who had been
settled and are sent again meanwhile (Retry, Recreate): a figure that they lowered is 0, not less.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields

from canvas.analytics.figures import PARTS, Metrics, StepFigures

Kept = Mapping[str, Mapping[str, int]]  # the figures of each step, by its id
LEVELS = ("pending", "waiting")  # what is, not what happened


def keep(steps: Iterable[StepFigures]) -> dict[str, dict[str, int]]:
    """Return figures as a run keeps them."""
    return {str(each.step.pk): asdict(each.metrics) for each in steps}


def kept(step: int, figures: Kept) -> Metrics:
    """Return what is kept of a step; nothing happened yet at one that is not there."""
    return Metrics(**figures.get(str(step), {}))


def since(now: Metrics, before: Metrics) -> Metrics:
    """Return what became of users between two readings."""
    found = {
        each.name: getattr(now, each.name) - (0 if each.name in LEVELS else getattr(before, each.name))
        for each in fields(Metrics)
    }
    found = {name: max(value, 0) for name, value in found.items()}
    return Metrics(**found | {"entered": sum(found[part] for part in PARTS)})


def together(steps: Iterable[tuple[bool, Metrics]]) -> Metrics:
    """Add up the figures of sync steps, and who left after the last of all. Each says whether it syncs."""
    found = dict.fromkeys((each.name for each in fields(Metrics)), 0)
    for is_sync, figures in steps:
        for name, value in asdict(figures).items():
            if is_sync or name == "exited":
                found[name] += value
    return Metrics(**found)
