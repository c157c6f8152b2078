"""Users on their way to an audience. architecture.md, section 4, draws it; the short form:

an **Arrival** waits; claimed, it becomes a **Delivery** of one **Batch**; the batch's state is the state of its users.

The foreign keys of the two large tables carry no database constraint (checking four of them per user would cost
more than the insert) and no reverse relations: both are written by set-wise SQL in integrations/delivery only.
"""

from collections.abc import Sequence
from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from integrations.models.audience import Audience
from integrations.models.connection import AdAccount, Pace
from pinsync.profiles.models import Profile
from pinsync.workspaces.models import Workspace


class Operation(models.TextChoices):
    ADD = "add", _("Add Users to Audience")
    REMOVE = "remove", _("Remove Users from Audience")


def large_table_key(to: type[models.Model], **kwargs: Any) -> "models.ForeignKey[Any, Any]":
    return models.ForeignKey(to, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+", **kwargs)


class AudienceSync(models.Model):
    """What a sync step is set to. Incomplete while a draft; `problems` in audiences.py says what is missing."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="audience_syncs")
    partner = models.CharField(max_length=30, blank=True)
    ad_account = models.ForeignKey(AdAccount, models.SET_NULL, null=True, blank=True, related_name="syncs")
    audience = models.ForeignKey(Audience, models.SET_NULL, null=True, blank=True, related_name="syncs")
    operation = models.CharField(max_length=6, choices=Operation.choices, default=Operation.ADD)
    match_fields = models.PositiveSmallIntegerField(default=0)  # matching.MatchField

    class Meta:
        verbose_name = _("audience sync")
        verbose_name_plural = _("audience syncs")

    def __str__(self) -> str:
        return f"AudienceSync {self.pk}: {self.operation}"


class Arrival(models.Model):
    """One user who entered a sync step and is in no batch yet. Inserted and deleted, never updated.

    It carries what was asked at entry: a step that is edited later changes nothing for those who wait.
    Ids grow with intent: of two arrivals of one profile in one audience, the higher id is the later intent.
    """

    sync = large_table_key(AudienceSync)
    profile = large_table_key(Profile)
    audience = large_table_key(Audience)
    operation = models.CharField(max_length=6, choices=Operation.choices)
    match_fields = models.PositiveSmallIntegerField()
    entered_at = models.DateTimeField()

    class Meta:
        verbose_name = _("waiting user")
        verbose_name_plural = _("waiting users")
        indexes = (
            # claiming: the oldest of one audience and operation
            models.Index(fields=("audience", "operation", "id"), name="arrival_lane"),
            # order: what else this person waits for in this audience
            models.Index(fields=("profile", "audience"), name="arrival_of_profile"),
        )

    def __str__(self) -> str:
        return f"Arrival {self.pk}"


class Batch(models.Model):
    """One request's worth of users of one audience and operation; its state is theirs.

    A correction is a batch without users: records of users whose data changed after they were sent (Correction).
    """

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting")  # for its first or next attempt
        SENDING = "sending", _("Sending")  # leased by one sender until `lease_until`
        ACCEPTED = "accepted", _("Accepted")
        SPLIT = "split", _("Split")  # its users are in its children
        ERRORED = "errored", _("Errored")

    OPEN = (State.WAITING, State.SENDING)

    # Not indexed by itself: batch_of_audience begins with it.
    audience = models.ForeignKey(Audience, models.CASCADE, related_name="batches", db_index=False)
    operation = models.CharField(max_length=6, choices=Operation.choices)
    parent = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="children")
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    is_correction = models.BooleanField(default=False)
    users = models.PositiveIntegerField()
    records = models.PositiveIntegerField(default=0)
    attempts = models.PositiveIntegerField(default=0)
    oldest_entered_at = models.DateTimeField()
    gives_up_at = models.DateTimeField()
    created_at = models.DateTimeField()
    next_attempt_at = models.DateTimeField()
    lease = models.UUIDField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)
    http_status = models.PositiveSmallIntegerField(null=True, blank=True)  # of the last attempt
    duration_ms = models.PositiveIntegerField(null=True, blank=True)
    reason = models.CharField(max_length=40, blank=True)  # of the last attempt that failed

    # Not kept: (sync id, users) of who is in it, where the sender has made it and so knows.
    of_syncs: Sequence[tuple[int, int]] = ()

    class Meta:
        verbose_name = _("batch")
        verbose_name_plural = _("batches")
        constraints = (
            models.CheckConstraint(
                condition=models.Q(state="sending", lease__isnull=False, lease_until__isnull=False)
                | (~models.Q(state="sending") & models.Q(lease__isnull=True, lease_until__isnull=True)),
                name="batch_leased_while_sending",
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=("waiting", "sending"), settled_at__isnull=True)
                | (~models.Q(state__in=("waiting", "sending")) & models.Q(settled_at__isnull=False)),
                name="batch_settled_when_final",
            ),
            models.CheckConstraint(
                condition=models.Q(is_correction=False) | models.Q(users=0), name="batch_correction_has_no_users"
            ),
        )
        indexes = (
            # sending: what is due, and whose lease ran out; a handful of rows beside millions that are final. Queries
            # say settled_at=None: of a state, SQLite can't see in a parameter that it is one of the index.
            models.Index(
                fields=("audience", "operation", "next_attempt_at"),
                condition=models.Q(settled_at__isnull=True),
                name="batch_open",
            ),
            models.Index(fields=("audience", "-id"), name="batch_of_audience"),
            # Retry: the errored ones with one reason
            models.Index(fields=("audience", "reason"), condition=models.Q(state="errored"), name="batch_errored"),
        )

    def __str__(self) -> str:
        size = f"correction of {self.records} records" if self.is_correction else f"{self.users} users"
        return f"Batch {self.pk}: {size}, {self.state}"


class Attempt(models.Model):
    """One write request and how it ended: for a batch, or without one for a new audience. Appended only."""

    batch = models.ForeignKey(Batch, models.CASCADE, null=True, blank=True, related_name="attempt_set")
    pace = large_table_key(Pace)  # of the person whose token it carried
    started_at = models.DateTimeField()
    duration_ms = models.PositiveIntegerField()
    http_status = models.PositiveSmallIntegerField(null=True)  # NULL: no answer came, or nobody said
    outcome = models.CharField(max_length=40)  # "accepted" or errors.py code

    class Meta:
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        indexes = (models.Index(fields=("started_at",), name="attempt_by_time"),)  # requests of the last minute

    def __str__(self) -> str:
        return f"Attempt {self.pk}: {self.outcome}"


class Delivery(models.Model):
    """One user sent, or not sendable, to an audience. Appended; only a split or a retry moves it to another batch.

    `reason` (reasons.py) is set when the user ended alone, without a batch: not synced.
    """

    sync = large_table_key(AudienceSync)
    profile = large_table_key(Profile)
    audience = large_table_key(Audience, null=True)
    batch = large_table_key(Batch, null=True)
    operation = models.CharField(max_length=6, choices=Operation.choices)
    match_fields = models.PositiveSmallIntegerField()
    reason = models.CharField(max_length=40, blank=True)
    entered_at = models.DateTimeField()

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        constraints = (
            models.CheckConstraint(
                condition=models.Q(batch__isnull=True, reason__gt="") | models.Q(batch__isnull=False, reason=""),
                name="delivery_in_batch_or_reason",
            ),
        )
        indexes = (
            # who is in a batch, and whether anybody of one sync is: several syncs share batches
            models.Index(fields=("batch", "sync"), condition=models.Q(batch__isnull=False), name="delivery_of_batch"),
            # what happened to this person; order: is an earlier intent still on its way
            models.Index(fields=("profile", "audience"), name="delivery_of_profile"),
            # the users behind a number, of any time, newest first; ascending, so that new rows go to its end
            models.Index(fields=("sync", "entered_at", "id"), name="delivery_of_sync"),
            models.Index(
                fields=("sync", "reason", "entered_at", "id"),
                condition=models.Q(reason__gt=""),
                name="delivery_not_synced",
            ),
        )

    def __str__(self) -> str:
        return f"Delivery {self.pk}"


class Correction(models.Model):
    """A record of an audience to look at again, because a profile that was sent there got or lost it.

    `lost`: the profile has it no more. It has no batch until nothing that is under way may touch the record; what is
    sent is decided then (correcting.py). Deleted when its batch is accepted.
    """

    audience = models.ForeignKey(Audience, models.CASCADE, related_name="+", db_index=False)
    profile = large_table_key(Profile)
    record = models.CharField(max_length=64)
    lost = models.BooleanField()
    batch = models.ForeignKey(Batch, models.CASCADE, null=True, related_name="corrections")

    class Meta:
        verbose_name = _("correction")
        verbose_name_plural = _("corrections")
        indexes = (
            # correcting: what waits in an audience
            models.Index(fields=("audience", "id"), condition=models.Q(batch__isnull=True), name="correction_waiting"),
        )

    def __str__(self) -> str:
        return f"Correction {self.pk}"
