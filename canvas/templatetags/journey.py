"""Small pieces of the Canvas pages: `{% load journey %}`."""

from collections.abc import Mapping

from django import template

from canvas.models import Canvas

register = template.Library()


@register.filter
def tone(state: str) -> str:
    """Return the badge colour of a Canvas' state."""
    tones = {Canvas.State.ACTIVE.value: "good", Canvas.State.STOPPED.value: "warn", Canvas.State.DRAFT.value: "info"}
    return tones.get(state, "muted")


@register.filter
def entry(found: Mapping[str, object], key: str) -> object:
    """Return what stands under a key that is only known here."""
    return found[key]
