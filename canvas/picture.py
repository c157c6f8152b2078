"""The journey as a picture that moves: how many are where, how many come through a second, and whom the audience holds.

Numbers for templates; nothing here knows colours. How fast users move is told by levels, so that the motion stays calm
however many they are.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models import Sum

from canvas.analytics import figures_of
from canvas.analytics.figures import METRICS, Metrics, StepFigures
from canvas.models import Canvas
from canvas.run_figures import Kept, kept, since, together
from canvas.samples import Sample, sample_of
from integrations.models import Audience, Operation, SyncTotals

LEVELS = 4  # of motion; 0 is none
LATELY = 4.0  # seconds back to which "now" is compared


@dataclass(frozen=True)
class Picture:
    """One Canvas: its steps with their figures since what is watched began, and who came in and out of it since."""

    canvas: Canvas
    steps: list[StepFigures]
    entered: int = 0
    exited: int = 0


@dataclass(frozen=True)
class Count:
    """What we say that an audience holds: who was added, less who was removed, by all Canvases of the workspace."""

    audience: Audience
    said: int
    pending: int
    has_removals: bool


@dataclass(frozen=True)
class Scene:
    """Some Canvases at one moment: what became of users since what is watched began; `now` counts from their launch.

    `taken_over` are those among Entered who had entered before. `has_earlier`: the Canvases have figures from then.
    """

    pictures: list[Picture]
    now: Sample
    sums: Metrics
    taken_over: int
    has_earlier: bool

    @property
    def tiles(self) -> list[tuple[str, int]]:
        """Return the seven metrics of all sync steps together, by name, in the order of METRICS."""
        return [(key, getattr(self.sums, key)) for key in METRICS]

    @property
    def counts(self) -> list[Count]:
        """Return the audiences that the Canvases write to, each once, with what all steps together brought there."""
        syncs = [step.step.sync for picture in self.pictures for step in picture.steps]
        audiences = {
            sync.audience.pk: sync.audience for sync in syncs if sync is not None and sync.audience is not None
        }
        figures = SyncTotals.objects.filter(sync__audience__in=audiences).order_by()
        rows = figures.values_list("sync__audience", "sync__operation").annotate(Sum("synced"), Sum("pending"))
        found = {pk: Count(audience, 0, 0, False) for pk, audience in audiences.items()}
        for pk, operation, synced, pending in rows:
            removes, before = operation == Operation.REMOVE, found[pk]
            found[pk] = Count(
                before.audience,
                before.said + (-synced if removes else synced),
                before.pending + pending,
                before.has_removals or removes,
            )
        return list(found.values())

    def levels(self, samples: Sequence[Sequence[float]]) -> dict[str, int]:
        """Return how lively users come in, and how lively they arrive at the partner."""
        before = next(
            (sample for sample in reversed(samples) if sample[0] <= self.now.seconds - LATELY),
            samples[0] if samples else None,
        )
        if before is None:
            return {"in": 0, "out": 0}
        seconds = max(self.now.seconds - before[0], 1.0)
        came = sum(self.now.as_list()[1:]) - sum(before[1:5])
        return {"in": level(came / seconds), "out": level((self.now.synced - before[2]) / seconds)}


def scene(canvases: Iterable[Canvas], seconds: float, before: Kept, after: Kept | None = None) -> Scene:
    """Return the Canvases as they are, `seconds` after the start, or as they were in the end. One query for each."""
    pictures, every = [], []
    for canvas in canvases:
        found = figures_of(canvas)
        if after is not None:
            found = [StepFigures(each.step, kept(each.step.pk, after)) for each in found]
        every += found
        pictures.append(_picture(canvas, found, before))
    now = together((each.step.sync is not None, each.metrics) for each in every)
    then = together((each.step.sync is not None, kept(each.step.pk, before)) for each in every)
    sums = since(now, then)
    has_earlier = any(any(figures.values()) for figures in before.values())
    return Scene(pictures, sample_of(every, seconds), sums, sums.entered - (now.entered - then.entered), has_earlier)


def _picture(canvas: Canvas, found: list[StepFigures], before: Kept) -> Picture:
    steps = [StepFigures(each.step, since(each.metrics, kept(each.step.pk, before))) for each in found]
    if not found:
        return Picture(canvas, [])
    came = found[0].metrics.entered - kept(found[0].step.pk, before).entered
    return Picture(canvas, steps, came, steps[-1].metrics.exited)


def level(per_second: float) -> int:
    """Return the level of motion for so many users a second: one more for each power of ten."""
    return 0 if per_second <= 0 else max(1, min(LEVELS, 1 + math.floor(math.log10(max(per_second, 1)))))
