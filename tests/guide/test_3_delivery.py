"""From pending to synced (product page, section 4). How it is kept: tests/integrations/delivery."""

import hashlib

import pytest
from django.utils import timezone

from integrations.delivery import retrying
from integrations.delivery.waiting import LONGEST
from integrations.models import Batch
from tests.guide.conftest import canvas_of, launch, metrics, profile, wait
from tests.helpers import deliver, records_at, retry


def test_users_without_a_usable_email_are_not_synced(pinterest, connected, shop, alice):
    profile(shop, "ann", email="ann@example.com")
    profile(shop, "blank", email="")
    canvas = launch(canvas_of(shop, alice, ("add", "Winter buyers", "email")), alice)
    deliver()
    assert pinterest.audiences() == {"Winter buyers": 1}
    assert metrics(canvas) == {
        "entered": 2,
        "proceeded": 2,
        "synced": 1,
        "not_synced": 1,
        "pending": 0,
        "errored": 0,
        "exited": 2,
    }


def test_the_journey_never_waits_for_pinterest(pinterest, connected, shop, alice):
    profile(shop, "ann", email="ann@example.com")
    pinterest.breaks("outage")
    canvas = canvas_of_steps_made_before(pinterest, shop, alice)
    deliver()
    assert metrics(canvas) == {
        "entered": 1,
        "proceeded": 1,
        "synced": 0,
        "not_synced": 0,
        "pending": 1,
        "errored": 0,
        "exited": 1,
    }


def canvas_of_steps_made_before(pinterest, shop, alice):
    pinterest.mends()
    canvas = canvas_of(shop, alice, ("add", "Winter buyers", "email"))
    pinterest.breaks("outage")
    return launch(canvas, alice)


def test_what_leaves_the_building_is_a_digest_of_the_trimmed_lower_case_value(pinterest, connected, shop, alice):
    profile(
        shop,
        "ann",
        email="\u00a0Ann.Lee+shop@Example.com\u200b",
        idfa="7F6B3C1E-2D5A-4B8C-9E0F-112233445566",
        gaid="00000000-0000-0000-0000-000000000000",
    )
    canvas = launch(canvas_of(shop, alice, ("add", "Winter buyers", "email,idfa,gaid")), alice)
    deliver()
    expected = {
        hashlib.sha256(value).hexdigest()
        for value in (b"ann.lee+shop@example.com", b"7f6b3c1e-2d5a-4b8c-9e0f-112233445566")
    }
    there = records_at(pinterest.sandbox.world, canvas.steps.get().sync.audience)
    assert expected < there
    assert len(there) == len(expected) + 1  # and the random one without which Pinterest creates no list


def test_an_outage_costs_time_and_no_user(pinterest, connected, shop, alice):
    profile(shop, "ann", email="ann@example.com")
    canvas = launch(canvas_of(shop, alice, ("add", "Winter buyers", "email")), alice)
    pinterest.breaks("outage", status=502, html=True)
    for hour in range(1, 13):
        wait(hours=hour)
    assert metrics(canvas)["pending"] == 1
    assert Batch.objects.get().attempts == 12
    pinterest.mends()
    wait(hours=12, minutes=LONGEST.seconds // 60 + 1)
    assert metrics(canvas)["synced"] == 1


def test_after_thirteen_hours_a_user_errors_with_the_last_reason_and_can_be_retried(pinterest, connected, shop, alice):
    profile(shop, "ann", email="ann@example.com")
    canvas = launch(canvas_of(shop, alice, ("add", "Winter buyers", "email")), alice)
    pinterest.breaks("outage")
    deliver()
    wait(hours=13, minutes=1)
    assert metrics(canvas)["errored"] == 1
    sync = canvas.steps.get().sync
    assert dict(sync.reasons.values_list("reason", "users")) == {"partner_unavailable": 1}

    pinterest.mends()
    assert retrying.errored_of_sync(sync, "partner_unavailable").wanted() == 1
    assert retry(sync, reason="partner_unavailable", now=timezone.now()) == 1
    deliver()
    assert metrics(canvas)["synced"] == 1
    assert pinterest.audiences() == {"Winter buyers": 1}


def test_a_retry_never_overturns_a_later_intent(pinterest, connected, shop, alice):
    profile(shop, "ann", email="ann@example.com")
    canvas = launch(canvas_of(shop, alice, ("add", "Winter buyers", "email")), alice)
    pinterest.breaks("outage")
    deliver()
    wait(hours=13, minutes=1)
    pinterest.mends()
    launch(canvas_of(shop, alice, ("remove", "Winter buyers", "email")), alice)
    deliver()
    assert retry(canvas.steps.get().sync, now=timezone.now()) == 0
    assert metrics(canvas)["errored"] == 1
    assert pinterest.audiences() == {"Winter buyers": 0}


@pytest.mark.timed
def test_seven_requests_a_second_are_never_exceeded(pinterest, connected, shop, alice, settings):
    settings.USERS_PER_REQUEST = 2
    for number in range(24):
        profile(shop, f"user-{number}", email=f"user{number}@example.com")
    canvas = launch(canvas_of(shop, alice, ("add", "Winter buyers", "email")), alice)
    deliver()
    assert metrics(canvas)["synced"] == 24
    moments = sorted(request.time for request in pinterest.requests())
    assert all(later - earlier >= 1 for earlier, later in zip(moments, moments[7:], strict=False))
    assert {request.status for request in pinterest.requests()} == {200}
