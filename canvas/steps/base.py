"""What a kind of step must offer.

A new kind is one new file beside this one: a subclass of PassingKind or WaitingKind and an instance of it called
`kind`. Its settings live in `Step.settings`; the rest (menu, card, editor, launch check, journey) follows.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.http import QueryDict
from django.utils.functional import Promise

from canvas.models import Step
from integrations.problems import Problem
from pinsync.profiles.models import Profile
from pinsync.workspaces.models import User


@dataclass(frozen=True)
class Notice:
    """What the editor says at its top after it did something."""

    text: str
    good: bool = True
    url: str = ""
    link: str = ""


@dataclass
class Editor:
    """A step editor as it stands: its form, and whether it can close."""

    form: forms.BaseForm
    done: bool = False
    notice: Notice | None = None


class StepKind(ABC):
    """One kind of step. `slug` is its module's name and stands in Step.kind."""

    slug: str
    label: str | Promise
    icon: str
    description: str | Promise
    default_name: str | Promise
    editor_button: str | Promise
    menu_order: int
    editor_template = "canvas/steps/form.html"
    card_template = "canvas/steps/card.html"

    def prepare(self, step: Step) -> None:  # noqa: B027  most kinds need nothing
        """Give a step that is about to be saved for the first time what it needs."""

    def dispose(self, step: Step) -> None:  # noqa: B027
        """Take away what `prepare` made; the step is deleted already."""

    def keep(self, step: Step) -> dict[str, Any]:
        """Return what the step is set to as plain values, from which `bring_back` makes the same again."""
        return dict(step.settings)

    def copy(self, step: Step) -> dict[str, Any]:
        """Return of that what a step of another Canvas may begin with."""
        return self.keep(step)

    def bring_back(self, step: Step, kept: Mapping[str, Any]) -> None:
        """Do as `prepare` for a step that is to be set to what was kept, as far as that still exists."""
        step.settings = dict(kept)
        self.prepare(step)

    @abstractmethod
    def form(self, step: Step, data: Mapping[str, Any] | None = None) -> forms.BaseForm:
        """Return the form of the editor; it has a `save()`."""

    def open(self, step: Step) -> Editor:
        """Return the editor as saved."""
        return Editor(self.form(step))

    def submit(self, step: Step, data: QueryDict, *, user: User, now: datetime) -> Editor:
        """Do what a button of the editor asks. No transaction may be open: a kind may call a partner."""
        form = self.form(step, data)
        if not form.is_valid():
            return Editor(form)
        form.save()  # type: ignore[attr-defined]
        return Editor(form, done=True)

    @abstractmethod
    def problems(self, step: Step) -> list[Problem]:
        """Return what keeps the step from working, as sentences; one without a page is mended in the editor.

        Calls nobody.
        """

    def problems_of(self, steps: Sequence[Step]) -> dict[int, list[Problem]]:
        """Return the problems of each by its id; a kind that asks the database does so once for all."""
        return {step.pk: self.problems(step) for step in steps}

    @abstractmethod
    def summary(self, step: Step) -> list[tuple[str | Promise, str]]:
        """Return what the card says about the settings: labels and values."""


class PassingKind(StepKind):
    """Users go through at once, whatever becomes of what the step does."""

    @abstractmethod
    def receive(self, step: Step, profiles: "QuerySet[Profile]", *, now: datetime) -> None:
        """Take these users, in the caller's transaction and in SQL: never a loop over users."""


class WaitingKind(StepKind):
    """Users stay for a while."""

    @abstractmethod
    def wait_until(self, step: Step, *, now: datetime) -> datetime:
        """Return when users who arrive now go on."""
