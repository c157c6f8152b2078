"""The threads that send, and the database connection that each of them has."""

import gc
import http.client
import time
from datetime import timedelta

import pytest
from django.db import OperationalError
from django.db import connection as database
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.utils import timezone

from integrations.delivery import draining
from integrations.delivery.pacing import spacing
from integrations.models import Attempt, Pace, Tick
from tests.helpers import audience_named, break_it, deliver, figures, let_in, people, sync_to

pytestmark = pytest.mark.django_db(transaction=True)

AUDIENCES = 5
LATE = 0.2


@pytest.fixture
def no_collection():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def opened() -> int:
    """Return how many database connections of this process are open, whoever has forgotten them."""
    return sum(isinstance(one, BaseDatabaseWrapper) and one.connection is not None for one in gc.get_objects())


def wait_no_more(sync, name: str) -> None:
    """Let three users enter who have waited long enough."""
    let_in(sync, people(sync.workspace, 3, name=name), now=timezone.now() - timedelta(seconds=10))
    Tick.objects.update_or_create(id=1, defaults={"last_at": time.time()})


def test_senders_leave_no_connection_open(ad_account, sandbox, no_collection):
    syncs = [sync_to(audience_named(f"Audience {n}", ad_account, sandbox.world)) for n in range(AUDIENCES)]
    before = opened()
    for turn in ("first", "second"):
        for sync in syncs:
            wait_no_more(sync, f"{turn}-{sync.pk}-")
        assert draining.drain(seconds=20) == AUDIENCES
    assert [figures(sync)["synced"] for sync in syncs] == [6] * AUDIENCES
    assert opened() == before


def test_what_fails_is_left_alone_for_a_while(audience, sandbox, caplog):
    wait_no_more(sync_to(audience), "user")
    with database.cursor() as cursor:
        cursor.execute("ALTER TABLE profiles_profile RENAME TO away")
    try:
        assert draining.drain(seconds=2.5) == 0
    finally:
        with database.cursor() as cursor:
            cursor.execute("ALTER TABLE away RENAME TO profiles_profile")
    assert 1 <= [record.message for record in caplog.records].count("sender failed") <= 3
    assert draining.drain(seconds=20) == 1


def test_who_could_not_ask_for_the_apps_slot_asks_again(ad_account, sandbox, settings):
    settings.PINTEREST_ACCESS, settings.PINTEREST_TRIAL_LIMIT = "trial", (1000, 60)
    syncs = [sync_to(audience_named(f"Audience {n}", ad_account, sandbox.world)) for n in range(2)]
    for sync in syncs:
        wait_no_more(sync, f"of-{sync.pk}-")
    break_it(sandbox, "latency", ms=int(draining.FAILED * 2_000))  # the other one is at work when the rest is over
    failed: list[str] = []

    def fail_once(execute, sql, params, many, context):
        if "SET claimed_until" in sql and not failed:
            failed.append(sql)
            raise OperationalError("the server went away")
        return execute(sql, params, many, context)

    def watch(sender, connection, **kwargs):
        connection.execute_wrappers.append(fail_once)

    connection_created.connect(watch)
    try:
        assert draining.drain(seconds=20) == 2
    finally:
        connection_created.disconnect(watch)
    assert len(failed) == 1
    assert [figures(sync)["synced"] for sync in syncs] == [3, 3]


def test_a_request_that_leaves_late_moves_the_next_slot(audience, sandbox, monkeypatch):
    send = http.client.HTTPConnection.send

    def slow(self, data):
        time.sleep(LATE)
        send(self, data)

    monkeypatch.setattr(http.client.HTTPConnection, "send", slow)  # as on a machine that has no time for us
    let_in(sync_to(audience), people(audience.ad_account.connection.workspace, 1))
    assert deliver() == 1
    after = Pace.objects.get().next_slot - Attempt.objects.get().started_at.timestamp()
    assert after > spacing("pinterest") + LATE - 0.05
