"""Somebody else commits between any two statements of ours: the last intent wins all the same."""

import threading
from collections.abc import Callable

import pytest
from django.db import connection, transaction
from django.utils import timezone

from integrations.delivery import claiming, correcting, giving_up, retrying, sending
from integrations.delivery.limits import limits_of
from integrations.models import Batch
from pinsync.profiles.matching import email_record
from pinsync.profiles.models import Profile
from pinsync.profiles.rows import make_row
from pinsync.profiles.upserting import write
from tests.helpers import deliver, figures, later, let_in, people, records_at, records_of, sync_to

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif("connection.vendor == 'sqlite'", reason="SQLite has one writer at a time"),
]


def meanwhile(work: Callable[[], object]) -> None:
    """Do `work` over a connection of its own."""
    problems: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as problem:
            problems.append(problem)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(20)
    assert not thread.is_alive()
    if problems:
        raise problems[0]


# Moments of a claim, each right before its statement (what that begins with and, behind "…", has in it).
LANE_HELD = "UPDATE integrations_lane"
RETRY_LOOKED_FOR = 'SELECT "integrations_batch"…ORDER BY "integrations_batch"."next_attempt_at"'
DEAD_SENDER_LOOKED_FOR = 'SELECT "integrations_batch"…ORDER BY "integrations_batch"."lease_until"'
TAKEN = "WITH opposed"  # all at once, unless somebody waits for the opposite; then:
OLDEST_READ = "SELECT w.id"
OPPOSITE_LOOKED_FOR = "SELECT (SELECT a.id"
OPPOSITES_READ = "SELECT found.*…integrations_arrival"
TWINS_READ = "SELECT id, email_record"
BATCH_MADE = 'INSERT INTO "integrations_batch"'
MOVED = "WITH gone"
OVER = "nothing any more"

AT_ONCE = (RETRY_LOOKED_FOR, DEAD_SENDER_LOOKED_FOR, TAKEN, BATCH_MADE)
ONE_BY_ONE = (TAKEN, OLDEST_READ, OPPOSITE_LOOKED_FOR, OPPOSITES_READ, TWINS_READ, BATCH_MADE, MOVED)


class Between:
    """Does `work` once in the middle of what runs within: right before its first statement of a kind."""

    def __init__(self, moment: str, work: Callable[[], object]) -> None:
        self.beginning, _, self.part = moment.partition("…")
        self.work = work
        self.is_reached = False

    def __call__(self, execute, sql, params, many, context):
        if not self.is_reached and sql.strip().startswith(self.beginning) and self.part in sql:
            self.is_reached = True
            self.work()
        return execute(sql, params, many, context)


@pytest.mark.parametrize(
    ("moment", "is_opposed"), [*((each, False) for each in AT_ONCE), *((each, True) for each in ONE_BY_ONE)]
)
@pytest.mark.parametrize("last", ["add", "remove"])
def test_who_enters_in_the_middle_of_a_claim_ends_with_the_last_intent(
    workspace, audience, sandbox, moment, is_opposed, last
):
    add, remove = sync_to(audience, "add"), sync_to(audience, "remove")
    first_in, last_in = (remove, add) if last == "add" else (add, remove)
    others, walker = people(workspace, 3, name="other"), people(workspace, 1, name="walker")
    let_in(last_in, others)
    opposed = people(workspace, 1, name="opposed")
    if is_opposed:
        let_in(first_in, opposed)

    def both_steps() -> None:
        with transaction.atomic():  # one Canvas with both steps in a row
            let_in(first_in, walker)
            let_in(last_in, walker)

    between = Between(moment, lambda: meanwhile(both_steps))
    with connection.execute_wrapper(between):
        claim = claiming.claim(audience.pk, last, limits=limits_of("pinterest"), fresh=True, now=timezone.now())
    assert between.is_reached
    assert claim is not None
    sending.send(claim.batch, claim.records)
    deliver()
    assert figures(add)["pending"] == figures(remove)["pending"] == 0
    everybody = others | walker
    if last == "add":
        assert records_at(sandbox.world, audience) == records_of(everybody)
    else:
        assert records_at(sandbox.world, audience) == (records_of(opposed) if is_opposed else set())


def test_nothing_overtakes_a_retry_that_is_not_committed_yet(workspace, audience, sandbox):
    add, remove = sync_to(audience, "add"), sync_to(audience, "remove")
    chosen = people(workspace, 3)
    let_in(add, chosen)
    giving_up.give_up(later(hours=14))
    held = []

    def remove_them() -> None:
        let_in(remove, Profile.objects.filter(workspace=workspace))
        try:
            claiming.claim(audience.pk, "remove", limits=limits_of("pinterest"), fresh=True, now=timezone.now())
        except claiming.LaneHeld:
            held.append(True)

    with transaction.atomic():
        assert retrying.retry_batch(Batch.objects.get(), now=timezone.now()) == 3
        meanwhile(remove_them)
    assert held == [True]
    deliver()
    assert (figures(add)["synced"], figures(remove)["synced"]) == (3, 3)
    assert records_at(sandbox.world, audience) == set()


@pytest.mark.parametrize("moment", [LANE_HELD, *AT_ONCE, OVER])
def test_who_changes_in_the_middle_of_a_claim_is_corrected(workspace, audience, sandbox, moment):
    walker = people(workspace, 1, name="walker")
    let_in(sync_to(audience, "add"), walker)
    following: list[threading.Thread] = []

    def change() -> None:
        with transaction.atomic():
            row = make_row("walker-0", "new@example.com", "", "", {})
            write(workspace, [row], run=None, now=timezone.now())

    def follow() -> None:
        correcting.follow(timezone.now())
        connection.close()

    def change_and_follow() -> None:
        meanwhile(change)
        following.append(threading.Thread(target=follow))
        following[0].start()  # waits for the claim

    between = Between(moment, change_and_follow)
    with connection.execute_wrapper(between):
        claim = claiming.claim(audience.pk, "add", limits=limits_of("pinterest"), fresh=True, now=timezone.now())
    assert between.is_reached == (moment != OVER)
    if moment == OVER:
        change_and_follow()
    for thread in following:
        thread.join(20)
    assert claim is not None
    sending.send(claim.batch, claim.records)
    deliver()
    assert records_at(sandbox.world, audience) == {email_record("new@example.com")}
