"""A retry of many users, which a worker does."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from integrations.models.connection import Connection
from integrations.models.delivery import AudienceSync
from pinsync.workspaces.models import Workspace


class Retrying(models.Model):
    """Errored users whom a person asked to send again, too many to wait for, and how far that has come.

    Whom: the errored users of `sync`, or of all that `connection` sends for; with one reason, or with any. How far it
    came is saved in the transaction that makes users pending again, so that it goes on anywhere after a crash.
    """

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    sync = models.ForeignKey(AudienceSync, models.CASCADE, null=True, blank=True, related_name="retryings")
    connection = models.ForeignKey(Connection, models.CASCADE, null=True, blank=True, related_name="retryings")
    reason = models.CharField(max_length=30, blank=True)
    target = models.CharField(max_length=200)  # what people call it
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    started_at = models.DateTimeField()
    total = models.BigIntegerField()  # users who were errored when it began: the most there can be
    done = models.BigIntegerField(default=0)  # of them: pending again
    last_batch = models.BigIntegerField()  # whoever errors in a later one errored since, and is not meant
    through_batch = models.BigIntegerField(default=0)  # gone through up to here, by id
    lease_until = models.DateTimeField(null=True, blank=True)  # past this a tick rings for it again
    ended_at = models.DateTimeField(null=True, blank=True)
    cancelled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = (
            models.Index(fields=("sync", "-id"), name="retrying_of_sync"),
            models.Index(fields=("connection", "-id"), name="retrying_of_connection"),
        )
        constraints = (
            # two people who press at once start one; NULLs differ, so each binds only its own kind
            models.UniqueConstraint(
                fields=("sync", "reason"), condition=models.Q(ended_at__isnull=True), name="retrying_once_of_sync"
            ),
            models.UniqueConstraint(
                fields=("connection", "reason"),
                condition=models.Q(ended_at__isnull=True),
                name="retrying_once_of_connection",
            ),
            models.CheckConstraint(
                condition=models.Q(sync__isnull=True) ^ models.Q(connection__isnull=True), name="retrying_of_one"
            ),
            models.CheckConstraint(
                condition=models.Q(cancelled_at__isnull=True) | models.Q(ended_at__isnull=False),
                name="retrying_cancelled_is_ended",
            ),
        )
        verbose_name = _("retry of many users")
        verbose_name_plural = _("retries of many users")

    def __str__(self) -> str:
        return f"Retrying {self.pk}: {self.done} of {self.total}"
