"""Who is where in a Canvas."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from canvas.models.canvas import Canvas
from canvas.models.step import Step
from pinsync.profiles.models import Profile

SOURCES = {
    "launch": _("launch"),
    "schedule": _("schedule"),
    "event": _("event"),
    "api": _("API call"),
    "simulator": _("simulator"),
    "command": _("command"),
}


class Move(models.Model):
    """A set of entries that entered, or went on after a wait, together: the handle for set-wise SQL."""

    class Kind(models.TextChoices):
        ENTER = "enter", _("Entered")
        ADVANCE = "advance", _("Went on")
        EXIT = "exit", _("Left by exit criteria")

    canvas = models.ForeignKey(Canvas, models.CASCADE, related_name="moves")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    step = models.ForeignKey(Step, models.SET_NULL, null=True, related_name="+")  # where an ADVANCE or EXIT began
    source = models.CharField(max_length=30, blank=True)  # of SOURCES, of an ENTER
    users = models.PositiveIntegerField(default=0)
    at = models.DateTimeField()

    class Meta:
        verbose_name = _("move")
        verbose_name_plural = _("moves")
        indexes = (models.Index(fields=("canvas", "-id"), name="move_of_canvas"),)

    def __str__(self) -> str:
        return f"Move {self.pk}: {self.users} users"

    @property
    def came_by(self) -> str:
        """What let them in, in people's words."""
        return str(SOURCES.get(self.source, self.source))


class Entry(models.Model):
    """One user's way through a Canvas. Written by journeys.py only.

    `turn` counts a profile's entries into this Canvas from 0, so that the database forbids a second one where there
    is no re-entry, however many launches race. The foreign keys carry no database constraint: checking them for each
    user costs more than the insert, and nothing that they name is ever deleted while users are under way.
    """

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting")  # in `step` (a Delay) until `due_at`
        EXITED = "exited", _("Exited")

    canvas = models.ForeignKey(Canvas, models.CASCADE, related_name="entries", db_constraint=False, db_index=False)
    profile = models.ForeignKey(Profile, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+")
    turn = models.PositiveIntegerField(default=0)
    move = models.ForeignKey(Move, models.DO_NOTHING, db_constraint=False, related_name="entries")  # the latest
    state = models.CharField(max_length=10, choices=State.choices)
    step = models.ForeignKey(
        Step, models.DO_NOTHING, null=True, blank=True, related_name="+", db_constraint=False, db_index=False
    )
    due_at = models.DateTimeField(null=True, blank=True)
    entered_at = models.DateTimeField()
    exited_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("entry")
        verbose_name_plural = _("entries")
        constraints = (
            # also whether this person was inside before, and every Canvas that they went through
            models.UniqueConstraint(fields=("profile", "canvas", "turn"), name="entry_once_per_turn"),
            models.CheckConstraint(
                condition=models.Q(state="waiting", step__isnull=False, due_at__isnull=False, exited_at__isnull=True)
                | models.Q(state="exited", step__isnull=True, due_at__isnull=True, exited_at__isnull=False),
                name="entry_waits_or_left",
            ),
        )
        indexes = (
            # going on, and the users behind “waiting” page by page
            models.Index(fields=("step", "due_at", "id"), condition=models.Q(state="waiting"), name="entry_due"),
        )

    def __str__(self) -> str:
        return f"Entry {self.pk}: {self.state}"
