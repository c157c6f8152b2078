"""Figures over time, and how sending goes on."""

from datetime import timedelta

import pytest

from canvas import journeys
from canvas.analytics import Metrics, history, metrics
from canvas.analytics.flow import flow_of
from integrations.models import Attempt, Connection, Pace, SyncMinute
from tests.canvas.analytics.sending import settle
from tests.canvas.conftest import HOUR, NOON, add, people

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


def test_history_adds_up_to_the_present(launched, workspace, step):
    later = NOON + 7 * MINUTE
    journeys.enter(launched, people(workspace, 4, start=60), source="api", now=later)
    settle(step.sync, 1, now=later)  # who was to be tried again
    settle(step.sync, 2, now=later)
    found = history.history(step.sync, "hour", later + MINUTE)
    assert [(b.at, b.entered, b.synced, b.not_synced, b.errored, b.pending) for b in found.buckets] == [
        (NOON, 7, 2, 1, 1, 3),
        (later, 4, 3, 0, 0, 4),
    ]
    assert found.buckets[-1].pending == metrics(step).pending
    for line in found.lines:
        xs = [int(point.split(",")[0]) for point in line.points.split()]
        ys = [int(point.split(",")[1]) for point in line.points.split()]
        assert xs == sorted(xs)
        assert (xs[0], xs[-1]) == (0, 1000)
        assert 0 <= min(ys) <= max(ys) <= history.HEIGHT


def test_a_period_begins_with_those_who_were_pending_before(launched, step):
    settle(step.sync, 1, now=NOON + 3 * HOUR)  # who was to be tried again
    settle(step.sync, 1, now=NOON + 3 * HOUR)
    found = history.history(step.sync, "hour", NOON + 3 * HOUR + MINUTE)
    (bucket,) = found.buckets
    assert (bucket.entered, bucket.synced, bucket.pending) == (0, 2, 1)
    pending = next(line for line in found.lines if line.key == "pending")
    first, last = (int(pending.points.split()[place].split(",")[1]) for place in (0, -1))
    assert first < last  # three waited, then one: the line falls


def test_a_long_history_is_drawn_by_hours_and_days(step, running):
    for day in range(60):
        SyncMinute.objects.create(sync=step.sync, minute=NOON + timedelta(days=day), entered=2, synced=2)
    end = NOON + timedelta(days=60)
    by_day = history.history(step.sync, "all", end)
    assert (by_day.step, len(by_day.buckets)) == (timedelta(days=1), 60)
    by_hour = history.history(step.sync, "week", end)
    assert (by_hour.step, len(by_hour.buckets)) == (timedelta(hours=1), 7)
    assert history.history(step.sync, "no such", end).period == "all"


@pytest.mark.parametrize(
    ("value", "rounded"),
    [(0, 0), (1, 1), (7, 7), (10, 10), (11, 12), (81, 100), (99, 100), (101, 120), (4999, 5000), (12_000, 12_000)],
)
def test_scales_end_at_a_round_number(value, rounded):
    found = history.History("all", NOON, NOON + HOUR, MINUTE, [history.Bucket(NOON, value, 0, 0, 0, 0)])
    assert history.drawn(found, 0).highest == max(rounded, 1)


def test_flow_says_how_long_the_longest_waits_and_how_many_requests_are_used(launched, step, partner):
    flow = flow_of(step, metrics(step), NOON + 30 * MINUTE)
    assert flow.waits == 30 * 60
    assert flow.held_up_by.code == "partner_unavailable"
    assert (flow.requests, flow.requests_allowed) == (0, 400)
    assert flow.drained == 0  # one request, which may start now
    assert not flow.is_stopped
    assert flow_of(step, metrics(step), NOON + timedelta(seconds=2)).requests == Attempt.objects.count() == 3


def test_flow_names_the_limit_of_the_partner(launched, step, connection):
    Pace.objects.filter(partner_user_id=connection.partner_user_id).update(blocked_until=2e10, blocked_at=1)
    flow = flow_of(step, metrics(step), NOON)
    assert flow.rate_limited
    assert flow.next_request > 60


def test_flow_promises_no_request_where_none_may_be_made(launched, step, connection):
    Connection.objects.filter(pk=connection.pk).update(state="broken")
    flow = flow_of(step, metrics(step), NOON)
    assert (flow.is_stopped, flow.next_request, flow.drained) == (True, None, None)


def test_flow_has_nothing_to_say_where_nobody_waits(running, step):
    flow = flow_of(step, metrics(step), NOON)
    assert (flow.waits, flow.next_request, flow.drained, flow.held_up_by) == (None, None, None, None)
    assert flow_of(add(running, "audience_sync"), Metrics(), NOON) is None
