"""Calls of programs that must not happen twice."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from pinsync.workspaces.models import Workspace


class ApiCall(models.Model):
    """What a call with an Idempotency-Key was answered, for as long as a program may repeat it.

    Written in the transaction that does the work: either both are there or neither.
    """

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+", db_index=False)
    key = models.CharField(max_length=200)
    digest = models.CharField(max_length=64)  # SHA-256 of address and body: the same key must mean the same call
    answer = models.JSONField(default=dict)
    at = models.DateTimeField()

    class Meta:
        verbose_name = _("API call with a key")
        verbose_name_plural = _("API calls with a key")
        constraints = (models.UniqueConstraint(fields=("workspace", "key"), name="api_call_once_per_key"),)
        indexes = (models.Index(fields=("at",), name="api_call_old"),)  # forgetting

    def __str__(self) -> str:
        return f"API call {self.pk}"
