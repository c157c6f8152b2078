"""What a live page's chart is drawn of: the figures of some Canvases, written down now and then."""

from collections.abc import Iterable
from dataclasses import dataclass

from canvas.analytics import figures_of
from canvas.analytics.figures import StepFigures
from canvas.models import Canvas

MOST_SAMPLES = 400


@dataclass(frozen=True)
class Sample:
    """The figures of all sync steps of the Canvas, `seconds` after the start."""

    seconds: float
    pending: int
    synced: int
    not_synced: int
    errored: int

    def as_list(self) -> list[float]:
        return [round(self.seconds, 1), self.pending, self.synced, self.not_synced, self.errored]


def measure_all(canvases: Iterable[Canvas], seconds: float) -> Sample:
    """Return the figures of some Canvases together."""
    return sample_of((each for canvas in canvases for each in figures_of(canvas)), seconds)


def sample_of(steps: Iterable[StepFigures], seconds: float) -> Sample:
    """Return the sums of these figures; only sync steps have any."""
    found = [each.metrics for each in steps if each.step.sync_id]
    return Sample(
        seconds,
        sum(figures.pending for figures in found),
        sum(figures.synced for figures in found),
        sum(figures.not_synced for figures in found),
        sum(figures.errored for figures in found),
    )


def thinned(samples: list[list[float]]) -> list[list[float]]:
    """Drop every other sample when there are too many, never the first or the latest."""
    return samples if len(samples) <= MOST_SAMPLES else [*samples[:-1:2], samples[-1]]
