"""What a scenario is made of: a title, a story, and steps that do something, wait for something, or check something.

A new scenario is one new file beside this one with a `Scenario` called `scenario`. Its steps go through the same doors
as a person and know no partner but by its contract. What a step finds out is kept as figures; the sentences that tell
of them are made when somebody reads, in the reader's language.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _

from canvas.models import Canvas, ScenarioRun
from canvas.models.scenario import ScenarioRun as Run
from integrations import registry
from integrations.contract import AudiencePartner, Playground
from integrations.models import AdAccount, Audience, Connection
from pinsync.profiles.models import Import
from pinsync.workspaces.models import Role, User, Workspace

Figures = dict[str, Any]  # plain values for JSON, and for the sentence of the step
PATIENCE = timedelta(minutes=5)


class StoryEnds(Exception):
    """The story cannot go on; `str()` is the sentence for people."""


@dataclass(frozen=True)
class Look:
    """What somebody who looks sees: whether it is as it should be, and the figures."""

    holds: bool
    figures: Figures = field(default_factory=dict)


@dataclass
class Stage:
    """One telling, for its steps: where it is told, and what it remembers.

    `memory` is saved with each step. What a step breaks it notes with `remember` before: a process that dies in
    between leaves a note of what is to be mended.
    """

    run: ScenarioRun
    partner: AudiencePartner
    ground: Playground
    clock: Callable[[], datetime]
    save: Callable[[], None]

    @property
    def memory(self) -> Figures:
        found: Figures = self.run.memory
        return found

    @property
    def workspace(self) -> Workspace:
        return self.run.workspace

    @property
    def user(self) -> User | None:
        return self.run.created_by

    def remember(self, **figures: Any) -> None:
        self.memory.update(figures)
        self.save()

    @property
    def audience(self) -> Audience:
        """Return the audience of the story, as it is now."""
        related = Audience.objects.select_related("ad_account__connection__workspace")
        return related.get(pk=self.memory["audience"])

    @property
    def ad_account(self) -> AdAccount:
        return AdAccount.objects.select_related("connection__workspace").get(pk=self.memory["ad_account"])

    @property
    def connection(self) -> Connection:
        return Connection.objects.get(workspace=self.workspace, partner=self.partner.slug)

    @property
    def canvas(self) -> Canvas:
        """Return the Canvas that was built last, as it is now."""
        return Canvas.objects.select_related("workspace").get(pk=self.run.canvas_id or 0)

    def users(self, part: str = "") -> Import:
        """Return the made-up users, or a part of them."""
        return Import.objects.get(pk=self.memory[f"users{part}"])


Act = Callable[[Stage], Figures | None]  # None: there is more to do, call again
Eye = Callable[[Stage], Look]


@dataclass(frozen=True)
class Do:
    """Something is done. After a crash it is done again, so it looks first for what is there already."""

    said: str | Promise
    act: Act
    doing: str | Promise = ""  # while there is more to do


@dataclass(frozen=True)
class Wait:
    """The story goes on when `look` holds; longer than `most` is its end."""

    waiting: str | Promise
    said: str | Promise
    look: Eye
    most: timedelta = PATIENCE


@dataclass(frozen=True)
class Check:
    """A claim, and the figures that prove it or do not."""

    said: str | Promise
    figures: str | Promise
    look: Eye


Step = Do | Wait | Check


def _nothing(stage: Stage) -> bool:
    return True


@dataclass(frozen=True)
class Scenario:
    """A story. `tidy` mends what its steps broke and returns whether all is well; it is called until it is."""

    slug: str
    order: int
    title: str | Promise
    story: str | Promise
    icon: str
    lasts: str | Promise
    users: int
    steps: tuple[Step, ...]
    role: Role = Role.EDITOR  # who may start it: it does what this person might
    tidy: Callable[[Stage], bool] = _nothing

    @property
    def checks(self) -> int:
        return sum(isinstance(step, Check) for step in self.steps)


def stage_of(run: Run, clock: Callable[[], datetime], save: Callable[[], None]) -> Stage:
    """Raises StoryEnds where the partner has no playground any more."""
    partner = registry.partner(run.memory["partner"])
    ground = partner.playground()
    if ground is None:
        raise StoryEnds(_("%(partner)s has no playground here.") % {"partner": partner.name})
    return Stage(run, partner, ground, clock, save)
