"""How sending goes on: on the page of a step, and below the cards of a Canvas."""

from datetime import timedelta

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from canvas import journeys
from canvas.analytics import Metrics, metrics
from canvas.analytics.flow import flow_of, notes_of
from canvas.models import Canvas
from canvas.reading import steps_of
from integrations.delivery import pacing, timetable
from integrations.models import Attempt, Batch, Connection, Pace, Tick
from tests.canvas.analytics.asking import browser, page
from tests.canvas.analytics.sending import settle, waiting
from tests.canvas.conftest import NOON, add, people

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)
FAR = 2e10  # seconds since the epoch


def test_flow_says_how_long_the_longest_waits_and_how_many_requests_are_used(launched, step, partner):
    flow = flow_of(step, metrics(step), NOON + 30 * MINUTE)
    assert flow.waits == 30 * 60
    assert flow.held_up_by.code == "partner_unavailable"
    assert (flow.requests, flow.requests_allowed) == (0, 400)
    assert flow.drained == 0  # one request, which may start now
    assert not flow.is_stopped
    assert flow_of(step, metrics(step), NOON + timedelta(seconds=2)).requests == Attempt.objects.count() == 3


def test_the_longest_wait_is_found_in_whatever_lane_it_is(launched, workspace, step, ad_account):
    """The step named another audience before; nobody else's arrivals are taken for its own."""
    settle(step.sync, 1, now=NOON)  # who was to be tried again
    other = type(step.sync.audience).objects.create(
        ad_account=ad_account, external_id="9", target_id="9", name="Other", seen_at=NOON
    )
    type(step.sync).objects.filter(pk=step.sync_id).update(audience=other)
    step.sync.refresh_from_db()
    journeys.enter(launched, people(workspace, 1, start=90), source="api", now=NOON + 5 * MINUTE)
    assert flow_of(step, metrics(step), NOON + 30 * MINUTE).waits == 30 * 60
    second = add(launched, "audience_sync", audience=other)
    journeys.enter(launched, people(workspace, 1, start=95), source="api", now=NOON + 8 * MINUTE)
    assert flow_of(second, metrics(second), NOON + 30 * MINUTE).waits == 22 * 60


def test_flow_names_the_limit_of_the_partner(launched, step, connection):
    Pace.objects.filter(partner_user_id=connection.partner_user_id).update(blocked_until=FAR, blocked_at=1)
    flow = flow_of(step, metrics(step), NOON)
    assert flow.rate_limited
    assert flow.next_request > 60


def test_flow_promises_no_request_where_none_may_be_made(launched, step, connection):
    Connection.objects.filter(pk=connection.pk).update(state="broken")
    step = steps_of(launched).get(pk=step.pk)
    flow = flow_of(step, metrics(step), NOON)
    assert (flow.is_stopped, flow.next_request, flow.drained) == (True, None, None)


def test_nothing_is_promised_where_the_audience_was_removed(launched, step):
    type(step.sync.audience).objects.filter(pk=step.sync.audience_id).delete()
    step = steps_of(launched).get(pk=step.pk)
    flow = flow_of(step, metrics(step), NOON + 30 * MINUTE)
    assert (flow.standing, flow.next_request, flow.drained) == (None, None, None)
    assert notes_of(steps_of(launched), NOON) == {}


def test_flow_has_nothing_to_say_where_nobody_waits(running, step):
    flow = flow_of(step, metrics(step), NOON)
    assert (flow.waits, flow.next_request, flow.drained, flow.held_up_by) == (None, None, None, None)
    assert flow_of(add(running, "audience_sync"), Metrics(), NOON) is None


def test_the_timetable_says_in_one_query_what_pacing_says(connection):
    pace = Pace.objects.get(partner_user_id=connection.partner_user_id)
    Tick.objects.update_or_create(pk=1, defaults={"last_at": 17.0})
    for changes in ({}, {"next_slot": FAR}, {"blocked_until": FAR, "slowdown": 4}):
        Pace.objects.filter(pk=pace.pk).update(**{"next_slot": 0, "blocked_until": 0, "slowdown": 1} | changes)
        with CaptureQueriesContext(database) as captured:
            found = timetable.read(connection)
        assert len(captured) == 1
        assert found.next_slot_in == pytest.approx(pacing.seconds_to_next_slot(pace), abs=5)
        assert found.is_blocked == ("blocked_until" in changes)
        assert (found.slowdown, found.last_tick) == (changes.get("slowdown", 1), 17.0)
    assert timetable.read(None).next_slot_in == 0


def test_notes_of_many_steps_take_no_more_queries(launched, workspace, step, audience, connection):
    Pace.objects.filter(partner_user_id=connection.partner_user_id).update(blocked_until=FAR, blocked_at=1)

    def asked() -> tuple[int, int]:
        steps = list(steps_of(launched))
        with CaptureQueriesContext(database) as captured:
            notes = notes_of(steps, NOON)
        assert all(note.is_rate_limited and note.next_request > 60 for note in notes.values())
        return len(captured), len(notes)

    assert asked() == (2, 1)
    for _ in range(4):
        add(launched, "audience_sync", audience=audience)
    Canvas.objects.filter(pk=launched.pk).update(reentry=True)
    journeys.enter(launched, people(workspace, 3, start=90), source="api", now=NOON)
    assert asked() == (2, 5)


def test_there_is_no_note_where_only_the_turn_is_waited_for(running, workspace, step):
    people(workspace, 2)
    journeys.enter(running, workspace.profiles.all(), source="launch", now=NOON)
    settle(step.sync, 1, now=NOON)
    assert notes_of(steps_of(running), NOON) == {}


def test_a_note_says_why_the_last_request_failed_and_when_the_next_one_is(launched, step, bob):
    batch = Batch.objects.get(reason="partner_unavailable")
    (note,) = notes_of(steps_of(launched), NOON).values()
    assert (note.is_rate_limited, note.held_up_by.code) == (False, "partner_unavailable")
    assert note.next_request == pytest.approx((batch.next_attempt_at - NOON).total_seconds(), abs=0.01)
    assert f"{note.held_up_by.name}, next attempt in" in page(browser(bob), launched, "")
    waiting(step.sync, 1, now=NOON, reason="partner_unavailable")
    assert notes_of(steps_of(launched), NOON).keys() == {step.pk}
    Batch.objects.filter(pk=batch.pk).update(reason="rate_limited")
    (note,) = notes_of(steps_of(launched), NOON).values()
    assert (note.is_rate_limited, note.held_up_by) == (True, None)
