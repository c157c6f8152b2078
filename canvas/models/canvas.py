"""A journey and its state."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from pinsync.profiles.models import Import, Segment
from pinsync.workspaces.models import Workspace


class Canvas(models.Model):
    """A journey: who enters, when, and the steps in a row. Only an active one lets users in.

    Legal moves: draft → active → stopped → active; draft or stopped → archived → where it was.
    """

    class State(models.TextChoices):
        DRAFT = "draft", _("Draft")
        ACTIVE = "active", _("Active")
        STOPPED = "stopped", _("Stopped")
        ARCHIVED = "archived", _("Archived")

    class EntryKind(models.TextChoices):
        LAUNCH = "launch", _("At launch")
        SCHEDULED = "scheduled", _("At a time")  # once or again and again: recurring.py
        EVENT = "event", _("Action-based")  # a custom event happens: events.py
        API = "api", _("API-triggered")

    class Repeat(models.TextChoices):
        ONCE = "once", _("Once")
        DAILY = "daily", _("Every day")
        WEEKLY = "weekly", _("Every week")
        CRON = "cron", _("By a cron expression")

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="canvases")
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    tags = models.JSONField(default=list, blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.DRAFT)
    entry_kind = models.CharField(max_length=10, choices=EntryKind.choices, default=EntryKind.LAUNCH)
    # Target audience: a segment, or the users of one import, or (both empty) everybody.
    segment = models.ForeignKey(Segment, models.PROTECT, null=True, blank=True, related_name="canvases")
    source_import = models.ForeignKey(Import, models.PROTECT, null=True, blank=True, related_name="canvases")
    # The schedule, while `entry_kind` is SCHEDULED; days and hours are those of `time_zone`.
    starts_at = models.DateTimeField(null=True, blank=True)
    time_zone = models.CharField(max_length=50, default="UTC")
    repeat = models.CharField(max_length=10, choices=Repeat.choices, default=Repeat.ONCE)
    cron = models.CharField(max_length=100, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)  # no round begins later
    event_name = models.CharField(max_length=100, blank=True)  # what lets users in, while EVENT
    reentry = models.BooleanField(default=False)
    reentry_days = models.PositiveIntegerField(default=0)  # not before so many days after they entered last
    # Exit criteria: whoever does this, or is in that segment when a wait is over, leaves; nor does the latter enter.
    exit_event = models.CharField(max_length=100, blank=True)
    exit_segment = models.ForeignKey(Segment, models.PROTECT, null=True, blank=True, related_name="exits")
    # Set: users are due to enter at this time; whoever clears it in the same transaction lets the last of them in.
    enter_at = models.DateTimeField(null=True, blank=True)
    # Profile id up to which a launch has let users in; NULL when it is through. A stop keeps it for Resume.
    enter_after = models.BigIntegerField(null=True, blank=True)
    # How far the entering that `enter_at` is about, or was, has come: NULL until it begins.
    enter_began_at = models.DateTimeField(null=True, blank=True)
    enter_total = models.BigIntegerField(null=True, blank=True)  # about: who was to enter when it began
    enter_done = models.BigIntegerField(default=0)
    launched_at = models.DateTimeField(null=True, blank=True)
    stopped_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("Canvas")
        verbose_name_plural = _("Canvases")
        indexes = (
            models.Index(fields=("workspace", "state", "-id"), name="canvas_of_workspace"),
            models.Index(fields=("enter_at",), condition=models.Q(enter_at__isnull=False), name="canvas_due"),
        )
        constraints = (
            models.CheckConstraint(
                condition=models.Q(enter_at__isnull=True) | models.Q(state="active"),
                name="canvas_enters_while_active",
            ),
            models.CheckConstraint(
                condition=models.Q(enter_at__isnull=True) | models.Q(enter_after__isnull=False),
                name="canvas_enters_from_somewhere",
            ),
            models.CheckConstraint(
                condition=models.Q(segment__isnull=True) | models.Q(source_import__isnull=True),
                name="canvas_one_target",
            ),
        )

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return f"/w/{self.workspace.slug}/canvas/{self.pk}/"
