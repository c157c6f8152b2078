"""How delivery runs now, as /readyz, /metrics and the staff page tell it."""

import re
from datetime import timedelta

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from integrations import pausing, running, watching
from integrations.delivery import pacing
from integrations.models import Connection, Heartbeat, Tick
from pinsync.workspaces.models import Workspace
from tests.helpers import PLACEHOLDER, audience_named, break_it, deliver, let_in, mend, people, sync_to
from tests.integrations.delivery.conftest import connect

pytestmark = pytest.mark.django_db


def of(now, connection):
    return next(one for one in running.connections(now) if one.connection.pk == connection.pk)


def test_users_and_batches_by_state_and_what_waits(workspace, audience, connection, sandbox):
    sync = sync_to(audience)
    now = timezone.now()
    let_in(sync, people(workspace, 3), now - timedelta(minutes=3))
    let_in(sync, people(workspace, 2, name="blank", email=""), now)
    assert running.users_by_state() == {"synced": 0, "not_synced": 2, "pending": 3, "errored": 0}
    assert running.batches_by_state() == {"waiting": 0, "sending": 0, "errored": 0}
    assert running.oldest_pending(now) == pytest.approx(180, abs=1)
    found = of(now, connection)
    assert (found.pending, found.open_batches) == (3, 0)
    assert found.oldest_seconds == pytest.approx(180, abs=1)
    deliver()
    now = timezone.now()
    assert running.users_by_state() == {"synced": 3, "not_synced": 2, "pending": 0, "errored": 0}
    assert running.oldest_pending(now) is None
    assert of(now, connection).oldest_seconds is None


def test_users_between_two_tries_are_pending_and_their_batch_waits(workspace, audience, connection, sandbox):
    sync = sync_to(audience)
    entered = timezone.now()
    let_in(sync, people(workspace, 4), entered)
    break_it(sandbox, "outage", status=503, seconds=60)
    deliver()
    now = timezone.now()
    assert running.batches_by_state()["waiting"] == 1
    assert running.oldest_pending(now) == pytest.approx((now - entered).total_seconds(), abs=0.1)
    assert of(now, connection).open_batches == 1
    (trouble,) = running.recent_troubles(now)
    assert (trouble.connection_id, trouble.reason.code, trouble.requests) == (connection.pk, "partner_unavailable", 1)
    assert running.recent_troubles(now + timedelta(minutes=11)) == []


def test_a_refused_record_is_an_errored_batch(workspace, audience, sandbox):
    sync, chosen = sync_to(audience), people(workspace, 1)
    let_in(sync, chosen)
    break_it(sandbox, "refuse_record", digest=chosen.get().email_record)
    deliver()
    assert running.batches_by_state()["errored"] == 1
    assert running.errored_by_reason() == {"record_refused": 1}
    assert running.users_by_state()["errored"] == 1


def test_requests_and_429s_of_the_last_minute_by_partner_user(workspace, audience, connection, sandbox):
    sync = sync_to(audience)
    let_in(sync, people(workspace, 2))
    deliver()
    break_it(sandbox, "rate_limit", seconds=30)
    let_in(sync, people(workspace, 2, name="more"))
    deliver()
    now = timezone.now()
    (pace,) = running.paces(now)
    assert (pace.requests, pace.rate_limited, pace.pending) == (2, 1, 2)
    assert 0 < pace.next_slot_in <= 31
    assert pace.blocked_for == pytest.approx(pace.next_slot_in, abs=0.5)
    assert pace.drain_seconds >= pace.next_slot_in
    (later_on,) = running.paces(now + timedelta(seconds=61))
    assert (later_on.requests, later_on.rate_limited) == (0, 0)


def test_two_workspaces_of_one_partner_user_drain_together(workspace, audience, connection, sandbox, settings):
    settings.USERS_PER_REQUEST = 10
    other = connect(Workspace.objects.create(name="Second", slug="second"), sandbox)
    account = other.ad_accounts.create(
        external_id=audience.ad_account.external_id, name="x", state="connected", seen_at=timezone.now()
    )
    let_in(sync_to(audience), people(workspace, 30))
    let_in(sync_to(audience_named("Theirs", account, sandbox.world)), people(other.workspace, 70))
    now = timezone.now()
    (pace,) = running.paces(now)
    assert pace.pending == 100
    assert pace.drain_seconds == pytest.approx(9 * pacing.spacing("pinterest"), abs=0.1)
    assert of(now, connection).drain_seconds == of(now, other).drain_seconds == pytest.approx(pace.drain_seconds)
    pausing.pause(connection, None, now)
    assert of(now, connection).drain_seconds is None
    assert of(now, other).drain_seconds is not None


