"""Audiences that the partner makes of people who resemble those of one of ours."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from integrations.models.audience import Audience


class Lookalike(models.Model):
    """One that was asked for here. Nobody is sent to it: the partner fills it from its seed by itself."""

    class State(models.TextChoices):
        CREATING = "creating", _("Being created")  # resumed, not repeated, after a crash
        READY = "ready", _("Exists")
        FAILED = "failed", _("Could not be created")
        GONE = "gone", _("Audience does not exist")

    seed = models.ForeignKey(Audience, models.CASCADE, related_name="lookalikes", db_index=False)
    name = models.CharField(max_length=300)
    country = models.CharField(max_length=2)
    percent = models.PositiveSmallIntegerField()  # of the country's people
    state = models.CharField(max_length=10, choices=State.choices, default=State.CREATING)
    external_id = models.CharField(max_length=40, blank=True)
    failure = models.CharField(max_length=40, blank=True)  # errors.py code, while FAILED or GONE
    status = models.CharField(max_length=30, blank=True)  # the partner's
    size = models.BigIntegerField(null=True, blank=True)  # hidden by the partner while small
    began_at = models.DateTimeField()
    asked_at = models.DateTimeField(null=True, blank=True)  # the last time that somebody wanted it made
    made_at = models.DateTimeField(null=True, blank=True)
    seen_at = models.DateTimeField(null=True, blank=True)  # when status and size were read; NULL: not yet
    lease_until = models.DateTimeField(null=True, blank=True)  # while CREATING: somebody is at it, or waits until then
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")

    class Meta:
        verbose_name = _("lookalike audience")
        verbose_name_plural = _("lookalike audiences")
        constraints = (
            # pressed twice, it is made once; also those of one audience
            models.UniqueConstraint(fields=("seed", "name"), name="lookalike_once_by_name"),
            models.CheckConstraint(
                condition=~models.Q(state="ready") | ~models.Q(external_id=""), name="lookalike_ready_has_id"
            ),
        )
        indexes = (
            # upkeep: creations to take up again
            models.Index(fields=("lease_until",), condition=models.Q(state="creating"), name="lookalike_creating"),
        )

    def __str__(self) -> str:
        return f"{self.name} ({self.external_id or 'no id yet'})"
