"""What pages say while Pinterest's limits hold users up: a 429 of Pinterest's, and the quota of an app on trial."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from canvas import launching, previewing
from canvas.models import Canvas
from integrations.delivery import forecast, pacing, rationing, reading
from integrations.models import AppPace, AppRead, Audience, Pace
from pinsync.workspaces.models import Member, Role, User
from tests.canvas.conftest import add
from tests.helpers import audience_named, break_it, deliver, let_in, mend, people
from tests.integrations.delivery.conftest import *  # noqa: F403  a workspace connected to a sandbox

pytestmark = pytest.mark.django_db


@pytest.fixture
def canvas(workspace, audience):
    found = Canvas.objects.create(workspace=workspace, name="Winter", state="active", launched_at=timezone.now())
    add(found, "audience_sync", audience=audience)
    return found


@pytest.fixture
def sync(canvas):
    return canvas.steps.get().sync


@pytest.fixture
def web(workspace):
    person = User.objects.create_user("alice@example.com", is_staff=True, is_superuser=True)
    Member.objects.create(workspace=workspace, user=person, role=Role.ADMIN)
    client = Client()
    client.force_login(person)
    return client


def read(web, path):
    """Return a page as it is read: without tags, blanks collapsed."""
    answer = web.get(path)
    assert answer.status_code == 200, path
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split()).replace(" .", ".")


def pages(canvas):
    step = canvas.steps.get()
    return {
        "card": f"/w/shop/canvas/{canvas.pk}/",
        "step": f"/w/shop/canvas/{canvas.pk}/steps/{step.pk}/analytics/",
        "partner": "/w/shop/partners/pinterest/",
        "staff": "/admin/integrations/connection/now/",
    }


@pytest.mark.parametrize("said", [{}, {"only_reset": True}], ids=["retry_after", "rate_limit_reset"])
def test_a_429_that_says_how_long_is_counted_down_everywhere(canvas, sync, workspace, sandbox, web, said):
    let_in(sync, people(workspace, 3))
    break_it(sandbox, "rate_limit", seconds=50, **said)
    deliver()
    for name, path in pages(canvas).items():
        text = read(web, path)
        found = re.search(r"Rate Limited, next request in (\d+) (seconds|s)\b", text)
        assert found, (name, text)
        assert 30 < int(found[1]) <= 51
    mend(sandbox)
    Pace.objects.update(blocked_until=0, next_slot=0)
    deliver(timezone.now() + timedelta(minutes=1))
    for path in pages(canvas).values():
        assert "Rate Limited, next request" not in read(web, path)


def test_a_429_that_says_nothing_is_shown_with_the_next_try(canvas, sync, workspace, sandbox, web):
    let_in(sync, people(workspace, 3))
    break_it(sandbox, "rate_limit", header=False)
    deliver()
    found = pages(canvas)
    for name in ("card", "step"):
        assert re.search(r"Rate Limited, next request in [1-5] s", read(web, found[name]))
    Pace.objects.update(blocked_until=0)
    assert "Rate Limited Pinterest asked for fewer requests: 2.0 times slower" in read(web, found["partner"])
    assert "2.0 times slower" in read(web, found["staff"])


# --- trial access ----------------------------------------------------------------------------------------------


@pytest.fixture
def trial(settings):
    settings.PINTEREST_ACCESS = "trial"
    settings.USERS_PER_REQUEST = 10


def test_every_page_says_when_the_last_user_is_sent(trial, canvas, sync, workspace, web):
    let_in(sync, people(workspace, 25))
    rationing.block("pinterest", timedelta(seconds=30))
    for name, path in pages(canvas).items():
        text = read(web, path)
        assert "Trial access: 1,000 calls a day for the whole app." in text, name
        if name == "staff":
            assert re.search(r"Pinterest Trial access: .* one every 108.1 s in (2\d|30) s 3 in 4 min 180 ", text), text
        else:  # 30 s, and two more requests of 108 s
            assert re.search(r"3 requests wait; the last of these users is sent in about 4 min \(", text), (name, text)


def test_a_page_without_anybody_waiting_names_the_limit_only(trial, canvas, web):
    found = pages(canvas)
    assert "Trial access: 1,000 calls a day for the whole app." in read(web, found["partner"])
    assert "Trial access" not in read(web, found["card"])
    assert "requests wait" not in read(web, found["partner"])


def test_standard_access_says_nothing_of_it(canvas, sync, workspace, web):
    let_in(sync, people(workspace, 3))
    for path in pages(canvas).values():
        assert "Trial access" not in read(web, path)


def test_a_launch_is_previewed_at_the_pace_in_force_and_behind_whom_it_waits(
    trial, workspace, audience, ad_account, sandbox, web, settings
):
    busy = add(Canvas.objects.create(workspace=workspace, name="Busy"), "audience_sync", audience=audience).sync
    let_in(busy, people(workspace, 35))
    draft = Canvas.objects.create(workspace=workspace, name="Spring")
    add(draft, "audience_sync", audience=audience_named("Spring", ad_account, sandbox.world))
    (found,) = previewing.preview(draft, timezone.now()).forecasts
    assert (found.requests, round(found.seconds)) == (4, 324)
    assert (found.outlook.requests, round(found.outlook.seconds)) == (4, 757)  # the other's four take turns with them
    text = read(web, f"/w/shop/canvas/{draft.pk}/preview/")
    assert "“Audience Sync”: 35 can be sent, in 4 requests, 5 min at the partner's limit." in text
    assert "With what waits already: Trial access: 1,000 calls a day for the whole app. 4 requests wait;" in text
    settings.PINTEREST_ACCESS = "standard"
    (found,) = previewing.preview(draft, timezone.now()).forecasts
    assert (found.outlook, round(found.seconds, 1)) == (None, 0.5)


@pytest.mark.parametrize(
    ("others", "requests"),
    [
        ([], 3),
        ([("add", 10)], 6),  # in turns
        ([("add", 1), ("add", 2)], 6),
        ([("remove", 10)], 13),  # removals first
    ],
)
def test_lanes_in_turn_removals_first_decide_who_is_the_last(
    trial, workspace, ad_account, audience, sandbox, others, requests
):
    more = [
        forecast.Line(1_000 + number, operation, ad_account.connection_id, waiting)
        for number, (operation, waiting) in enumerate(others)
    ]
    ours = forecast.Line(audience.pk, "add", ad_account.connection_id, 3)
    found = forecast.outlook(
        "pinterest", lambda line: line == ours, now=timezone.now(), next_slot_in=0, more=[ours, *more]
    )
    assert round(found.seconds / pacing.gap("pinterest")) == requests - 1


def test_what_may_not_be_sent_stands_in_nobodys_way(trial, canvas, sync, workspace, connection):
    let_in(sync, people(workspace, 25))
    assert [line.requests for line in forecast.lines_at("pinterest")] == [3]
    connection.paused_at = timezone.now()
    connection.save()
    assert forecast.lines_at("pinterest") == []
    assert forecast.standing(connection, timezone.now()).outlook is None


def test_reading_beyond_the_budget_is_refused_with_the_time_it_works_again(trial, ad_account, web):
    for _ in range(180):
        reading.keep_door("pinterest", "read")
    AppRead.objects.update(at=AppRead.objects.first().at - 82_000)
    address = f"/w/shop/partners/pinterest/ad-accounts/{ad_account.pk}/audiences/refresh/"
    answer = web.post(address, follow=True)
    text = " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())
    assert "Trial access: no more requests to Pinterest just now. Nothing was changed; try again in 74 min." in text


def test_the_editor_says_when_a_new_audience_has_its_turn(trial, workspace, ad_account, audience, web):
    draft = Canvas.objects.create(workspace=workspace, name="Spring")
    step = add(draft, "audience_sync")
    AppPace.objects.create(partner="pinterest", next_slot=timezone.now().timestamp() + 100)
    form = {
        "partner": "pinterest",
        "ad_account": str(ad_account.pk),
        "audience_text": "Spring buyers",
        "operation": "add",
        "fields_to_match": ["email"],
        "do": "create",
    }
    answer = web.post(f"/w/shop/canvas/{draft.pk}/steps/{step.pk}/", form)
    made = Audience.objects.get(name="Spring buyers")
    assert made.state == Audience.State.CREATING
    text = answer.content.decode()
    assert re.search(r"“Spring buyers” is being created: its turn for a request comes in about \d+ s\.", text), text
    step.refresh_from_db()
    assert step.sync.audience == made
    assert any("still being created" in str(problem.text) for problem in launching.problems(draft, timezone.now()))
