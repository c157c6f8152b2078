"""The pace that Pinterest's limits allow, kept by real processes together; the sandbox's log is the witness."""

import itertools
import statistics
import time
from collections.abc import Callable, Iterator

import pytest
from django.utils import timezone

from integrations.benchmarks.pace import most_in
from integrations.models import Batch, Pace
from integrations.pinterest.sandbox.limits import Limits, Windows
from integrations.pinterest.sandbox.people import AD_ACCOUNTS, MAPLE
from pinsync.workspaces.models import Workspace
from tests.helpers import audience_named, break_it, figures, let_in, people, sync_to
from tests.integrations.delivery.conftest import connect
from tests.workers import Beside, until

pytestmark = [pytest.mark.processes, pytest.mark.django_db(transaction=True)]

DRAIN = """
import time
from django.utils import timezone
from integrations.delivery import sending, worker
end, made = time.time() + {seconds}, 0
while time.time() < end:
    worker.tick(timezone.now())
    made += sending.drain(seconds=min(2, max(end - time.time(), 0.1)))
    time.sleep(0.05)
print(made)
"""
CREATE = """
from django.utils import timezone
from integrations import creating
from integrations.models import AdAccount
for number in range({number}):
    print(creating.create(AdAccount.objects.first(), f"Made {{number}}", "", timezone.now()).state)
"""
READ = """
import time
from django.utils import timezone
from integrations import audiences
from integrations.errors import RateLimited
from integrations.models import AdAccount
end, read, refused = time.time() + {seconds}, 0, 0
while time.time() < end:
    try:
        audiences.refresh(AdAccount.objects.first(), timezone.now())
        read += 1
    except RateLimited as limited:
        assert limited.retry_after.total_seconds() > 0
        refused += 1
    time.sleep(0.2)
print(read, refused)
"""


@pytest.fixture
def beside(sandbox) -> Iterator[Callable[..., Beside]]:
    started: list[Beside] = []

    def start(lines: str, **variables: str) -> Beside:
        started.append(Beside(lines, **{"PINSYNC_USERS_PER_REQUEST": "2"} | variables))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()


def writes(sandbox, since=0.0):
    found = sandbox.log.since(1e9, time.time())
    return [line for line in found if line.category == "ads_write" and line.time >= since]


def refused(lines):
    return [line for line in lines if line.status == 429]


def assert_kept(lines):
    """Never 8 in a second nor 401 in a minute, and nothing refused."""
    times = [line.time for line in lines]
    assert {line.pinterest_user for line in lines} == {MAPLE.id}
    assert refused(lines) == []
    assert most_in(times, 1.0) <= 7
    assert most_in(times, 60.0) <= 400


def test_two_workspaces_of_one_pinterest_user_share_one_pace(workspace, audience, sandbox, beside):
    second = Workspace.objects.create(name="Second", slug="second")
    account = connect(second, sandbox).ad_accounts.create(
        external_id=AD_ACCOUNTS[1].id, name="Canada", state="connected", seen_at=timezone.now()
    )
    syncs = [sync_to(audience), sync_to(audience_named("Theirs", account, sandbox.world))]
    for sync in syncs:
        let_in(sync, people(sync.workspace, 200))
    drains = [beside(DRAIN.format(seconds=7)) for _ in range(2)]
    made = [int(one.said(40)) for one in drains]
    lines = writes(sandbox)
    assert_kept(lines)
    assert min(made) > 3  # both took part
    assert sum(made) == len(lines)
    assert len({line.path for line in lines}) == 2
    sent = [figures(sync)["synced"] for sync in syncs]
    assert abs(sent[0] - sent[1]) <= 8  # in turns
    assert Pace.objects.count() == 1


def test_creating_audiences_counts_in_the_same_pace(workspace, audience, ad_account, sandbox, beside):
    sync = sync_to(audience)
    let_in(sync, people(workspace, 200))
    drains = [beside(DRAIN.format(seconds=9)) for _ in range(2)]
    until(lambda: writes(sandbox), 15)
    web = beside(CREATE.format(number=5))
    assert web.said(40).split() == ["ready"] * 5
    made = sum(int(one.said(40)) for one in drains)
    lines = writes(sandbox)
    assert_kept(lines)
    created = [line for line in lines if line.method == "POST"]
    assert len(created) == 10
    assert len(lines) == made + 10
    between = [line for line in lines if created[0].time < line.time < created[-1].time]
    assert len(between) > 10  # users went on being sent meanwhile


