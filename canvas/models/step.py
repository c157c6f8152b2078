"""The steps of a Canvas, in a row, and how many came through each."""

from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from canvas.models.canvas import Canvas
from integrations.models import AudienceSync


class Step(models.Model):
    """One card of the journey. What it does is its kind's business (canvas/steps/), its settings in `settings`.

    A sync step owns an AudienceSync.
    """

    canvas = models.ForeignKey(Canvas, models.CASCADE, related_name="steps")
    position = models.PositiveIntegerField()
    kind = models.CharField(max_length=30)  # the name of a module in canvas/steps
    name = models.CharField(max_length=120)
    settings: "models.JSONField[Any, Any]" = models.JSONField(default=dict, blank=True)
    sync = models.OneToOneField(AudienceSync, models.PROTECT, null=True, blank=True, related_name="step")

    class Meta:
        verbose_name = _("step")
        verbose_name_plural = _("steps")
        ordering = ("position", "id")
        indexes = (models.Index(fields=("canvas", "position"), name="step_in_order"),)

    def __str__(self) -> str:
        return f"{self.name} ({self.kind})"


class StepTotals(models.Model):
    """Journey figures of a step, moved in the same transaction as the entries they count."""

    step = models.OneToOneField(Step, models.CASCADE, primary_key=True, related_name="totals")
    entered = models.BigIntegerField(default=0)
    proceeded = models.BigIntegerField(default=0)
    exited = models.BigIntegerField(default=0)  # left the Canvas because this was its last step
    left = models.BigIntegerField(default=0)  # waited here and left the Canvas: it was stopped, or by exit criteria

    class Meta:
        verbose_name = _("step totals")
        verbose_name_plural = _("step totals")
        constraints = (
            models.CheckConstraint(
                condition=models.Q(
                    proceeded__lte=models.F("entered") - models.F("left"), exited__lte=models.F("proceeded")
                ),
                name="step_totals_in_order",
            ),
        )

    def __str__(self) -> str:
        return f"Totals of step {self.step_id}"
