"""The users behind a number, by reason, batch and time of entry."""

from datetime import timedelta

import pytest

from canvas import journeys
from canvas.analytics import streams
from canvas.analytics.streams import Span
from canvas.analytics.users import Wanted, users
from canvas.models import Canvas
from integrations.models import Batch, Delivery
from pinsync.profiles.models import Profile
from tests.canvas.analytics.asking import browser, listed, page
from tests.canvas.analytics.sending import errored, settle, waiting
from tests.canvas.conftest import HOUR, NOON, add, people

pytestmark = pytest.mark.django_db
STATES = ("entered", "synced", "pending", "not_synced", "errored")


@pytest.fixture
def address(launched, step):
    return f"/w/shop/canvas/{launched.pk}/steps/{step.pk}/users/"


@pytest.fixture
def hours(launched, workspace, step):
    """Six more groups, one an hour, each of whom ended in every way there is; who entered when, by name."""
    settle(step.sync, 1, now=NOON + HOUR)  # who was to be tried again
    entered = dict.fromkeys(("blank", "u0", "u1", "u2", "u3", "u4", "u5"), NOON)
    for number in range(1, 7):
        at = NOON + number * HOUR
        start = 10 * number
        people(workspace, 6, start=start)
        Profile.objects.create(
            workspace=workspace, external_id=f"u{start + 6}", email="?", created_at=NOON, updated_at=NOON
        )
        journeys.enter(launched, Profile.objects.filter(pk__gt=_last(entered)), source="api", now=at)
        entered |= dict.fromkeys((f"u{n}" for n in range(start, start + 7)), at)
        settle(step.sync, 3, now=at)
        errored(step.sync, 1, now=at, reason="record_refused")
    waiting(step.sync, 1, now=at, reason="partner_unavailable")
    return entered


def _last(entered) -> int:
    return Profile.objects.filter(external_id__in=entered).latest("pk").pk


def walk(step, wanted) -> list[str]:
    found, after = [], ""
    for _page in range(400):
        shown = users(step, wanted, after=after)
        found += [line.label for line in shown.lines]
        after = shown.older
        if not after:
            return found
    raise AssertionError("The pages do not end.")


@pytest.mark.parametrize(("window", "batches", "size"), [(20_000, 200, 50), (3, 2, 4)])
def test_a_span_of_time_lists_exactly_who_entered_in_it(hours, step, monkeypatch, window, batches, size):
    everybody = {state: walk(step, Wanted(state)) for state in STATES}
    assert sorted(everybody["entered"]) == sorted(hours)
    monkeypatch.setattr(streams, "WINDOW", window)
    monkeypatch.setattr(streams, "BATCHES", batches)
    for module in ("canvas.analytics.streams", "canvas.analytics.users"):
        monkeypatch.setattr(f"{module}.PAGE", size)
    for since, until in ((1, 4), (0, 1), (None, 3), (5, None), (2, 2)):
        span = Span(
            None if since is None else NOON + since * HOUR,
            None if until is None else NOON + until * HOUR,
        )
        for state, names in everybody.items():
            wanted = sorted(
                name
                for name in names
                if (span.since is None or hours[name] >= span.since)
                and (span.until is None or hours[name] < span.until)
            )
            assert sorted(walk(step, Wanted(state, span=span))) == wanted, (state, since, until)


def test_users_of_a_long_past_come_in_the_order_of_entry(hours, step):
    found = [hours[name] for name in walk(step, Wanted("synced"))]
    assert found == sorted(found, reverse=True)


def test_a_batch_lists_its_users_if_it_is_in_that_state(hours, step):
    for batch in Batch.objects.all():
        state = {"accepted": "synced", "errored": "errored", "waiting": "pending"}[batch.state]
        everybody = walk(step, Wanted("entered", batch=batch.pk))
        assert len(everybody) == batch.users
        for each in STATES[1:]:
            assert walk(step, Wanted(each, batch=batch.pk)) == (everybody if each == state else [])
    one = Batch.objects.filter(state="errored").first()
    assert len(walk(step, Wanted("errored", "record_refused", one.pk))) == 1
    assert walk(step, Wanted("errored", "audience_gone", one.pk)) == []
    assert walk(step, Wanted("entered", batch=one.pk, span=Span(NOON + 9 * HOUR))) == []
    assert walk(step, Wanted("entered", batch=10**17)) == []


def test_a_large_batch_is_paged(launched, workspace, step, monkeypatch):
    journeys.enter(launched, people(workspace, 30, start=100), source="api", now=NOON)
    batch = settle(step.sync, 25, now=NOON)
    monkeypatch.setattr("canvas.analytics.users.PAGE", 7)
    found = walk(step, Wanted("synced", batch=batch.pk))
    assert len(found) == len(set(found)) == 25


# --- as people ask ---------------------------------------------------------------------------------------------


def test_filters_without_an_id_become_an_address_that_can_be_paged_through(hours, bob, address):
    answer = browser(bob).post(
        address, {"state": "errored", "reason": "record_refused", "from": "2026-11-23T13:00", "to": "2026-11-23T15:00"}
    )
    assert answer.status_code == 302
    assert answer["Location"] == (
        f"{address}?state=errored&reason=record_refused&from=2026-11-23T13%3A00Z&to=2026-11-23T15%3A00Z"
    )
    assert listed(browser(bob).get(answer["Location"]).content.decode()) == _errored_within(1, 3)


