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


@pytest.mark.parametrize("statement", range(6, 10))
@pytest.mark.parametrize("last", ["add", "remove"])
def test_who_enters_in_the_middle_of_a_claim_ends_with_the_last_intent(workspace, audience, sandbox, statement, last):
    add, remove = sync_to(audience, "add"), sync_to(audience, "remove")
    first_in, last_in = (remove, add) if last == "add" else (add, remove)
    others, walker = people(workspace, 3, name="other"), people(workspace, 1, name="walker")
    let_in(last_in, others)

    def both_steps() -> None:
        with transaction.atomic():  # one Canvas with both steps in a row
            let_in(first_in, walker)
            let_in(last_in, walker)

    seen = 0

    def between(execute, sql, params, many, context):
        nonlocal seen
        seen += 1
        if seen == statement:
            meanwhile(both_steps)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(between):
        claim = claiming.claim(audience.pk, last, limits=limits_of("pinterest"), fresh=True, now=timezone.now())
    assert claim is not None
    sending.send(claim.batch, claim.records)
    deliver()
    assert figures(add)["pending"] == figures(remove)["pending"] == 0
    everybody = others | walker
    assert records_at(sandbox.world, audience) == (records_of(everybody) if last == "add" else set())


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


@pytest.mark.parametrize("statement", range(5, 11))
def test_who_changes_in_the_middle_of_a_claim_is_corrected(workspace, audience, sandbox, statement):
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

    seen = 0

    def between(execute, sql, params, many, context):
        nonlocal seen
        seen += 1
        if seen == statement:
            meanwhile(change)
            following.append(threading.Thread(target=follow))
            following[0].start()  # waits for the claim
        return execute(sql, params, many, context)

    with connection.execute_wrapper(between):
        claim = claiming.claim(audience.pk, "add", limits=limits_of("pinterest"), fresh=True, now=timezone.now())
    if not following:  # a claim has fewer statements here
        change()
        follow()
    for thread in following:
        thread.join(20)
    assert claim is not None
    sending.send(claim.batch, claim.records)
    deliver()
    assert records_at(sandbox.world, audience) == {email_record("new@example.com")}
