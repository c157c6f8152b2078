"""Delay: users wait, then go on."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from canvas.models import Step
from canvas.steps.base import WaitingKind
from integrations.problems import Problem

LONGEST = timedelta(days=366)
UNITS = {
    "minutes": timedelta(minutes=1),
    "hours": timedelta(hours=1),
    "days": timedelta(days=1),
    "weeks": timedelta(weeks=1),
}
DEFAULT = {"amount": 1, "unit": "days"}


class DelayForm(forms.Form):
    """How long users wait."""

    name = forms.CharField(label=gettext_lazy("Name of the step"), max_length=120)
    amount = forms.IntegerField(label=gettext_lazy("Wait for"), min_value=1)
    unit = forms.ChoiceField(
        label=gettext_lazy("Unit"),
        choices=(
            ("minutes", gettext_lazy("minutes")),
            ("hours", gettext_lazy("hours")),
            ("days", gettext_lazy("days")),
            ("weeks", gettext_lazy("weeks")),
        ),
    )

    def __init__(self, step: Step, data: Mapping[str, Any] | None = None) -> None:
        self.step = step
        super().__init__(data, initial={"name": step.name, **DEFAULT, **step.settings})

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if "amount" in data and "unit" in data and data["amount"] > LONGEST / UNITS[data["unit"]]:
            self.add_error("amount", _("A user can wait for a year at most."))
        return data

    def save(self) -> None:
        self.step.name = self.cleaned_data["name"]
        self.step.settings = {"amount": self.cleaned_data["amount"], "unit": self.cleaned_data["unit"]}
        self.step.save(update_fields=["name", "settings"])


class Delay(WaitingKind):
    """Its settings are `amount` and `unit`; a change later counts for those who arrive after it."""

    slug = "delay"
    label = gettext_lazy("Delay")
    icon = "clock"
    description = gettext_lazy("Users wait for a while, then go on to the next step.")
    default_name = gettext_lazy("Delay")
    editor_button = gettext_lazy("Set delay")
    menu_order = 20

    def prepare(self, step: Step) -> None:
        step.settings = {**DEFAULT, **step.settings}

    def form(self, step: Step, data: Mapping[str, Any] | None = None) -> DelayForm:
        return DelayForm(step, data)

    def problems(self, step: Step) -> list[Problem]:
        return []

    def summary(self, step: Step) -> list[tuple[str | Promise, str]]:
        amount, unit = self._setting(step)
        said = {
            "minutes": ngettext("%(count)s minute", "%(count)s minutes", amount),
            "hours": ngettext("%(count)s hour", "%(count)s hours", amount),
            "days": ngettext("%(count)s day", "%(count)s days", amount),
            "weeks": ngettext("%(count)s week", "%(count)s weeks", amount),
        }
        return [(_("Wait for"), said[unit] % {"count": amount})]

    def wait_until(self, step: Step, *, now: datetime) -> datetime:
        amount, unit = self._setting(step)
        return now + amount * UNITS[unit]

    def _setting(self, step: Step) -> tuple[int, str]:
        setting = {**DEFAULT, **step.settings}
        return int(setting["amount"]), str(setting["unit"])


kind = Delay()
