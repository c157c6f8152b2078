"""Figures over time: what a range shows, from minutes or from hours, and how it is drawn."""

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from canvas import journeys
from canvas.analytics import chart, history, metrics, periods
from canvas.analytics.periods import Choice
from integrations.models import SyncHour, SyncMinute, SyncTotals
from tests.canvas.analytics.sending import settle
from tests.canvas.conftest import HOUR, NOON, people

pytestmark = pytest.mark.django_db
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def busy(found) -> list[tuple]:
    """Return the buckets in which anything happened."""
    return [
        (b.at, b.entered, b.synced, b.not_synced, b.errored, b.pending)
        for b in found.buckets
        if not b.is_quiet or b is found.buckets[-1]
    ]


def test_minutes_and_hours_add_up_to_the_totals(launched, workspace, step):
    journeys.enter(launched, people(workspace, 4, start=60), source="api", now=NOON + 3 * HOUR)
    settle(step.sync, 1, now=NOON + 3 * HOUR + MINUTE)
    totals = SyncTotals.objects.get(sync=step.sync)
    for spans, number in ((SyncMinute, 3), (SyncHour, 2)):
        rows = spans.objects.filter(sync=step.sync)
        assert rows.count() == number
        for figure in history.FIGURES:
            assert sum(rows.values_list(figure, flat=True)) == getattr(totals, figure)


def test_history_ends_with_the_figures_of_now(launched, workspace, step):
    later = NOON + 7 * MINUTE
    journeys.enter(launched, people(workspace, 4, start=60), source="api", now=later)
    settle(step.sync, 1, now=later)  # who was to be tried again
    settle(step.sync, 2, now=later)
    found = history.history(step.sync, Choice("hour"), later + MINUTE)
    assert busy(found) == [(NOON, 7, 2, 1, 1, 3), (later, 4, 3, 0, 0, 4), (later + MINUTE, 0, 0, 0, 0, 4)]
    assert found.buckets[-1].pending == metrics(step).pending
    assert (found.pending_before, found.range.unit) == (0, MINUTE)
    assert [b.at for b in found.buckets] == [found.range.began + n * MINUTE for n in range(len(found.buckets))]


def test_a_range_begins_with_those_who_were_pending_before(launched, step):
    settle(step.sync, 1, now=NOON + 3 * HOUR)  # who was to be tried again
    settle(step.sync, 1, now=NOON + 3 * HOUR)
    found = history.history(step.sync, Choice("hour"), NOON + 3 * HOUR + MINUTE)
    assert (found.pending_before, found.buckets[0].pending) == (3, 3)
    assert busy(found)[0] == (NOON + 3 * HOUR, 0, 2, 0, 0, 1)


def test_a_range_in_the_past_ends_with_what_was_pending_then(launched, workspace, step):
    settle(step.sync, 1, now=NOON + 2 * HOUR + 20 * MINUTE)
    settle(step.sync, 1, now=NOON + 2 * HOUR + 40 * MINUTE)
    now = NOON + 50 * HOUR
    journeys.enter(launched, people(workspace, 5, start=60), source="api", now=now)
    for until, pending in (
        (NOON + 2 * HOUR, 3),
        (NOON + 2 * HOUR + 30 * MINUTE, 2),
        (NOON + 3 * HOUR, 1),
        (NOON + 40 * HOUR, 1),
        (now + MINUTE, 6),
    ):
        found = history.history(step.sync, Choice(periods.CHOSEN, NOON - HOUR, until), now)
        assert found.buckets[-1].pending == pending, until
        assert found.pending_before == 0
        assert sum(b.entered for b in found.buckets) == (12 if until > now else 7)


@pytest.mark.parametrize(
    ("choice", "unit", "number"),
    [
        (Choice("hour"), MINUTE, 61),
        (Choice("day"), 15 * MINUTE, 97),
        (Choice("week"), HOUR, 169),
        (Choice("month"), 6 * HOUR, 121),
        (Choice("all"), 7 * DAY, 53),
        (Choice(periods.CHOSEN, NOON - 2 * DAY, NOON), HOUR, 48),
        (Choice(periods.CHOSEN, NOON - 90 * DAY, NOON), DAY, 91),
        (Choice(periods.CHOSEN, NOON - 3 * HOUR, NOON), 5 * MINUTE, 36),
    ],
)
def test_the_unit_follows_the_range(step, choice, unit, number):
    SyncHour.objects.create(sync=step.sync, hour=NOON - 364 * DAY, entered=1, synced=1)
    found = history.history(step.sync, choice, NOON)
    assert found.range.unit == unit
    assert abs(len(found.buckets) - number) <= 1
    assert len(found.buckets) <= periods.MOST + 1


def test_months_are_read_from_hours_in_two_queries(step):
    SyncHour.objects.bulk_create(
        SyncHour(sync=step.sync, hour=NOON - n * HOUR, entered=2, synced=1, pending=1) for n in range(24 * 60)
    )
    SyncTotals.objects.create(sync=step.sync, entered=2880, synced=1440, pending=1440)
    with CaptureQueriesContext(database) as captured:
        found = history.history(step.sync, Choice("all"), NOON)
    assert len(captured) == 2
    assert found.range.unit == 15 * DAY // 15
    assert sum(b.entered for b in found.buckets) == 2880
    assert (found.pending_before, found.buckets[-1].pending) == (0, 1440)
    assert [b.entered for b in found.buckets[1:-1]] == [48] * (len(found.buckets) - 2)


