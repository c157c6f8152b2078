"""The pace that Pinterest's limits allow, kept by real processes together; the sandbox's log is the witness."""

import itertools
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

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

pytestmark = [pytest.mark.processes, pytest.mark.timed, pytest.mark.django_db(transaction=True)]

AT_MOST = 60  # seconds; a loaded machine takes its time
DRAIN = """
import os, time
from django.utils import timezone
from integrations.delivery import draining, worker
end, made = time.time() + 60, 0
while time.time() < end and not os.path.exists({stop!r}):
    worker.tick(timezone.now())
    made += draining.drain(seconds=60, stop=lambda: os.path.exists({stop!r}))
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
import os
end, read, refused = time.time() + 60, 0, 0
while time.time() < end and not os.path.exists({stop!r}):
    try:
        audiences.refresh(AdAccount.objects.first(), timezone.now())
        read += 1
    except RateLimited as limited:
        assert limited.retry_after.total_seconds() > 0
        refused += 1
    time.sleep(0.2)
print(read, refused)
"""


class Processes:
    """Processes beside the test, which work until the test has seen enough."""

    def __init__(self, stop: Path) -> None:
        self.stop = stop
        self.started: list[Beside] = []

    def start(self, lines: str, **variables: str) -> Beside:
        variables = {"PINSYNC_USERS_PER_REQUEST": "2"} | variables
        self.started.append(Beside(lines.replace("{stop!r}", repr(str(self.stop))), **variables))
        return self.started[-1]

    def end(self) -> list[str]:
        """Stop those that would go on and return what each of them said."""
        self.stop.touch()
        return [one.said(AT_MOST) for one in self.started]


@pytest.fixture
def beside(sandbox, tmp_path) -> Iterator[Processes]:
    found = Processes(tmp_path / "stop")
    yield found
    for one in found.started:
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
    for _ in range(2):
        beside.start(DRAIN)
    until(lambda: len(writes(sandbox)) >= 50, AT_MOST)
    made = [int(said) for said in beside.end()]
    lines = writes(sandbox)
    assert_kept(lines)
    assert min(made) > 3  # both took part
    assert sum(made) == len(lines)
    assert len({line.path for line in lines}) == 2
    sent = [figures(sync)["synced"] for sync in syncs]
    assert abs(sent[0] - sent[1]) <= 4  # in turns: of two users each
    assert Pace.objects.count() == 1


def test_creating_audiences_counts_in_the_same_pace(workspace, audience, ad_account, sandbox, beside):
    let_in(sync_to(audience), people(workspace, 600))
    for _ in range(2):
        beside.start(DRAIN)
    until(lambda: writes(sandbox), AT_MOST)
    beside.start(CREATE.format(number=5))
    until(lambda: len([line for line in writes(sandbox) if line.method == "POST"]) == 10, AT_MOST)
    *made, created = beside.end()
    assert created.split() == ["ready"] * 5
    lines = writes(sandbox)
    assert_kept(lines)
    posted = [line for line in lines if line.method == "POST"]
    assert len(lines) == sum(map(int, made)) + len(posted)
    assert [line for line in lines if line.method == "PATCH" and posted[0].time < line.time < posted[-1].time]


@pytest.mark.parametrize("said", [{}, {"only_reset": True}], ids=["retry_after", "rate_limit_reset"])
def test_a_429_is_obeyed_by_every_worker_at_once(workspace, audience, sandbox, beside, said):
    sync = sync_to(audience)
    let_in(sync, people(workspace, 600))
    for _ in range(2):
        beside.start(DRAIN)
    until(lambda: len(writes(sandbox)) > 20, AT_MOST)
    nearly_over = time.time() + 2.5
    break_it(sandbox, "rate_limit", seconds=3, **said)
    until(lambda: refused(writes(sandbox)), AT_MOST)
    began = refused(writes(sandbox))[0].time  # on a crowded machine some time after the limit did
    until(lambda: time.time() > nearly_over - 0.5, 5)
    during = figures(sync)
    until(lambda: len(writes(sandbox, since=nearly_over)) > 20, AT_MOST)
    made = [int(one) for one in beside.end()]
    lines = writes(sandbox)
    assert min(made) > 3  # both were at it
    # What had its slot already was on its way; from then on nothing until the time is over.
    assert [line for line in lines if began + 0.9 < line.time < nearly_over] == []
    after = [line for line in lines if line.time >= nearly_over]
    assert refused(after) == []
    assert most_in([line.time for line in after], 1.0) <= 7
    # Nobody errored, and nobody's time was spent: what was refused has no failed attempt.
    assert (during["errored"], during["pending"] > 0) == (0, True)
    assert figures(sync)["errored"] == 0
    assert not Batch.objects.filter(reason="rate_limited", attempts__gt=1).exists()


def test_a_429_without_a_header_halves_the_pace_which_recovers_step_by_step(workspace, audience, sandbox, beside):
    let_in(sync_to(audience), people(workspace, 600))
    for _ in range(2):
        beside.start(DRAIN)
    until(lambda: len(writes(sandbox)) > 12, AT_MOST)
    break_it(sandbox, "rate_limit", seconds=0.5, header=False)
    until(lambda: refused(writes(sandbox)), AT_MOST)
    began = refused(writes(sandbox))[0].time
    until(lambda: len(writes(sandbox, since=began + 0.9)) > 30, AT_MOST)
    beside.end()
    before = [line.time for line in writes(sandbox) if line.time < began]
    after = [line.time for line in writes(sandbox, since=began + 0.9)]
    gaps = [later - earlier for earlier, later in itertools.pairwise(after)]
    assert statistics.median(later - earlier for earlier, later in itertools.pairwise(before)) < 0.19
    assert statistics.mean(gaps[:3]) > 0.22  # 300 ms, 270 ms, 243 ms …
    assert statistics.median(gaps[:3]) > statistics.median(gaps[3:6])  # one that came late shifts no median
    assert statistics.median(gaps[12:]) < 0.19  # … back at full pace
    assert Pace.objects.get().slowdown == 1


def test_trial_access_is_kept_by_all_processes_together(workspace, audience, ad_account, sandbox, beside):
    """A day of 8 seconds with 20 requests: a write every 525 ms, and at most 4 others in 8.4 s."""
    trial = {"PINTEREST_ACCESS": "trial", "PINTEREST_TRIAL_LIMIT": "20/8"}
    sandbox.windows = Windows(Limits(trial_calls=20, trial_seconds=8))
    other = audience_named("Other", ad_account, sandbox.world)
    adds, removals = sync_to(audience), sync_to(other, "remove")
    let_in(adds, people(workspace, 200))
    let_in(removals, people(workspace, 20, name="leaving"))
    for lines in (DRAIN, DRAIN, READ):
        beside.start(lines, **trial)
    try:
        until(lambda: len(writes(sandbox)) >= 28, AT_MOST)
        *drained, looked = beside.end()
    finally:
        sandbox.windows = Windows(sandbox.limits)
    made = [int(said) for said in drained]
    read, turned_away = map(int, looked.split())
    seen = sandbox.log.since(1e9, time.time())
    assert refused(seen) == []
    assert most_in([line.time for line in seen], 8.0) <= 20
    times = [line.time for line in writes(sandbox)]
    assert most_in(times, 8.0) <= 16
    assert min(made) > 0
    assert len(times) == sum(made)
    assert Batch.objects.count() == sum(made)  # one for each slot, none made ahead
    assert figures(removals)["synced"] == 20
    assert figures(adds)["synced"] == 2 * sum(made) - 20
    assert 0 < read < turned_away
