"""The users of a brand, where they came from, and saved ways to pick some of them."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from pinsync.profiles.fields import PlainCharField
from pinsync.profiles.reasons import sentence
from pinsync.progress import Progress, progress_of
from pinsync.workspaces.models import Workspace


class Import(models.Model):
    """One CSV file on its way in, and what became of its rows: rows = created + updated + rejected.

    The figures, `bytes_done` and `lines_done` are saved in the same transaction as the rows they count, so a run that
    was cut off goes on behind its last whole chunk. Whoever holds the lease works.
    """

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")
        CANCELLED = "cancelled", _("Cancelled")  # by a person: what was taken stays

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="imports")
    name = models.CharField(max_length=200)  # the file's name, or what the simulator calls its users
    path = models.CharField(max_length=500, blank=True)  # under MEDIA_ROOT until done
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    error = models.CharField(max_length=40, blank=True)  # why the file as a whole was refused (reasons.py)
    error_values = models.JSONField(default=dict, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)  # a RUNNING one past this was left by its worker
    bytes_total = models.BigIntegerField(default=0)
    bytes_done = models.BigIntegerField(default=0)
    lines_done = models.PositiveIntegerField(default=0)
    worked_seconds = models.FloatField(default=0)  # on what is done, without the time in between
    rows = models.PositiveIntegerField(default=0)
    created = models.PositiveIntegerField(default=0)  # rows that made a profile
    updated = models.PositiveIntegerField(default=0)  # rows that met one, also one that the same file made
    rejected = models.PositiveIntegerField(default=0)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("import")
        verbose_name_plural = _("imports")
        indexes = (
            models.Index(fields=("workspace", "-id"), name="import_of_workspace"),
            models.Index(
                fields=("state",), condition=models.Q(state__in=("waiting", "running")), name="import_unfinished"
            ),
        )

    def __str__(self) -> str:
        return f"Import {self.pk}: {self.state}"

    @property
    def error_sentence(self) -> str:
        return sentence(self.error, self.error_values) if self.error else ""

    @property
    def percent(self) -> int:
        if self.state == self.State.DONE:
            return 100
        return min(99, self.bytes_done * 100 // self.bytes_total) if self.bytes_total else 0

    @property
    def taken(self) -> int:
        return self.created + self.updated

    @property
    def may_cancel(self) -> bool:
        """Return whether it is still under way and reads a file; users that are being made up have none."""
        is_open = self.state in (self.State.WAITING, self.State.RUNNING)
        return is_open and bool(self.path or self.lease_until)

    @property
    def progress(self) -> Progress:
        """Return how many rows are read of about how many, taking the rest of the file to be like what is read."""
        if not self.rows or not self.bytes_done or self.bytes_total < self.bytes_done:
            return Progress(self.rows, None, None)
        rows = self.rows * self.bytes_total // self.bytes_done
        rounded = round(rows, 2 - len(str(rows)))  # two digits that mean something
        left = progress_of(self.bytes_done, self.bytes_total, self.worked_seconds).seconds
        return Progress(self.rows, max(self.rows, rounded), left)


class ImportProblem(models.Model):
    """A row that was not taken: its line in the file and why. Never its content."""

    run = models.ForeignKey(Import, models.CASCADE, related_name="problems")
    line = models.PositiveIntegerField()
    reason = models.CharField(max_length=40)  # reasons.py
    values = models.JSONField(default=dict, blank=True)  # numbers and column names for its sentence

    class Meta:
        verbose_name = _("problem of an import")
        verbose_name_plural = _("problems of imports")
        indexes = (models.Index(fields=("run", "line"), name="problem_by_line"),)

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}"

    @property
    def sentence(self) -> str:
        return sentence(self.reason, self.values)


class Profile(models.Model):
    """A user of the brand. Beside each raw value stands the record that a partner may match on.

    Records are computed by matching.py whenever a profile is written and NULL when the raw value is unusable, so
    that entering and delivering are pure SQL and never touch an address.
    """

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="profiles", db_index=False)
    external_id = PlainCharField(max_length=200, null=True, blank=True)  # searched by its beginning
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
        verbose_name = _("profile")
        verbose_name_plural = _("profiles")
        constraints = (models.UniqueConstraint(fields=("workspace", "external_id"), name="profile_external_id"),)
        indexes = (
            models.Index(fields=("workspace", "id"), name="profile_of_workspace"),  # whole-workspace entry, paging
            # who has this record: upsert by e-mail, and twins, who are one person at a partner. The record comes first:
            # behind the workspace, PostgreSQL would with young statistics go through the whole workspace instead.
            models.Index(fields=("email_record", "workspace"), name="profile_by_email"),
            models.Index(
                fields=("idfa_record", "workspace"),
                condition=models.Q(idfa_record__isnull=False),
                name="profile_by_idfa",
            ),
            models.Index(
                fields=("gaid_record", "workspace"),
                condition=models.Q(gaid_record__isnull=False),
                name="profile_by_gaid",
            ),
        )

    def __str__(self) -> str:
        return f"Profile {self.pk}"

    @property
    def label(self) -> str:
        """What pages call this user: never an address."""
        return self.external_id or f"#{self.pk}"


class RecordChange(models.Model):
    """A profile's record became another one: written with the change itself, and kept until somebody followed it.

    Whoever handed the old record on has to take it back. A new profile is no change.
    """

    profile = models.ForeignKey(Profile, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+")
    field = models.PositiveSmallIntegerField()  # matching.MatchField
    record = models.CharField(max_length=64, null=True)  # the old one; NULL: there was none
    changed_at = models.DateTimeField()

    class Meta:
        verbose_name = _("changed record")
        verbose_name_plural = _("changed records")

    def __str__(self) -> str:
        return f"Change {self.pk} of profile {self.profile_id}"


class Segment(models.Model):
    """A saved filter over profiles (segments.py turns it into a queryset)."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="segments")
    name = models.CharField(max_length=100)
    filters = models.JSONField(default=dict, blank=True)  # segments.py documents the shape
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("segment")
        verbose_name_plural = _("segments")
        ordering = ("name",)
        constraints = (models.UniqueConstraint(fields=("workspace", "name"), name="segment_name"),)

    def __str__(self) -> str:
        return self.name
