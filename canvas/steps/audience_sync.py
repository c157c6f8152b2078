"""Audience Sync: users are added to, or removed from, an audience at a technology partner."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from canvas.models import Step
from canvas.steps.base import PassingKind
from integrations.delivery import entering
from integrations.models import AudienceSync
from integrations.problems import Problem
from pinsync.profiles.models import Profile


class AudienceSyncKind(PassingKind):
    """Its settings are an AudienceSync. A change later counts for those who arrive after it."""

    slug = "audience_sync"
    label = gettext_lazy("Audience Sync")
    icon = "users"
    description = gettext_lazy("Users are added to an audience at a technology partner, or taken out of it.")
    default_name = gettext_lazy("Audience Sync")
    editor_button = gettext_lazy("Custom Audience")
    menu_order = 10
    editor_template = "canvas/steps/audience_sync.html"

    def prepare(self, step: Step) -> None:
        step.sync = AudienceSync.objects.create(workspace=step.canvas.workspace)

    def dispose(self, step: Step) -> None:
        if step.sync is not None:
            step.sync.delete()

    def form(self, step: Step, data: Mapping[str, Any] | None = None) -> forms.BaseForm:
        raise NotImplementedError

    def problems(self, step: Step) -> list[Problem]:
        return []

    def summary(self, step: Step) -> list[tuple[str | Promise, str]]:
        return []

    def receive(self, step: Step, profiles: "QuerySet[Profile]", *, now: datetime) -> None:
        if step.sync is None:
            raise ValueError(f"{step} has no AudienceSync.")
        entering.enter(step.sync, profiles, now=now)


kind = AudienceSyncKind()
