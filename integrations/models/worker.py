"""The clock that all workers share, and who is alive."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Tick(models.Model):
    """One row: when the next tick is due. Whoever moves `due_at` forward, ticks; the others lost.

    Seconds since the epoch. `last_at` is the moment up to which arrivals are flushed.
    """

    due_at = models.FloatField(default=0)
    last_at = models.FloatField(default=0)

    class Meta:
        verbose_name = _("tick")
        verbose_name_plural = _("ticks")
        constraints = (models.CheckConstraint(condition=models.Q(id=1), name="tick_is_one_row"),)

    def __str__(self) -> str:
        return "Tick"


class Seat(models.Model):
    """One of the few places at which a process may deliver; leased, so that a dead holder's falls free.

    Without it every tick that finds a delivery still running would tie up one more worker process.
    """

    number = models.PositiveSmallIntegerField(unique=True)
    holder = models.UUIDField(null=True, blank=True)
    until = models.FloatField(default=0)  # seconds since the epoch

    class Meta:
        verbose_name = _("seat")
        verbose_name_plural = _("seats")

    def __str__(self) -> str:
        return f"Seat {self.number}"


class Heartbeat(models.Model):
    """One `manage.py worker`: alive as long as its parent writes the time here, every second."""

    name = models.CharField(max_length=200, unique=True)  # host and process id
    started_at = models.DateTimeField()
    parent_at = models.DateTimeField()

    class Meta:
        verbose_name = _("heartbeat")
        verbose_name_plural = _("heartbeats")

    def __str__(self) -> str:
        return self.name