def _errored_within(since, until) -> set[str]:
    """Return the errored users who entered so many hours after noon."""
    span = {"entered_at__gte": NOON + since * HOUR, "entered_at__lt": NOON + until * HOUR}
    rows = Delivery.objects.filter(batch__state="errored", **span)
    assert rows.count() == 3
    return set(Profile.objects.filter(pk__in=rows.values("profile")).values_list("external_id", flat=True))


def test_an_id_is_searched_within_the_filters_and_stands_in_no_address(hours, bob, address):
    client = browser(bob)
    asked = {"state": "entered", "q": "u6", "from": "2026-11-23T13:00"}
    answer = client.post(address, asked)
    assert answer.status_code == 200
    html = answer.content.decode()
    assert listed(html) == {f"u{n}" for n in range(60, 67)}
    assert "q=u6" not in html
    assert listed(client.post(address, asked | {"q": "u1"}).content.decode()) == set()  # u1 entered before
    one = Batch.objects.filter(state="accepted").latest("pk")
    html = client.post(address, asked | {"q": "u6", "batch": f"#{one.pk}"}).content.decode()
    assert listed(html) <= {f"u{n}" for n in range(60, 67)}
    assert len(listed(html)) < 7
    assert "Nobody found" in client.post(address, asked | {"to": "2026-11-23T13:01", "q": "u1"}).content.decode()


def test_a_reason_says_which_state_is_meant(hours, bob, launched, step):
    html = page(browser(bob), launched, f"steps/{step.pk}/users/", state="entered", reason="no_usable_field")
    assert listed(html) == {"blank", *(f"u{10 * n + 6}" for n in range(1, 7))}
    assert "<h1>Users Not Synced" in html


@pytest.mark.parametrize("after", ["q", "d0-5-99999999999999999999", "d0-5-999999999999999999"])
def test_a_place_that_is_none_is_the_beginning(launched, step, bob, after):
    assert len(listed(page(browser(bob), launched, f"steps/{step.pk}/users/", after=after))) == 7


def test_pages_keep_the_filters(hours, launched, step, bob, monkeypatch):
    monkeypatch.setattr("canvas.analytics.users.PAGE", 2)
    html = page(browser(bob), launched, f"steps/{step.pk}/users/", **{"from": "2026-11-23T13:00"})
    assert "?state=entered&amp;from=2026-11-23T13%3A00Z&amp;after=" in html


def test_filters_find_who_waits_in_a_delay(canvas, workspace, bob):
    delay = add(canvas, "delay", amount=9, unit="hours")
    Canvas.objects.filter(pk=canvas.pk).update(state="active", launched_at=NOON)
    people(workspace, 4)
    for name, hour in (("u0", 0), ("u1", 1), ("u2", 2)):
        journeys.enter(canvas, Profile.objects.filter(external_id=name), source="api", now=NOON + hour * HOUR)
    asked = {"from": "2026-11-23T13:00", "to": "2026-11-23T14:00", "batch": "7"}
    assert listed(page(browser(bob), canvas, f"steps/{delay.pk}/users/", **asked)) == {"u1"}
    found = browser(bob).post(f"/w/shop/canvas/{canvas.pk}/steps/{delay.pk}/users/", {"q": "u", "from": asked["from"]})
    assert listed(found.content.decode()) == {"u1", "u2"}


def test_one_page_of_who_waits_looks_at_so_many_only(canvas, workspace, monkeypatch):
    """They are kept by when they go on: of a million of them, whoever entered in some minute may be the last."""
    delay = add(canvas, "delay", amount=9, unit="hours")
    Canvas.objects.filter(pk=canvas.pk).update(state="active", launched_at=NOON)
    for number in range(3):
        people(workspace, 4, start=4 * number)
        names = [f"u{4 * number + n}" for n in range(4)]
        journeys.enter(canvas, Profile.objects.filter(external_id__in=names), source="api", now=NOON + number * HOUR)
    monkeypatch.setattr("canvas.analytics.users.PAGE", 3)
    monkeypatch.setattr(streams, "WINDOW", 5)
    wanted = Wanted("waiting", span=Span(NOON + 2 * HOUR))
    first = users(delay, wanted)
    assert (first.lines, first.cut) == ([], True)
    assert sorted(walk(delay, wanted)) == ["u10", "u11", "u8", "u9"]
    assert sorted(walk(delay, Wanted("waiting", span=Span(NOON, NOON + HOUR)))) == ["u0", "u1", "u2", "u3"]


def test_a_moment_in_which_many_entered_is_paged(launched, workspace, step, monkeypatch):
    """A launch lets everybody in at one moment: pages go on within it, by id."""
    journeys.enter(launched, people(workspace, 40, start=100), source="api", now=NOON + timedelta(microseconds=7))
    for _ in range(4):
        settle(step.sync, 10, now=NOON)
    for module in ("canvas.analytics.streams", "canvas.analytics.users"):
        monkeypatch.setattr(f"{module}.PAGE", 3)
    monkeypatch.setattr(streams, "WINDOW", 5)
    found = walk(step, Wanted("synced"))
    assert len(found) == len(set(found)) == 42
