"""Small pieces of the analytics pages: `{% load analytics %}`."""

from datetime import datetime

from django import template
from django.template import Context
from django.utils import timezone

from canvas.analytics.figures import StepFigures, read
from canvas.analytics.flow import Note, notes_of
from canvas.models import Step
from canvas.reading import steps_of

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


@register.simple_tag(takes_context=True)
def note(context: Context, found: StepFigures) -> Note | None:
    """Return what keeps the step's users waiting, where that is more than their turn.

    The first step of a page that has anybody waiting asks for all of its Canvas; the request keeps the answer.
    """
    if not found.metrics.pending:
        return None
    request = context["request"]
    known: dict[int, dict[int, Note]] = request.__dict__.setdefault("notes_of_steps", {})
    canvas = found.step.canvas_id
    if canvas not in known:
        known[canvas] = notes_of(steps_of(found.step.canvas), timezone.now())
    return known[canvas].get(found.step.pk)


@register.filter
def state_tone(state: str) -> str:
    """Return the badge colour of a user's or a batch's state."""
    return TONES.get(state, "muted")


@register.filter
def seconds_since(moment: datetime) -> float:
    """Return how many seconds ago a moment was."""
    return max((timezone.now() - moment).total_seconds(), 0.0)
