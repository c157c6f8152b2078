"""The journey as a picture that moves: how many are where, how many come through a second, and whom the audience holds.

Numbers for templates; nothing here knows colours. How fast users move is told by levels, so that the motion stays calm
however many they are.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models import Sum

from canvas.analytics import figures_of
from canvas.analytics.figures import StepFigures
from canvas.models import Canvas
from canvas.samples import Sample, sample_of
from integrations.models import Audience, Operation, SyncTotals

LEVELS = 4  # of motion; 0 is none
LATELY = 4.0  # seconds back to which "now" is compared
PARTS = ("synced", "pending", "not_synced", "errored")


@dataclass(frozen=True)
class Picture:
    """One Canvas: its steps with their figures, and who came in and out."""

    canvas: Canvas
    steps: list[StepFigures]

    @property
    def entered(self) -> int:
        return self.steps[0].metrics.entered if self.steps else 0

    @property
    def exited(self) -> int:
        return self.steps[-1].metrics.exited if self.steps else 0


@dataclass(frozen=True)
class Count:
    """What we say that an audience holds: who was added, less who was removed, by all Canvases of the workspace."""

    audience: Audience
    said: int
    pending: int
    has_removals: bool


@dataclass(frozen=True)
class Scene:
    """Some Canvases at one moment."""

    pictures: list[Picture]
    now: Sample

    @property
    def tiles(self) -> list[tuple[str, int]]:
        """Return the large numbers, by the names of the metrics."""
        values = {part: getattr(self.now, part) for part in PARTS}
        return [("entered", sum(values.values())), *values.items()]

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
        came = sum(value for _name, value in self.tiles[1:]) - sum(before[1:5])
        return {"in": level(came / seconds), "out": level((self.now.synced - before[2]) / seconds)}


def scene(canvases: Iterable[Canvas], seconds: float) -> Scene:
    """Return the Canvases as they are, `seconds` after the start. One query for each."""
    pictures = [Picture(canvas, figures_of(canvas)) for canvas in canvases]
    return Scene(pictures, sample_of((step for picture in pictures for step in picture.steps), seconds))


def level(per_second: float) -> int:
    """Return the level of motion for so many users a second: one more for each power of ten."""
    return 0 if per_second <= 0 else max(1, min(LEVELS, 1 + math.floor(math.log10(max(per_second, 1)))))
