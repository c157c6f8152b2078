"""The users of a brand, where they came from, and saved ways to pick some of them."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from pinsync.workspaces.models import Workspace


class Import(models.Model):
    """One CSV file on its way in, and what became of its rows.

    Resumed by nobody: run again, it changes nothing twice.
    """

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="imports")
    name = models.CharField(max_length=200)  # the file's name, or what the simulator calls its users
    path = models.CharField(max_length=500, blank=True)  # under MEDIA_ROOT until done
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    error = models.TextField(blank=True)  # why the file as a whole was refused, as a sentence
    bytes_total = models.BigIntegerField(default=0)
    bytes_done = models.BigIntegerField(default=0)
    rows = models.PositiveIntegerField(default=0)
    created = models.PositiveIntegerField(default=0)
    updated = models.PositiveIntegerField(default=0)
    rejected = models.PositiveIntegerField(default=0)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"Import {self.pk}: {self.state}"


class ImportProblem(models.Model):
    """A row that was not taken: its line in the file and why. Never its content."""

    run = models.ForeignKey(Import, models.CASCADE, related_name="problems")
    line = models.PositiveIntegerField()
    reason = models.CharField(max_length=300)

    class Meta:
        indexes = (models.Index(fields=("run", "line"), name="problem_by_line"),)

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}"


class Profile(models.Model):
    """A user of the brand. Beside each raw value stands the record that a partner may match on.

    Records are computed by matching.py whenever a profile is written and NULL when the raw value is unusable, so
    that entering and delivering are pure SQL and never touch an address.
    """

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="profiles", db_index=False)
    external_id = models.CharField(max_length=200, null=True, blank=True)
    email = models.CharField(max_length=400, blank=True)
    idfa = models.CharField(max_length=100, blank=True)
    gaid = models.CharField(max_length=100, blank=True)
    attributes = models.JSONField(default=dict, blank=True)
    email_record = models.CharField(max_length=64, null=True, editable=False)
    idfa_record = models.CharField(max_length=64, null=True, editable=False)
    gaid_record = models.CharField(max_length=64, null=True, editable=False)
    last_import = models.ForeignKey(
        Import, models.SET_NULL, null=True, blank=True, related_name="profiles", db_constraint=False
    )
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("workspace", "external_id"), name="profile_external_id"),)
        indexes = (
            models.Index(fields=("workspace", "id"), name="profile_of_workspace"),  # whole-workspace entry, paging
            models.Index(fields=("workspace", "email_record"), name="profile_by_email"),  # upsert by e-mail
        )

    def __str__(self) -> str:
        return f"Profile {self.pk}"


class Segment(models.Model):
    """A saved filter over profiles (segments.py turns it into a queryset)."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="segments")
    name = models.CharField(max_length=100)
    filters = models.JSONField(default=dict, blank=True)  # segments.py documents the shape
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("name",)
        constraints = (models.UniqueConstraint(fields=("workspace", "name"), name="segment_name"),)

    def __str__(self) -> str:
        return self.name
