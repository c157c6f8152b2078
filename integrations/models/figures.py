"""How many users of a sync are where: now, and what happened in each minute and hour."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from integrations.models.delivery import AudienceSync


class Figures(models.Model):
    """The five figures of a sync. counting.py alone writes them."""

    entered = models.BigIntegerField(default=0)
    synced = models.BigIntegerField(default=0)
    not_synced = models.BigIntegerField(default=0)
    pending = models.BigIntegerField(default=0)
    errored = models.BigIntegerField(default=0)

    class Meta:
        abstract = True


class SyncTotals(Figures):
    """The five figures of one sync, moved in the same transaction as the users they count."""

    sync = models.OneToOneField(AudienceSync, models.CASCADE, primary_key=True, related_name="totals")

    class Meta:
        verbose_name = _("sync totals")
        verbose_name_plural = _("sync totals")
        constraints = (
            models.CheckConstraint(
                condition=models.Q(
                    entered=models.F("synced") + models.F("not_synced") + models.F("pending") + models.F("errored")
                ),
                name="totals_add_up",
            ),
            models.CheckConstraint(
                condition=models.Q(synced__gte=0, not_synced__gte=0, pending__gte=0, errored__gte=0),
                name="totals_not_negative",
            ),
        )

    def __str__(self) -> str:
        return f"Totals of sync {self.sync_id}"


class SyncMinute(Figures):
    """What happened at one sync in one minute; `pending` is the change, so a chart sums it up."""

    # Not indexed by itself: the constraint below begins with it.
    sync = models.ForeignKey(AudienceSync, models.CASCADE, related_name="minutes", db_index=False)
    minute = models.DateTimeField()

    class Meta:
        verbose_name = _("minute of a sync")
        verbose_name_plural = _("minutes of syncs")
        constraints = (models.UniqueConstraint(fields=("sync", "minute"), name="sync_minute"),)

    def __str__(self) -> str:
        return f"Minute of sync {self.sync_id}"


class SyncHour(Figures):
    """The sum of an hour's SyncMinutes, moved with them: a chart of months reads hours instead of adding minutes up."""

    # Not indexed by itself: the constraint below begins with it.
    sync = models.ForeignKey(AudienceSync, models.CASCADE, related_name="hours", db_index=False)
    hour = models.DateTimeField()

    class Meta:
        verbose_name = _("hour of a sync")
        verbose_name_plural = _("hours of syncs")
        constraints = (models.UniqueConstraint(fields=("sync", "hour"), name="sync_hour"),)

    def __str__(self) -> str:
        return f"Hour of sync {self.sync_id}"


class SyncReason(models.Model):
    """How many users of a sync are now not synced or errored, by reason (reasons.py)."""

    # Not indexed by itself: the constraint below begins with it.
    sync = models.ForeignKey(AudienceSync, models.CASCADE, related_name="reasons", db_index=False)
    reason = models.CharField(max_length=40)
    users = models.BigIntegerField(default=0)

    class Meta:
        verbose_name = _("reason at a sync")
        verbose_name_plural = _("reasons at syncs")
        constraints = (
            models.UniqueConstraint(fields=("sync", "reason"), name="sync_reason"),
            models.CheckConstraint(condition=models.Q(users__gte=0), name="sync_reason_not_negative"),
        )

    def __str__(self) -> str:
        return f"{self.reason} at sync {self.sync_id}"
