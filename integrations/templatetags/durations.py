"""Seconds as people say them: `{% load durations %}`."""

from django import template
from django.utils.formats import number_format
from django.utils.translation import gettext as _

register = template.Library()

MINUTES_FROM = 120
HOURS_FROM = 2 * 3600


@register.filter
def duration(seconds: float | None) -> str:
    """Return “0.4 s”, “45 s”, “12 min” or “3.5 h”; a dash for nothing."""
    if seconds is None:
        return "–"
    if seconds < MINUTES_FROM:
        return _("%(number)s s") % {"number": number_format(seconds, 0 if seconds >= 10 or seconds == 0 else 1)}
    if seconds < HOURS_FROM:
        return _("%(number)s min") % {"number": number_format(seconds / 60, 0)}
    return _("%(number)s h") % {"number": number_format(seconds / 3600, 1)}
