"""The seven metrics, read from the counters that move together with the users; no large table is counted.

One statement reads the figures of all steps: a reader sees one moment, so the rule that Entered = Synced + Not Synced
+ Pending + Errored, which the database holds at every commit, holds for whoever looks.
"""

from dataclasses import asdict, dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from canvas.models import Canvas, Step
from canvas.reading import steps_of

# What people call each metric (product.md, section 5), in the order of tables.
METRICS: dict[str, str | Promise] = {
    "entered": _("Entered"),
    "proceeded": _("Proceeded to Next Step"),
    "synced": _("Users Synced"),
    "not_synced": _("Users Not Synced"),
    "pending": _("Users Pending"),
    "errored": _("Users Errored"),
    "exited": _("Exited Canvas"),
}
WAITING = pgettext_lazy("users in a delay", "Waiting")
SYNC_ONLY = ("synced", "not_synced", "pending", "errored")
PARTS = ("synced", "pending", "not_synced", "errored")  # of Entered, in the order of the bar
BAR = 1000  # width of the bar in its own units


@dataclass(frozen=True)
class Metrics:
    """The figures of one step at one moment; `waiting` is for steps that hold users."""

    entered: int = 0
    proceeded: int = 0
    synced: int = 0
    not_synced: int = 0
    pending: int = 0
    errored: int = 0
    exited: int = 0
    waiting: int = 0


@dataclass(frozen=True)
class Figure:
    """One number as pages show it: under which name, and which users stand behind it ("" when they can't be listed)."""

    key: str
    label: str | Promise
    value: int
    state: str


@dataclass(frozen=True)
class Part:
    """A part of the bar: where it begins and how wide it is, in its own units."""

    key: str
    label: str | Promise
    value: int
    x: int
    width: int


@dataclass(frozen=True)
class StepFigures:
    """A step and its figures."""

    step: Step
    metrics: Metrics

    @property
    def shown(self) -> list[Figure]:
        """Return the figures that this kind of step has."""
        return [figure for figure in self.columns if figure is not None]

    @property
    def columns(self) -> list[Figure | None]:
        """Return one figure for each of METRICS, None where this kind of step has none, and last who is waiting."""
        found: list[Figure | None] = []
        for key, label in METRICS.items():
            if key in SYNC_ONLY and self.step.sync is None:
                found.append(None)
            else:
                found.append(Figure(key, label, getattr(self.metrics, key), self._state(key)))
        is_delay = self.step.sync is None
        found.append(Figure("waiting", WAITING, self.metrics.waiting, "waiting") if is_delay else None)
        return found

    def _state(self, key: str) -> str:
        """Users pass a sync step at once, so whoever entered it also proceeded and, at the end, exited."""
        if self.step.sync is None:
            return ""
        return key if key in SYNC_ONLY else "entered"

    @property
    def bar(self) -> list[Part]:
        """Return Entered as one bar of its four parts; a part that has anybody can be seen."""
        if self.step.sync is None or not self.metrics.entered:
            return []
        parts = []
        seen = before = 0
        for key in PARTS:
            value = getattr(self.metrics, key)
            seen += value
            end = max(seen * BAR // self.metrics.entered, before + (6 if value else 0))
            parts.append(Part(key, METRICS[key], value, before, end - before))
            before = end
        return parts

    @property
    def legend(self) -> list[tuple[str, str | Promise]]:
        """Return the parts of the bar and what they are called."""
        return [(key, METRICS[key]) for key in PARTS]

    def as_dict(self) -> dict[str, int]:
        """Return the figures that this kind of step has, by the names that programs use."""
        keys = {figure.key for figure in self.shown}
        return {key: value for key, value in asdict(self.metrics).items() if key in keys}


def metrics(step: Step) -> Metrics:
    """Return the figures of one step now."""
    return next(found.metrics for found in figures_of(step.canvas) if found.step.pk == step.pk)


def figures_of(canvas: Canvas) -> list[StepFigures]:
    """Return the figures of all steps at one moment, in one query."""
    return [StepFigures(step, read(step)) for step in steps_of(canvas)]


def read(step: Step) -> Metrics:
    """Return the figures that came with a step of `steps_of`; asks the database nothing."""
    journey = getattr(step, "totals", None)
    entered, proceeded, exited = (getattr(journey, name, 0) for name in ("entered", "proceeded", "exited"))
    if step.sync is None:
        waiting = entered - proceeded - getattr(journey, "left", 0)
        return Metrics(entered=entered, proceeded=proceeded, exited=exited, waiting=waiting)
    sent = getattr(step.sync, "totals", None)
    return Metrics(
        entered=getattr(sent, "entered", 0),
        proceeded=proceeded,
        synced=getattr(sent, "synced", 0),
        not_synced=getattr(sent, "not_synced", 0),
        pending=getattr(sent, "pending", 0),
        errored=getattr(sent, "errored", 0),
        exited=exited,
    )
