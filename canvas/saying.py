"""Who enters a Canvas and when, in words."""

from zoneinfo import ZoneInfo

from django.utils import formats
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from canvas.models import Canvas


def entry(canvas: Canvas) -> str:
    """Return how users enter: “Every week from 23 Nov 2026, 09:00 (Asia/Seoul)”."""
    if canvas.entry_kind == Canvas.EntryKind.EVENT:
        return _("When “%(event)s” happens") % {"event": canvas.event_name or "…"}
    if canvas.entry_kind != Canvas.EntryKind.SCHEDULED:
        return canvas.get_entry_kind_display()
    if canvas.starts_at is None:
        return _("At a time that is not set yet")
    zone = ZoneInfo(canvas.time_zone)
    when = formats.date_format(canvas.starts_at.astimezone(zone), "DATETIME_FORMAT")
    values = {"when": f"{when} ({canvas.time_zone})", "cron": canvas.cron}
    said = {
        Canvas.Repeat.ONCE: _("Once, on %(when)s"),
        Canvas.Repeat.DAILY: _("Every day from %(when)s"),
        Canvas.Repeat.WEEKLY: _("Every week from %(when)s"),
        Canvas.Repeat.CRON: _("By “%(cron)s” from %(when)s"),
    }[Canvas.Repeat(canvas.repeat)] % values
    if canvas.ends_at is None or canvas.repeat == Canvas.Repeat.ONCE:
        return said
    until = formats.date_format(canvas.ends_at.astimezone(zone), "DATETIME_FORMAT")
    return _("%(said)s until %(until)s") % {"said": said, "until": until}


def target(canvas: Canvas) -> str:
    """Return who may enter."""
    if canvas.segment is not None:
        return _("Segment “%(name)s”") % {"name": canvas.segment.name}
    if canvas.source_import is not None:
        return _("Users of “%(name)s”") % {"name": canvas.source_import.name}
    return _("Whom the call names") if canvas.entry_kind == Canvas.EntryKind.API else _("Everybody")


def reentry(canvas: Canvas) -> str:
    """Return whether users may enter again, and when."""
    if not canvas.reentry:
        return _("Once only")
    if not canvas.reentry_days:
        return _("Again once they have left")
    said = ngettext(
        "Again once they have left, %(count)s day after they entered last at the earliest",
        "Again once they have left, %(count)s days after they entered last at the earliest",
        canvas.reentry_days,
    )
    return said % {"count": canvas.reentry_days}


def exits(canvas: Canvas) -> str:
    """Return what lets users out before the end."""
    said = []
    if canvas.exit_event:
        said.append(_("when “%(event)s” happens") % {"event": canvas.exit_event})
    if canvas.exit_segment is not None:
        said.append(_("when they are in the segment “%(name)s”") % {"name": canvas.exit_segment.name})
    return "; ".join(said) if said else _("At the end only")
