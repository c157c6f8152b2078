"""Where several processes deliver, each keeps to its share of the partner users, and to what others leave lying."""

import pytest

from integrations.delivery import seats
from integrations.delivery.lanes import DueLane
from integrations.delivery.sharing import LEFT_LYING, Share
from integrations.models import Seat

pytestmark = pytest.mark.django_db

NOW = 1000.0


def lane(pace: int, *, served_at: float = 0.0, audience: int = 0) -> DueLane:
    return DueLane(
        audience_id=audience or pace,
        operation="add",
        partner="pinterest",
        connection_id=pace,
        pace_id=pace,
        served_at=served_at,
        turn=str(pace),
        next_slot_in=0.0,
        retries=False,
        fresh=True,
        first_id=1,
    )


@pytest.fixture
def shares(settings):
    """Two processes that have looked around."""
    settings.DELIVERY_SEATS = 3
    both = [Share(seats.take()), Share(seats.take())]
    for share in both:
        share.look_around()
    return both


LANES = [lane(pace) for pace in range(1, 8)]


def test_one_that_is_alone_serves_everybody():
    alone = Share(seats.take())
    alone.look_around()
    assert alone.of(LANES, NOW) == LANES


def test_of_two_each_serves_half_of_the_partner_users_and_nobody_is_left_out(shares):
    first, second = (share.of(LANES, NOW) for share in shares)
    assert sorted(first + second, key=lambda one: one.pace_id) == LANES
    assert {len(first), len(second)} == {3, 4}


def test_lanes_of_one_partner_user_are_served_by_one(shares):
    lanes = [lane(5, audience=n) for n in range(1, 9)]
    assert sorted(len(share.of(lanes, NOW)) for share in shares) == [0, 8]


def test_what_is_left_lying_is_served_by_the_other(shares):
    for share in shares:
        mine = share.of(LANES, NOW)
        assert share.of(LANES, NOW + LEFT_LYING) == mine
        assert share.of(LANES, NOW + LEFT_LYING + 0.01) == LANES


def test_what_is_being_served_is_not_left_lying(shares):
    for share in shares:
        for step in range(10):
            lanes = [lane(pace, served_at=step, audience=audience) for pace in (1, 2) for audience in (pace, pace + 10)]
            lanes[0] = lane(1, served_at=0.0)  # one of its audiences may wait: it is the partner user who is served
            assert {one.pace_id for one in share.of(lanes, NOW + step)} < {1, 2}


def test_the_share_grows_when_the_other_has_gone(shares):
    Seat.objects.filter(number=0).update(holder=None, until=0)
    _, second = shares
    assert second.of(LANES, NOW) != LANES
    second.look_around()
    assert second.of(LANES, NOW) == LANES


def test_one_that_lost_its_seat_keeps_its_share_until_it_ends(shares):
    first, _ = shares
    mine = first.of(LANES, NOW)
    Seat.objects.filter(number=0).update(until=0)
    first.look_around()
    assert first.of(LANES, NOW) == mine