def test_nothing_is_nothing(step):
    found = history.history(step.sync, Choice("all"), NOON)
    assert found.is_empty
    assert (found.range.unit, found.range.ended > NOON) == (MINUTE, True)


# --- what people choose ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "choice"),
    [
        ({}, Choice("day")),
        ({"period": "week"}, Choice("week")),
        ({"period": "no such"}, Choice(is_wrong=True)),
        (
            {"from": "2026-11-20T10:30", "to": "2026-11-21T00:00"},
            Choice("chosen", datetime(2026, 11, 20, 10, 30, tzinfo=UTC), datetime(2026, 11, 21, tzinfo=UTC)),
        ),
        ({"from": "2026-11-20T19:30+09:00"}, Choice("chosen", datetime(2026, 11, 20, 10, 30, tzinfo=UTC))),
        ({"to": "2026-11-20"}, Choice("chosen", None, datetime(2026, 11, 20, tzinfo=UTC))),
        ({"from": "2026-11-21", "to": "2026-11-20"}, Choice(is_wrong=True)),
        ({"from": "yesterday"}, Choice(is_wrong=True)),
        ({"from": "0001-01-01T00:00", "to": "2026-11-20"}, Choice(is_wrong=True)),
        ({"to": "9999-12-31T23:59"}, Choice(is_wrong=True)),
    ],
)
def test_an_address_says_which_time_is_meant(query, choice):
    found = periods.read(query)
    assert found == choice
    if not choice.is_wrong:
        assert periods.read(found.query) == choice


def test_a_time_without_a_zone_is_the_readers_and_an_address_says_which_it_is():
    with timezone.override(ZoneInfo("Asia/Seoul")):
        found = periods.read({"from": "2026-11-20T19:30", "to": "2026-11-21T09:00"})
    assert found.query == {"from": "2026-11-20T10:30Z", "to": "2026-11-21T00:00Z"}
    assert periods.read(found.query) == found


def test_a_range_that_is_shown_and_asked_for_again_stays_as_it_is():
    for days in (0.1, 1, 5, 40, 300, 3000):
        first = periods.range_of(Choice("chosen", NOON - days * DAY, NOON - 7 * MINUTE), NOON, NOON)
        again = periods.range_of(Choice("chosen", first.began, first.ended), NOON, NOON)
        assert (again.began, again.ended, again.unit) == (first.began, first.ended, first.unit)


# --- the drawing -----------------------------------------------------------------------------------------------


def test_the_drawing_shows_the_buckets_in_its_own_units(launched, workspace, step):
    found = history.history(step.sync, Choice("hour"), NOON + 30 * MINUTE)
    drawn = chart.draw(found)
    assert [(line.key, line.total) for line in drawn.lines] == [
        ("entered", 7),
        ("synced", 2),
        ("pending", 3),
        ("errored", 1),
    ]
    data = json.loads(drawn.data)
    assert len(data["times"]) == len(data["x"]) == len(found.buckets)
    assert data["series"]["entered"] == [b.entered for b in found.buckets]
    assert data["series"]["pending"] == [b.pending for b in found.buckets]
    for line in drawn.lines:
        points = [tuple(map(float, point.split(","))) for point in line.points.split()]
        xs = [x for x, _y in points]
        assert xs == sorted(xs)
        assert (xs[0], xs[-1]) == (data["x"][0], data["x"][-1])
        assert all(0 <= x <= chart.WIDTH and 0 <= y <= chart.HEIGHT for x, y in points)
    entered = dict(tuple(map(float, point.split(","))) for point in drawn.lines[0].points.split())
    at_noon = data["x"][[b.at for b in found.buckets].index(NOON)]
    assert entered[at_noon] == chart.HEIGHT - 7 / 8 * chart.HEIGHT  # of a scale up to 8
    assert [mark.label for mark in drawn.rules] == ["8", "6", "4", "2", "0"]
    assert all(0 <= mark.at < 100 for mark in drawn.times)
    assert 2 <= len(drawn.times) <= chart.LABELS + 1


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "Asia/Kolkata", "UTC"])
@pytest.mark.parametrize("period", ["week", "month"])
def test_a_day_below_the_drawing_begins_where_the_reader_is(launched, step, zone, period):
    """As the times that are read out do, while a unit is less than a day; the clocks changed on 1 November."""
    found = history.history(step.sync, Choice(period), NOON)
    with timezone.override(ZoneInfo(zone)):
        marks = chart.draw(found).times
    assert len(marks) >= 4
    for mark in marks:
        at = found.range.began + mark.at / 100 * (found.range.ended - found.range.began) + HOUR  # drawn to 0.1 %
        local = at.astimezone(ZoneInfo(zone))
        assert (local.hour, f"{local:%-d %b}") in ((0, mark.label), (1, mark.label))


@pytest.mark.parametrize(
    ("value", "top"),
    [(0, 4), (4, 4), (5, 8), (9, 12), (21, 28), (37, 40), (81, 120), (4999, 8000), (12_000, 12_000)],
)
def test_scales_end_at_a_round_number_of_four_parts(value, top):
    assert chart.ceiling(value) == top


@pytest.mark.parametrize(
    ("value", "short"), [(0, "0"), (900, "900"), (1200, "1.2k"), (1250, "1250"), (15_000, "15k"), (2_000_000, "2M")]
)
def test_scales_are_short(value, short):
    assert chart._short(value) == short
