"""Reads have a pace of their own: 1,000 a minute and Pinterest user, apart from the writes."""

import threading
import time
from datetime import timedelta

import pytest
from django.db import connection as database
from django.utils import timezone

from integrations import ad_accounts, audiences
from integrations.delivery import pacing, reading
from integrations.errors import RateLimited
from integrations.models import Pace
from integrations.pinterest import limits
from integrations.pinterest.sandbox.limits import Limits, Windows
from tests.helpers import deliver, figures, let_in, people, sync_to


def read(times=1, person="1"):
    with reading.reads_of("pinterest", person):
        for _ in range(times):
            reading.keep_door("pinterest", "read")


def test_the_limit_is_kept_with_room_for_late_starts():
    assert 60 / limits.SECONDS_BETWEEN_READS < limits.READS_PER_MINUTE * 0.95


@pytest.mark.timed
@pytest.mark.django_db(transaction=True)
def test_reads_of_one_person_are_spaced_whoever_makes_them():
    started = time.monotonic()

    def ask():
        read(5)
        database.close()

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - started >= 19 * limits.SECONDS_BETWEEN_READS
    started = time.monotonic()
    read(person="another")
    assert time.monotonic() - started < 0.5


@pytest.mark.timed
@pytest.mark.django_db
def test_a_page_waits_two_seconds_at_most_and_upkeep_less():
    Pace.objects.create(partner="pinterest", partner_user_id="1", next_read=time.time() + 1)
    with reading.in_background(), pytest.raises(RateLimited):
        read()
    started = time.monotonic()
    read()
    assert 0.5 < time.monotonic() - started < 2
    Pace.objects.update(next_read=time.time() + 10)
    started = time.monotonic()
    with pytest.raises(RateLimited) as refused:
        read()
    assert time.monotonic() - started < 0.5
    assert 9 < refused.value.retry_after.total_seconds() <= 10


@pytest.mark.django_db
def test_reads_and_writes_hold_each_other_up_in_nothing(workspace, audience, connection, sandbox):
    pace = pacing.pace_of(connection)
    pacing.slow_down(pace, timedelta(hours=1))
    assert audiences.refresh(audience.ad_account, timezone.now()) > 0
    Pace.objects.update(blocked_until=0, next_read=time.time() + 3600)
    sync = sync_to(audience)
    let_in(sync, people(workspace, 3))
    deliver()
    assert figures(sync)["synced"] == 3


@pytest.mark.django_db
def test_a_429_to_a_read_is_obeyed_by_all_reads_of_the_person(ad_account, sandbox):
    sandbox.windows = Windows(Limits(reads_per_minute=1))
    try:
        ad_accounts.reread(ad_account.connection, timezone.now())
        with pytest.raises(RateLimited) as refused:
            audiences.refresh(ad_account, timezone.now())
    finally:
        sandbox.windows = Windows(sandbox.limits)
    assert refused.value.http_status == 429
    seen = len(sandbox.log.latest(100))
    with pytest.raises(RateLimited) as held:
        audiences.refresh(ad_account, timezone.now())
    assert held.value.http_status is None
    assert held.value.retry_after.total_seconds() == pytest.approx(refused.value.retry_after.total_seconds(), abs=2)
    assert len(sandbox.log.latest(100)) == seen  # nothing was asked
    assert pacing.seconds_to_next_slot(pacing.pace_of(ad_account.connection)) == 0