@pytest.mark.parametrize("said", [{}, {"only_reset": True}], ids=["retry_after", "rate_limit_reset"])
def test_a_429_is_obeyed_by_every_worker_at_once(workspace, audience, sandbox, beside, said):
    sync = sync_to(audience)
    let_in(sync, people(workspace, 400))
    drains = [beside(DRAIN.format(seconds=10)) for _ in range(2)]
    until(lambda: len(writes(sandbox)) > 8, 20)
    break_it(sandbox, "rate_limit", seconds=3, **said)
    until(lambda: refused(writes(sandbox)), 5)
    began = refused(writes(sandbox))[0].time
    until(lambda: time.time() > began + 2, 5)
    during = figures(sync)
    made = [int(one.said(40)) for one in drains]
    lines = writes(sandbox)
    assert min(made) > 3  # both were at it, before and after
    # What had its slot already was on its way; from then on nothing until the time is over.
    assert max(line.time for line in refused(lines)) < began + 0.8
    assert [line for line in lines if began + 0.8 < line.time < began + 2.5] == []
    after = [line for line in lines if line.time >= began + 2.5]
    assert len(after) > 10
    assert most_in([line.time for line in lines], 1.0) <= 7
    # Nobody errored, and nobody's time was spent: the batches that were refused have no failed attempt.
    assert (during["errored"], during["pending"] > 0) == (0, True)
    assert figures(sync)["errored"] == 0
    assert all(line.status == 200 for line in after)
    assert not Batch.objects.filter(reason="rate_limited", attempts__gt=1).exists()


def test_a_429_without_a_header_halves_the_pace_which_recovers_step_by_step(workspace, audience, sandbox, beside):
    let_in(sync_to(audience), people(workspace, 400))
    drains = [beside(DRAIN.format(seconds=11)) for _ in range(2)]
    until(lambda: len(writes(sandbox)) > 8, 20)
    break_it(sandbox, "rate_limit", seconds=0.5, header=False)
    for one in drains:
        one.said(40)
    lines = writes(sandbox)
    last_refused = refused(lines)[-1].time
    before = [line.time for line in lines if line.time < refused(lines)[0].time]
    after = [line.time for line in lines if line.time > last_refused]
    gaps = [later - earlier for earlier, later in itertools.pairwise(after)]
    assert after[0] - last_refused > 0.3
    assert statistics.median(later - earlier for earlier, later in itertools.pairwise(before)) < 0.18
    assert statistics.mean(gaps[:3]) > 0.22  # 300 ms, 270 ms, 243 ms …
    assert statistics.mean(gaps[:3]) > statistics.mean(gaps[3:6]) > 0.16
    assert statistics.median(gaps[12:]) < 0.18  # … back at full pace
    assert Pace.objects.get().slowdown == 1


def test_trial_access_is_kept_by_all_processes_together(workspace, audience, ad_account, sandbox, beside):
    """A day of 8 seconds with 20 requests: a write every 525 ms, and at most 4 others in 8.4 s."""
    trial = {"PINTEREST_ACCESS": "trial", "PINTEREST_TRIAL_LIMIT": "20/8"}
    sandbox.windows = Windows(Limits(trial_calls=20, trial_seconds=8))
    other = audience_named("Other", ad_account, sandbox.world)
    adds, removals = sync_to(audience), sync_to(other, "remove")
    let_in(adds, people(workspace, 200))
    let_in(removals, people(workspace, 20, name="leaving"))
    drains = [beside(DRAIN.format(seconds=20), **trial) for _ in range(2)]
    web = beside(READ.format(seconds=20), **trial)
    try:
        made = [int(one.said(50)) for one in drains]
        read, turned_away = map(int, web.said(50).split())
    finally:
        sandbox.windows = Windows(sandbox.limits)
    lines = sandbox.log.since(1e9, time.time())
    assert refused(lines) == []
    assert most_in([line.time for line in lines], 8.0) <= 20
    times = [line.time for line in writes(sandbox)]
    assert most_in(times, 8.0) <= 16
    assert min(made) > 0
    assert len(times) == sum(made) >= 20  # of the 38 slots in 20 s
    assert Batch.objects.count() == sum(made)  # one for each slot, none made ahead
    assert figures(removals)["synced"] == 20
    assert figures(adds)["synced"] == 2 * sum(made) - 20
    assert 0 < read < turned_away
