"""Small pieces of the Canvas pages: `{% load journey %}`."""

import math

from django import template
from django.utils.translation import ngettext

from canvas.models import Canvas

register = template.Library()


@register.filter
def duration(seconds: float) -> str:
    """Say how long something takes, roughly: “4 seconds”, “12 minutes”, “3 hours”."""
    if seconds < 90:
        count = max(1, math.ceil(seconds))
        return ngettext("%(count)s second", "%(count)s seconds", count) % {"count": count}
    if seconds < 90 * 60:
        count = math.ceil(seconds / 60)
        return ngettext("%(count)s minute", "%(count)s minutes", count) % {"count": count}
    count = math.ceil(seconds / 3600)
    return ngettext("%(count)s hour", "%(count)s hours", count) % {"count": count}


@register.filter
def tone(state: str) -> str:
    """Return the badge colour of a Canvas' state."""
    tones = {Canvas.State.ACTIVE.value: "good", Canvas.State.STOPPED.value: "warn", Canvas.State.DRAFT.value: "info"}
    return tones.get(state, "muted")
