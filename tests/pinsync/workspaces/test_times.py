"""How pages show times and numbers: in the reader's zone, exact on hover, and never by a raw filter."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings as django_settings
from django.utils import timezone, translation

from pinsync.workspaces.templatetags import ui

TEMPLATES = [
    path
    for path in sorted(Path(django_settings.BASE_DIR, "templates").rglob("*.html"))
    if "admin" not in path.parts  # speaks UTC, and says so
]
RAW = re.compile(r"\|\s*(date|time|naturaltime|naturalday|timesince|timeuntil)\b(?!\w)")
AT = datetime(2026, 11, 23, 15, 5, 9, tzinfo=UTC)
SEOUL = ZoneInfo("Asia/Seoul")


@pytest.fixture
def now(monkeypatch):
    """Return a function that says what time it is."""

    def say(at):
        monkeypatch.setattr(timezone, "now", lambda: at)

    say(AT)
    return say


def shown(html):
    return re.fullmatch(r'<time datetime="([^"]+)" title="([^"]+)">([^<]+)</time>', html.replace("\xa0", " ")).groups()


@pytest.mark.parametrize(
    ("show", "text"),
    [
        (ui.moment, "24 Nov 2026, 00:05"),
        (ui.day, "24 Nov 2026"),
        (ui.clock, "00:05:09"),
        (ui.stamp, "24 Nov 2026 00:05:09"),
    ],
)
def test_a_time_is_shown_in_the_readers_zone_with_the_exact_one_on_hover(show, text):
    with timezone.override(SEOUL):
        assert shown(show(AT)) == ("2026-11-24T00:05:09+09:00", "24 Nov 2026 00:05:09 (Asia/Seoul)", text)


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (datetime(2026, 11, 23, 1, 2, tzinfo=UTC), "01:02"),
        (datetime(2026, 11, 22, 23, 59, tzinfo=UTC), "22 Nov, 23:59"),
        (datetime(2025, 12, 31, 23, 59, tzinfo=UTC), "31 Dec 2025, 23:59"),
        (datetime(2027, 1, 1, tzinfo=UTC), "1 Jan 2027, 00:00"),
    ],
)
def test_short_says_what_tells_times_apart(now, at, text):
    assert shown(ui.short(at))[2] == text


def test_today_is_the_readers_day(now):
    with timezone.override(SEOUL):  # it is the 24th there
        assert shown(ui.short(datetime(2026, 11, 23, 14, 59, tzinfo=UTC)))[2] == "23 Nov, 23:59"
        assert shown(ui.short(datetime(2026, 11, 23, 15, 0, tzinfo=UTC)))[2] == "00:00"


@pytest.mark.parametrize(
    ("passed", "text"),
    [
        (timedelta(), "now"),
        (timedelta(seconds=12), "12 seconds ago"),
        (timedelta(minutes=3, seconds=30), "3 minutes ago"),
        (timedelta(hours=23, minutes=59), "23 hours ago"),
        (timedelta(days=8), "1 week ago"),
        (timedelta(days=400), "1 year ago"),
        (timedelta(minutes=-3), "in 3 minutes"),
        (timedelta(days=-2, hours=-3), "in 2 days"),
    ],
)
def test_ago_says_it_in_one_unit(passed, text):
    start = timezone.now()
    said = shown(ui.ago(start - passed - (timedelta(milliseconds=-400) if passed < timedelta() else timedelta())))
    assert said[2] == text
    assert said[1].endswith("(UTC)")


@pytest.mark.parametrize("show", [ui.moment, ui.day, ui.short, ui.clock, ui.stamp, ui.ago, ui.input_value])
def test_nothing_comes_out_of_nothing(show):
    assert show(None) == ""


def test_korean_has_its_own_order():
    with translation.override("ko"), timezone.override(SEOUL):
        assert shown(ui.moment(AT))[1:] == ("2026년 11월 24일 00:05:09 (Asia/Seoul)", "2026년 11월 24일 00:05")


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(django_settings.BASE_DIR)))
def test_no_page_shows_a_raw_time(path):
    assert RAW.findall(path.read_text()) == []


def test_a_raw_time_is_found():
    assert RAW.findall('{{ a|date:"c" }}{{ b|naturaltime }}{{ c | time }}{{ d|day }}') == [
        "date",
        "naturaltime",
        "time",
    ]
