"""Given up for real: workers run, the horizon is short, and nothing works for the whole time.

The horizon is 20 s, so that the tests stay quick; PINSYNC_TEST_GIVE_UP_SECONDS=60 makes it a minute.
"""

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from integrations.models import AdAccount, Attempt, Batch, Connection
from integrations.pinterest.sandbox.people import AD_ACCOUNTS, MAPLE, NORTHWIND
from pinsync.workspaces.models import Workspace
from tests.helpers import (
    audience_named,
    break_it,
    figures,
    let_in,
    mend,
    people,
    reasons,
    records_at,
    records_of,
    retry,
    sync_to,
)
from tests.integrations.delivery.conftest import connect
from tests.workers import Worker, until

pytestmark = [
    pytest.mark.processes,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc"),
]
HORIZON = int(os.environ.get("PINSYNC_TEST_GIVE_UP_SECONDS", "20"))
USERS = 40


@pytest.fixture
def workers(sandbox, tmp_path, transactional_db) -> Iterator[list[Worker]]:
    started = [
        Worker(tmp_path / f"worker-{n}.log", PINSYNC_GIVE_UP_AFTER_SECONDS=str(HORIZON), PINSYNC_WORKERS="1")
        for n in range(2)
    ]
    until(lambda: all(len(worker.cluster) >= 4 for worker in started), 30)
    yield started
    for worker in started:
        worker.kill_what_is_left()


def feeding(sandbox, name, person):
    """Return a sync of a workspace of its own, connected by a person, and its users."""
    workspace = Workspace.objects.create(name=name, slug=name)
    account = AdAccount.objects.create(
        connection=connect(workspace, sandbox, person),
        external_id=AD_ACCOUNTS[0].id,
        name=AD_ACCOUNTS[0].name,
        state="connected",
        seen_at=timezone.now(),
    )
    return sync_to(audience_named(name, account, sandbox.world)), people(workspace, USERS, name=name)


def test_what_fails_for_the_whole_time_ends_errored_with_its_reason(workers, sandbox, settings):
    settings.GIVE_UP_AFTER_SECONDS = HORIZON
    dead, dead_users = feeding(sandbox, "dead-token", MAPLE)
    gone, gone_users = feeding(sandbox, "deleted-audience", NORTHWIND)
    down, down_users = feeding(sandbox, "outage", NORTHWIND)
    break_it(sandbox, "revoke_token", pinterest_user=MAPLE.id)
    break_it(sandbox, "delete_audience", audience_id=gone.audience.external_id)
    break_it(sandbox, "outage", status=503, path=f"/customer_lists/{down.audience.target_id}")
    everybody = {dead: dead_users, gone: gone_users, down: down_users}
    began = timezone.now()
    for sync, chosen in everybody.items():
        let_in(sync, chosen, began)

    until(lambda: all(figures(sync)["errored"] == USERS for sync in everybody), HORIZON + 30)
    assert timezone.now() - began >= timedelta(seconds=HORIZON)
    for sync in everybody:
        assert figures(sync) == {"entered": USERS, "synced": 0, "not_synced": 0, "pending": 0, "errored": USERS}
    assert reasons(dead) == {"invalid_token": USERS}
    assert reasons(gone) == {"audience_gone": USERS}
    assert reasons(down) == {"partner_unavailable": USERS}
    for batch in Batch.objects.filter(state="errored"):
        assert batch.settled_at - batch.oldest_entered_at >= timedelta(seconds=HORIZON)
    assert not Batch.objects.filter(state__in=Batch.OPEN).exists()
    assert Connection.objects.get(workspace=dead.workspace).state == "broken"
    assert Attempt.objects.filter(batch__audience=down.audience, http_status=503).count() >= 2
    # No call was made with the dead token after it was found out: one for the batch, one for the refresh.
    theirs = [each for each in sandbox.log.requests if each.customer_list_id == dead.audience.target_id]
    assert len(theirs) <= 1

    mend(sandbox)
    assert retry(down, now=timezone.now()) == USERS
    until(lambda: figures(down)["synced"] == USERS, 20)
    assert records_at(sandbox.world, down.audience) == records_of(down_users)
