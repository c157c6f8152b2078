"""Scenarios that are being told, or were."""

from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from canvas.models.canvas import Canvas
from pinsync.workspaces.models import Workspace


class ScenarioRun(models.Model):
    """One telling of a story with an end that is checked (canvas/scenarios/). Written by runs.py and running.py.

    Whoever moves `next_at` of a due run works on it. `end` is known before it is finished: what the story broke is
    mended in between.
    """

    class End(models.TextChoices):
        PASSED = "passed", _("All checks hold")
        FAILED = "failed", _("A check failed")
        CANCELLED = "cancelled", _("Cancelled")

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="scenario_runs", db_index=False)
    scenario = models.CharField(max_length=30)  # the name of a module in canvas/scenarios
    users = models.PositiveIntegerField()  # whom it makes up
    canvas = models.ForeignKey(Canvas, models.SET_NULL, null=True, blank=True, related_name="+")  # the latest one
    step = models.PositiveSmallIntegerField(default=0)  # which comes next
    step_since = models.DateTimeField()
    lines: "models.JSONField[Any, Any]" = models.JSONField(default=list, blank=True)  # told so far; running.py
    memory: "models.JSONField[Any, Any]" = models.JSONField(default=dict, blank=True)  # ids and figures for later steps
    samples: "models.JSONField[Any, Any]" = models.JSONField(default=list, blank=True)  # samples.Sample, as lists
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    started_at = models.DateTimeField()
    next_at = models.DateTimeField(null=True, blank=True)
    is_cancelled = models.BooleanField(default=False)  # asked for; whoever works on it next ends it
    end = models.CharField(max_length=10, choices=End.choices, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)  # everything is mended

    class Meta:
        verbose_name = _("scenario run")
        verbose_name_plural = _("scenario runs")
        constraints = (
            models.UniqueConstraint(
                fields=("workspace",), condition=models.Q(finished_at__isnull=True), name="scenario_one_at_a_time"
            ),
            models.CheckConstraint(
                condition=models.Q(next_at__isnull=False, finished_at__isnull=True)
                | (models.Q(next_at__isnull=True, finished_at__isnull=False) & ~models.Q(end="")),
                name="scenario_run_goes_on_or_ended",
            ),
        )
        indexes = (
            models.Index(fields=("workspace", "-id"), name="scenario_run_of_workspace"),
            models.Index(fields=("next_at",), condition=models.Q(next_at__isnull=False), name="scenario_run_due"),
        )

    def __str__(self) -> str:
        return f"Scenario run {self.pk}: {self.scenario}"

    @property
    def is_over(self) -> bool:
        return self.finished_at is not None
