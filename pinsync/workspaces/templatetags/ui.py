"""Small pieces of pages: `{% load ui %}`, then `{% icon "plus" %}` or `{{ batch.created_at|ago }}`.

Every time on a page goes through one of the filters: it is shown in the reader's zone, and the exact time with seconds
and zone is one hover away. They take an aware datetime; nothing comes out of None.
"""

import re
from datetime import date, datetime, time, timedelta
from functools import lru_cache

from django import template
from django.contrib.humanize.templatetags.humanize import naturaltime
from django.templatetags.static import static
from django.utils import timezone
from django.utils.formats import date_format, number_format, time_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from django.utils.translation import get_language
from django.utils.translation import gettext as _

register = template.Library()

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
MINUTES_FROM = 120  # seconds
HOURS_FROM = 2 * 3600
SECONDS = "%H:%M:%S"
COUNTER = re.compile("(?<=[0-9])[ \u00a0](?=[\uac00-\ud7a3])")  # Korean says “3분”, Django “3 분”


@register.simple_tag
def icon(name: str, label: str = "") -> SafeString:
    """Draw an icon of the sprite. Without `label` it is decoration and hidden from screen readers."""
    address = f"{static('icons.svg')}#{name}"
    if label:
        return format_html('<svg class="icon" role="img" aria-label="{}"><use href="{}"/></svg>', label, address)
    return format_html('<svg class="icon" aria-hidden="true"><use href="{}"/></svg>', address)


@register.filter
def moment(at: datetime | None) -> str:
    """Show day and time: “23 Nov 2026, 21:05”."""
    return _time(at, date_format(timezone.localtime(at), "DATETIME_FORMAT")) if at else ""


@register.filter
def day(at: datetime | None) -> str:
    """Show the day: “23 Nov 2026”."""
    return _time(at, _said(timezone.localtime(at).date(), "DATE_FORMAT", get_language())) if at else ""


@register.filter
def short(at: datetime | None) -> str:
    """Show what is needed to tell times apart: “21:05” of today, “23 Nov, 21:05” of this year, else with the year."""
    if not at:
        return ""
    local, today = timezone.localtime(at), timezone.localdate()
    if local.year != today.year:
        return _time(at, date_format(local, "SHORT_DATETIME_FORMAT"))
    language = get_language()
    clock_time = _said(local.time().replace(second=0, microsecond=0), "TIME_FORMAT", language)
    if local.date() == today:
        return _time(at, clock_time)
    shown = {"day": _said(local.date(), "MONTH_DAY_FORMAT", language), "time": clock_time}
    return _time(at, _("%(day)s, %(time)s") % shown)


@register.filter
def clock(at: datetime | None) -> str:
    """Show the time of day with its seconds: “21:05:09”."""
    return _time(at, timezone.localtime(at).strftime(SECONDS)) if at else ""


@register.filter
def stamp(at: datetime | None) -> str:
    """Show day and time with its seconds: “23 Nov 2026 21:05:09”."""
    return _time(at, _stamped(timezone.localtime(at))) if at else ""


@register.filter
def input_value(at: datetime | None) -> str:
    """Return what an `<input type="datetime-local">` holds, in the reader's zone, to the minute."""
    return timezone.localtime(at).strftime("%Y-%m-%dT%H:%M") if at else ""


@register.filter
def ago(at: datetime | None) -> str:
    """Show how long ago it was, or how long until then, in one unit: “3 minutes ago”, “in 2 days”."""
    if not at:
        return ""
    now = timezone.now()
    if at - now >= MINUTE:
        return _time(at, _("in %(time)s") % {"time": timesince(now, at, depth=1)})
    if now - at >= DAY:
        return _time(at, _("%(time)s ago") % {"time": timesince(at, now, depth=1)})
    return _time(at, COUNTER.sub("", str(naturaltime(at))))


@register.filter
def duration(seconds: float | None) -> str:
    """Show how long something takes, in one unit: “under 1 s”, “45 s”, “12 min” or “3.5 h”; a dash for nothing."""
    if seconds is None:
        return "–"
    if seconds < 1:
        return _("under 1 s")
    if seconds < MINUTES_FROM:
        return _("%(number)s s") % {"number": number_format(round(seconds))}
    if seconds < HOURS_FROM:
        return _("%(number)s min") % {"number": number_format(round(seconds / 60))}
    return _("%(number)s h") % {"number": number_format(round(seconds / 3600, 1), 1, force_grouping=True)}


def _stamped(local: datetime) -> str:
    return f"{_said(local.date(), 'DATE_FORMAT', get_language())} {local.strftime(SECONDS)}"


@lru_cache(maxsize=4000)
def _said(of: date | time, form: str, language: str | None) -> str:
    """Say a day, or a minute of the day, in the language in force. Remembered: tables are full of the same ones."""
    return time_format(of, form) if isinstance(of, time) else date_format(of, form)


def _time(at: datetime, shown: str) -> SafeString:
    local = timezone.localtime(at)
    exact = f"{_stamped(local)} ({timezone.get_current_timezone()})"
    return format_html('<time datetime="{}" title="{}">{}</time>', local.isoformat(timespec="seconds"), exact, shown)
