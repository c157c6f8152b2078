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
# What each counts, for those who ask.
MEANINGS: dict[str, str | Promise] = {
    "entered": _("Entries into this step. A user who enters again is counted again."),
    "proceeded": _("Entries that moved on. After the last step everybody moves on by themselves."),
    "synced": _("Accepted by the partner. Accepted is not matched: the partner does not say whom it recognised."),
    "not_synced": _("Not sent: no usable value in the chosen fields, or another reason known before sending."),
    "pending": _("Waiting for their request, in one that is under way, or between two attempts."),
    "errored": _("Given up after about 13 hours of attempts, or refused by the partner one by one."),
    "exited": _("Left the Canvas because this was its last step."),
    "waiting": _("Held by this step until their time has come."),
}
WAITING = pgettext_lazy("users in a delay", "Waiting")
SYNC_ONLY = ("synced", "not_synced", "pending", "errored")
PARTS = ("synced", "not_synced", "pending", "errored")  # of Entered, in the order of the bar
BAR = 1000  # width of the bar in its own units
THIN = 6  # of it, so that a part with anybody in it can be seen
TENTHS = 1000  # of a percent in a whole


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

    @property
    def meaning(self) -> str | Promise:
        return MEANINGS[self.key]


@dataclass(frozen=True)
class Part:
    """A part of the bar: where it begins and how wide it is, in its own units, and its share of the whole."""

    key: str
    label: str | Promise
    value: int
    x: int
    width: int
    share: float  # in percent, to a tenth; of all parts together they are 100

    @property
    def meaning(self) -> str | Promise:
        return MEANINGS[self.key]

    @property
    def is_trace(self) -> bool:
        """Return whether there is somebody, but too few for a tenth of a percent."""
        return bool(self.value) and not self.share


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
        values = {key: getattr(self.metrics, key) for key in PARTS}
        widths = _widths(list(values.values()))
        shares = _portions(list(values.values()), TENTHS)
        return [
            Part(key, METRICS[key], value, sum(widths[:place]), widths[place], shares[place] / 10)
            for place, (key, value) in enumerate(values.items())
        ]

    @property
    def legend(self) -> list[tuple[str, str | Promise]]:
        """Return the parts of the bar and what they are called."""
        return [(key, METRICS[key]) for key in PARTS]

    def as_dict(self) -> dict[str, int]:
        """Return the figures that this kind of step has, by the names that programs use."""
        keys = {figure.key for figure in self.shown}
        return {key: value for key, value in asdict(self.metrics).items() if key in keys}


def _portions(values: list[int], whole: int) -> list[int]:
    """Divide a whole in the proportion of these values; what rounding leaves over goes where most was lost."""
    total = sum(values)
    found = [value * whole // total for value in values]
    by_loss = sorted(range(len(values)), key=lambda place: values[place] * whole % total, reverse=True)
    for place in by_loss[: whole - sum(found)]:
        found[place] += 1
    return found


def _widths(values: list[int]) -> list[int]:
    """Divide the bar so that everybody can be seen: thin parts take what they lack from the widest."""
    widths = _portions(values, BAR)
    for place, value in enumerate(values):
        lacks = THIN - widths[place]
        if value and lacks > 0:
            widths[place] += lacks
            widths[widths.index(max(widths))] -= lacks
    return widths


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