def test_workers_are_alive_while_they_write_their_heartbeat():
    now = timezone.now()
    for name, age in (("a:1", 1), ("b:2", 60)):
        Heartbeat.objects.create(name=name, started_at=now, parent_at=now - timedelta(seconds=age))
    assert [one.name for one in running.workers(now)] == ["a:1"]
    assert running.tick_age(now) is None
    Tick.objects.create(id=1, last_at=now.timestamp() - 7)
    assert running.tick_age(now) == pytest.approx(7, abs=0.1)


def test_long_waits_are_no_good_health(workspace, audience):
    sync = sync_to(audience)
    now = timezone.now()
    assert watching.oldest_pending(now).ok
    let_in(sync, people(workspace, 1), now)
    assert watching.oldest_pending(now + timedelta(minutes=30)).ok
    late = watching.oldest_pending(now + timedelta(minutes=61))
    assert (late.ok, late.figures) == (False, {"age_seconds": 3660.0})


def test_it_costs_the_same_for_few_and_for_many_and_counts_no_large_table(workspace, audience, sandbox):
    def ask() -> list[str]:
        now = timezone.now()
        with CaptureQueriesContext(database) as captured:
            list(watching.gauges(now))
            running.connections(now)
            running.recent_troubles(now)
            watching.oldest_pending(now)
        return [query["sql"] for query in captured]

    sync = sync_to(audience)
    let_in(sync, people(workspace, 2))
    deliver()
    let_in(sync, people(workspace, 2, name="more"))
    few = ask()
    let_in(sync, people(workspace, 300, name="many"))
    many = ask()
    assert len(many) == len(few)
    assert not [sql for sql in many if "integrations_delivery" in sql]
    arrivals = [sql for sql in many if "integrations_arrival" in sql]
    assert arrivals
    assert not [sql for sql in arrivals if "COUNT(" in sql.upper()]
    batches = [sql for sql in many if 'FROM "integrations_batch"' in sql]
    assert batches
    # The open ones, by the partial index; the errored ones up to a limit; never all.
    assert all(re.search(r"\"state\" IN \('waiting', 'sending'\)|LIMIT \d+", sql) for sql in batches), batches
    attempts = [sql for sql in many if 'FROM "integrations_attempt"' in sql]
    assert attempts
    assert all('"started_at" >=' in sql for sql in attempts)


def test_prometheus_reads_the_same(workspace, audience, connection, sandbox, settings):
    settings.METRICS_TOKEN = "correct-horse-battery-staple"
    chosen = people(workspace, 3)
    let_in(sync_to(audience), chosen)
    deliver()
    mend(sandbox)
    answer = Client().get("/metrics", headers={"Authorization": f"Bearer {settings.METRICS_TOKEN}"})
    text = answer.content.decode()
    person = f'{{partner="pinterest",partner_user="{connection.partner_user_id}"}}'
    for line in (
        'pinsync_users{state="synced"} 3',
        'pinsync_users{state="pending"} 0',
        'pinsync_batches{state="waiting"} 0',
        'pinsync_batches{state="sending"} 0',
        "pinsync_oldest_pending_seconds 0.0",
        "pinsync_workers_alive 0",
        f"pinsync_partner_user_requests_last_minute{person} 1",
        f"pinsync_partner_user_rate_limited_last_minute{person} 0",
        'pinsync_connections{state="connected"} 1',
        'pinsync_connections{state="broken"} 0',
        "pinsync_connections_paused 0",
    ):
        assert f"{line}\n" in text
    stored = Connection.objects.get(pk=connection.pk)
    for secret in (
        workspace.name,
        audience.name,
        stored.access_token,
        chosen[0].email,
        chosen[0].email_record,
        PLACEHOLDER,
    ):
        assert secret not in text
