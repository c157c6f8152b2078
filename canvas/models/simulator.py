"""Runs of the simulator."""

from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from canvas.models.canvas import Canvas
from pinsync.profiles.models import Import, Segment
from pinsync.workspaces.models import Workspace


class SimulatorRun(models.Model):
    """Users on their way into a Canvas in a chosen pattern, so that one can watch them. Written by simulator.py.

    Whoever moves `next_at` of a due run works on it; a run without one is over.
    """

    class Source(models.TextChoices):
        SEGMENT = "segment", _("A segment")
        SAMPLE = "sample", _("The bundled customer export")
        MADE_UP = "made_up", _("Made-up users")

    class Pattern(models.TextChoices):
        BURST = "burst", _("All at once")
        STEADY = "steady", _("At a steady rate")
        SPIKES = "spikes", _("In spikes")
        FRIDAY = "friday", _("As on Black Friday")

    class End(models.TextChoices):
        DONE = "done", _("Done")
        STOPPED = "stopped", _("Stopped")
        CANVAS_STOPPED = "canvas_stopped", _("The Canvas was stopped")
        NO_USERS = "no_users", _("The users could not be read")

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="simulator_runs", db_index=False)
    canvas = models.ForeignKey(Canvas, models.CASCADE, related_name="simulator_runs")
    source = models.CharField(max_length=10, choices=Source.choices)
    segment = models.ForeignKey(Segment, models.SET_NULL, null=True, blank=True, related_name="+")  # NULL: everybody
    users = models.ForeignKey(Import, models.SET_NULL, null=True, blank=True, related_name="+")  # of sample and made-up
    number = models.PositiveIntegerField(default=0)  # of made-up users
    missing_percent = models.PositiveSmallIntegerField(default=0)  # of those without a usable value
    pattern = models.CharField(max_length=10, choices=Pattern.choices)
    per_second = models.PositiveIntegerField(default=0)  # on average; 0 for a burst
    total = models.PositiveIntegerField(null=True, blank=True)  # NULL until the users are known
    sent = models.PositiveIntegerField(default=0)  # taken to the door
    entered = models.PositiveIntegerField(default=0)  # let in
    last_profile_id = models.BigIntegerField(default=0)  # how far `sent` has come
    before: "models.JSONField[Any, Any]" = models.JSONField(default=dict, blank=True)  # run_figures.Kept, as it began
    after: "models.JSONField[Any, Any]" = models.JSONField(null=True, blank=True)  # the same, as it ended
    samples: "models.JSONField[Any, Any]" = models.JSONField(default=list, blank=True)  # samples.Sample, as lists
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    started_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)  # the last user was taken to the door
    next_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    end = models.CharField(max_length=20, choices=End.choices, blank=True)

    class Meta:
        verbose_name = _("simulator run")
        verbose_name_plural = _("simulator runs")
        constraints = (
            models.CheckConstraint(
                condition=models.Q(next_at__isnull=False, finished_at__isnull=True, end="")
                | (models.Q(next_at__isnull=True, finished_at__isnull=False) & ~models.Q(end="")),
                name="simulator_run_goes_on_or_ended",
            ),
        )
        indexes = (
            models.Index(fields=("workspace", "-id"), name="simulator_run_of_workspace"),
            models.Index(fields=("next_at",), condition=models.Q(next_at__isnull=False), name="simulator_run_due"),
        )

    def __str__(self) -> str:
        return f"Simulator run {self.pk}: {self.pattern}"

    @property
    def is_over(self) -> bool:
        return self.next_at is None
