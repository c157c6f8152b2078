"""How long users wait, and what it costs: a limit of the partner spends nobody's thirteen hours."""

import threading
import time
from datetime import timedelta

import pytest
from django.conf import settings as project
from django.db import OperationalError
from django.db import connection as database
from django.utils import timezone

from integrations import tasks
from integrations.delivery import draining, giving_up, lanes, pacing, seats, settling
from integrations.models import Arrival, Batch, Pace, Tick
from tests.helpers import audience_named, break_it, deliver, figures, later, let_in, mend, people, reasons, sync_to


def test_hours_for_which_the_partner_let_nothing_through_are_not_counted(
    workspace, audience, ad_account, connection, sandbox
):
    other = audience_named("Other", ad_account, sandbox.world)
    waiting, in_batch = sync_to(audience), sync_to(other)
    let_in(in_batch, people(workspace, 2, name="b"))
    break_it(sandbox, "outage", status=503)
    deliver()
    mend(sandbox)
    let_in(waiting, people(workspace, 3, name="a"))
    pacing.slow_down(pacing.pace_of(connection), timedelta(hours=10))

    giving_up.give_up(later(hours=14))
    giving_up.give_up(later(hours=22, minutes=59))
    assert (figures(waiting)["pending"], figures(in_batch)["pending"]) == (3, 2)
    giving_up.give_up(later(hours=23, minutes=1))
    assert (figures(waiting)["errored"], figures(in_batch)["errored"]) == (3, 2)


def test_a_limit_that_is_long_over_prolongs_nothing(workspace, audience, connection, sandbox):
    sync = sync_to(audience)
    pacing.slow_down(pacing.pace_of(connection), timedelta(hours=10))
    let_in(sync, people(workspace, 3), now=later(hours=48))
    giving_up.give_up(later(hours=48 + 13, minutes=1))
    assert figures(sync)["errored"] == 3


def test_refusals_in_a_row_are_one_limit(connection):
    pace = pacing.pace_of(connection)
    pacing.slow_down(pace, timedelta(hours=1))
    began = Pace.objects.get(pk=pace.pk).blocked_at
    Pace.objects.filter(pk=pace.pk).update(blocked_at=began - 3600, blocked_until=began - 2)  # and the hour is over
    pacing.slow_down(pace, timedelta(hours=1))
    assert Pace.objects.get(pk=pace.pk).blocked_at == began - 3600
    Pace.objects.filter(pk=pace.pk).update(blocked_until=began - 600)
    pacing.slow_down(pace, timedelta(hours=1))
    assert Pace.objects.get(pk=pace.pk).blocked_at >= began


def test_refusals_of_requests_that_were_under_way_together_halve_the_pace_once(connection):
    pace = pacing.pace_of(connection)
    for _ in range(7):
        pacing.slow_down(pace, None)
    assert Pace.objects.get(pk=pace.pk).slowdown == 2


@pytest.mark.django_db(transaction=True)
def test_a_seat_is_kept_until_the_last_answer_is_in(workspace, audience, sandbox, settings, monkeypatch):
    settings.DELIVERY_SEATS = 1
    monkeypatch.setattr(seats, "LEASE", 0.6)
    monkeypatch.setattr(seats, "RENEW_EVERY", 0.2)
    let_in(sync_to(audience), people(workspace, 3), now=timezone.now() - timedelta(seconds=10))
    Tick.objects.update_or_create(id=1, defaults={"last_at": time.time()})
    break_it(sandbox, "latency", ms=2000)
    taken = []

    def try_to_sit() -> None:
        time.sleep(1.5)
        taken.append(seats.take())
        database.close()

    other = threading.Thread(target=try_to_sit)
    other.start()
    assert draining.drain(seconds=0.3) == 1
    other.join()
    mend(sandbox)
    assert taken == [None]


def test_a_delivery_task_ends_before_the_queue_kills_it():
    longest = draining.HANDING_OVER + pacing.LONGEST_WAIT + settling.LONGEST_REQUEST.total_seconds()
    assert tasks.DELIVER_SECONDS + longest < project.Q_CLUSTER["timeout"]


@pytest.mark.django_db(transaction=True)
def test_nobody_looks_twenty_times_a_second_at_what_waits_for_hours(
    workspace, audience, connection, sandbox, monkeypatch
):
    let_in(sync_to(audience), people(workspace, 3), now=timezone.now() - timedelta(seconds=10))
    Tick.objects.update_or_create(id=1, defaults={"last_at": time.time()})
    pacing.slow_down(pacing.pace_of(connection), timedelta(hours=1))
    looks = []

    def look(*asked):
        looks.append(asked)
        return at_lanes(*asked)

    at_lanes = lanes._look
    monkeypatch.setattr(lanes, "_look", look)
    assert draining.drain(seconds=1.5) == 0
    assert len(looks) == 1


def test_a_lane_that_cannot_be_given_up_stops_no_delivery(workspace, audience, ad_account, sandbox):
    lost = audience_named("Lost", ad_account, sandbox.world)
    gone, kept = sync_to(lost), sync_to(audience)
    let_in(gone, people(workspace, 1, name="gone"), now=timezone.now() - timedelta(hours=14))
    let_in(kept, people(workspace, 2, name="kept"), now=timezone.now() - timedelta(hours=14))
    Arrival.objects.filter(audience_id=lost.pk).update(audience_id=lost.pk + 1_000_000)  # its audience was deleted
    giving_up.give_up(timezone.now())
    assert figures(kept)["errored"] == 2
    assert reasons(kept) == {"partner_unavailable": 2}
    assert Batch.objects.count() == 1


def test_a_batch_that_cannot_be_given_up_holds_up_no_other(workspace, audience, sandbox):
    sync = sync_to(audience)
    break_it(sandbox, "outage", status=503, seconds=60)
    for name in ("first", "second"):
        let_in(sync, people(workspace, 2, name=name))
        deliver()
    failed: list[str] = []

    def fail_once(execute, sql, params, many, context):
        if sql.startswith("UPDATE") and "integrations_batch" in sql and not failed:
            failed.append(sql)
            raise OperationalError("away for a moment")
        return execute(sql, params, many, context)

    with database.execute_wrapper(fail_once):
        assert giving_up.give_up(timezone.now() + timedelta(hours=13)) == 1
    assert failed
    assert figures(sync)["errored"] == 2
    assert giving_up.give_up(timezone.now() + timedelta(hours=13)) == 1
    assert figures(sync)["errored"] == 4
