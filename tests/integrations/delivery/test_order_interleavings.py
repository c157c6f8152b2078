"""Add then remove, and the reverse, wherever the first intent is when the second one comes: the last intent wins."""

import pytest
from django.utils import timezone

from integrations.delivery import claiming, giving_up, sending
from integrations.delivery.limits import limits_of
from integrations.models import Batch, Connection, Delivery
from tests.helpers import break_it, deliver, figures, later, let_in, mend, people, reasons, records_at, retry, sync_to

BOTH = pytest.mark.parametrize(("first", "last"), [("add", "remove"), ("remove", "add")])


@pytest.fixture
def walker(workspace):
    return people(workspace, 1, name="walker")


@pytest.fixture
def company(workspace):
    return people(workspace, 3, name="company")


def claim(audience, operation):
    return claiming.claim(audience.pk, operation, limits=limits_of("pinterest"), fresh=True, now=timezone.now())


def state_of(walker, sync):
    return Delivery.objects.select_related("batch").get(profile=walker.get(), sync=sync).batch.state


def is_in(sandbox, audience, walker):
    return walker.get().email_record in records_at(sandbox.world, audience)


def finish():
    """Deliver until nothing is left, whatever has to be tried again."""
    for minutes in (1, 12, 24):
        deliver(later(minutes=minutes))


@BOTH
def test_waiting(audience, sandbox, walker, company, first, last):
    one, other = sync_to(audience, first), sync_to(audience, last)
    let_in(one, walker | company)
    let_in(other, walker)
    finish()
    assert reasons(one) == {"superseded": 1}
    assert (figures(one)["synced"], figures(other)["synced"]) == (3, 1)
    assert is_in(sandbox, audience, walker) == (last == "add")


@BOTH
def test_in_flight(audience, sandbox, walker, company, first, last):
    one, other = sync_to(audience, first), sync_to(audience, last)
    let_in(one, walker | company)
    in_flight = claim(audience, first)
    let_in(other, walker)
    assert claim(audience, last) is None
    assert sending.send(in_flight.batch, in_flight.records)
    finish()
    assert (figures(one)["synced"], figures(other)["synced"]) == (4, 1)
    assert is_in(sandbox, audience, walker) == (last == "add")


@BOTH
def test_in_flight_of_a_sender_that_died(audience, sandbox, walker, company, first, last):
    one, other = sync_to(audience, first), sync_to(audience, last)
    let_in(one, walker | company)
    assert claim(audience, first) is not None
    let_in(other, walker)
    deliver(later(seconds=30))
    assert figures(other)["pending"] == 1
    deliver(later(seconds=70))  # the lease ran out
    finish()
    assert (figures(one)["synced"], figures(other)["synced"]) == (4, 1)
    assert is_in(sandbox, audience, walker) == (last == "add")


@BOTH
@pytest.mark.parametrize(
    "fault",
    [
        {"fault": "outage", "status": 503},
        {"fault": "drop_answer", "count": 1},  # applied, but nobody knows
        {"fault": "rate_limit", "seconds": 1},
    ],
    ids=lambda fault: fault["fault"],
)
def test_retrying(audience, sandbox, walker, company, first, last, fault):
    one, other = sync_to(audience, first), sync_to(audience, last)
    let_in(one, walker | company)
    break_it(sandbox, **fault)
    deliver()
    mend(sandbox)
    assert state_of(walker, one) == Batch.State.WAITING
    let_in(other, walker)
    assert claim(audience, last) is None
    finish()
    assert (figures(one)["synced"], figures(other)["synced"]) == (4, 1)
    assert is_in(sandbox, audience, walker) == (last == "add")


@BOTH
def test_split(audience, sandbox, walker, company, first, last):
    one, other = sync_to(audience, first), sync_to(audience, last)
    let_in(one, walker | company)
    break_it(sandbox, "refuse_record", digest=company[0].email_record)
    refused = claim(audience, first)
    sending.send(refused.batch, refused.records)
    assert state_of(walker, one) == Batch.State.WAITING  # in one of two halves
    let_in(other, walker)
    assert claim(audience, last) is None
    finish()
    assert (figures(one)["synced"], figures(one)["errored"], figures(other)["synced"]) == (3, 1, 1)
    assert is_in(sandbox, audience, walker) == (last == "add")


@BOTH
@pytest.mark.parametrize("how", ["refused", "given up"])
def test_errored(audience, sandbox, walker, company, first, last, how):
    one, other = sync_to(audience, first), sync_to(audience, last)
    let_in(one, walker | company)
    if how == "refused":
        break_it(sandbox, "refuse_record", digest=walker.get().email_record)
        deliver()
        mend(sandbox)
    else:
        Connection.objects.update(state=Connection.State.BROKEN)
        giving_up.give_up(later(hours=14))
        Connection.objects.update(state=Connection.State.CONNECTED)
    assert state_of(walker, one) == Batch.State.ERRORED
    let_in(other, walker)
    retried = retry(one, now=timezone.now())
    assert retried == (0 if how == "refused" else 3)  # not the walker, whom the opposite was asked for since
    finish()
    assert (figures(one)["errored"], figures(other)["synced"]) == (1, 1)
    assert is_in(sandbox, audience, walker) == (last == "add")


@BOTH
def test_errored_and_retried_before_the_opposite_comes(audience, sandbox, walker, company, first, last):
    one, other = sync_to(audience, first), sync_to(audience, last)
    let_in(one, walker | company)
    Connection.objects.update(state=Connection.State.BROKEN)
    giving_up.give_up(later(hours=14))
    Connection.objects.update(state=Connection.State.CONNECTED)
    assert retry(one, now=timezone.now()) == 4
    let_in(other, walker)
    assert claim(audience, last) is None
    finish()
    assert (figures(one)["synced"], figures(other)["synced"]) == (4, 1)
    assert is_in(sandbox, audience, walker) == (last == "add")


@BOTH
def test_accepted(audience, sandbox, walker, company, first, last):
    one, other = sync_to(audience, first), sync_to(audience, last)
    let_in(one, walker | company)
    deliver()
    let_in(other, walker)
    deliver()
    assert (figures(one)["synced"], figures(other)["synced"]) == (4, 1)
    assert is_in(sandbox, audience, walker) == (last == "add")
