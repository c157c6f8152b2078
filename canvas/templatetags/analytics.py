"""Small pieces of the analytics pages: `{% load analytics %}`."""

from datetime import datetime

from django import template
from django.utils import timezone

from canvas.analytics.figures import StepFigures, read
from canvas.analytics.flow import Note, note_of
from canvas.models import Step

register = template.Library()
TONES = {
    "synced": "good",
    "accepted": "good",
    "pending": "warn",
    "waiting": "info",
    "sending": "info",
    "errored": "bad",
}


@register.filter
def figures(step: Step) -> StepFigures:
    """Return a step's figures, which came with it; asks the database nothing."""
    return StepFigures(step, read(step))


@register.filter
def note(found: StepFigures) -> Note | None:
    """Return what keeps the step's users waiting, where that is more than their turn."""
    return note_of(found.step, found.metrics, timezone.now())


@register.filter
def state_tone(state: str) -> str:
    """Return the badge colour of a user's or a batch's state."""
    return TONES.get(state, "muted")


@register.filter
def seconds_since(moment: datetime) -> float:
    """Return how many seconds ago a moment was."""
    return max((timezone.now() - moment).total_seconds(), 0.0)
