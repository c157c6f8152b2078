"""What people type to find users: none of it is lost, and what makes no sense is said and lists nobody."""

import re

import pytest
from django.utils.html import escape

from canvas import journeys
from integrations.models import Batch
from tests.canvas.analytics.asking import browser, listed, page
from tests.canvas.analytics.sending import settle
from tests.canvas.conftest import NOON, add, people

pytestmark = pytest.mark.django_db


@pytest.fixture
def address(launched, step):
    return f"/w/shop/canvas/{launched.pk}/steps/{step.pk}/users/"


def held(html, name) -> str:
    """Return what the input of this name holds."""
    found = re.search(rf'<input[^>]* name="{name}"[^>]*>', html)
    assert found, name
    value = re.search(r' value="([^"]*)"', found[0])
    return value[1] if value else ""


def wrong(html) -> dict[str, str]:
    """Return what is said beside each field."""
    return dict(re.findall(r'id="id_(\w+)_error">([^<]+)</div>', html))


def test_another_tab_keeps_what_was_typed(launched, step, bob, address):
    client = browser(bob)
    asked = {"state": "entered", "q": "u2", "from": "2026-11-23T11:00", "batch": "", "reason": ""}
    html = client.post(address, asked | {"tab": "errored"}).content.decode()
    assert (listed(html), held(html, "q"), held(html, "from")) == ({"u2"}, "u2", "2026-11-23T11:00")
    assert held(html, "state") == "errored"
    html = client.post(address, asked | {"state": "errored", "tab": "synced"}).content.decode()
    assert (listed(html), held(html, "q")) == (set(), "u2")
    assert "Nobody found" in html


def test_another_tab_keeps_filters_alone_in_an_address(launched, bob, address):
    asked = {"state": "errored", "reason": "record_refused", "from": "2026-11-23T11:00", "tab": "synced"}
    answer = browser(bob).post(address, asked)  # the reason is one of errored users alone
    assert (answer.status_code, answer["Location"]) == (302, f"{address}?state=synced&from=2026-11-23T11%3A00Z")
    assert listed(browser(bob).get(answer["Location"]).content.decode()) == {"u0", "u1"}


def test_tabs_belong_to_the_form_and_enter_still_searches(launched, bob, address):
    html = browser(bob).get(address).content.decode()
    form = html.split(f'action="{address}"')[1].split("</form>")[0]
    assert re.findall(r'name="tab" value="(\w+)"', form) == ["entered", "synced", "not_synced", "pending", "errored"]
    first = re.search(r"<button[^>]*>", form)
    assert first
    assert "name" not in first[0]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"batch": "abc"}, {"batch": "The number of a batch is needed, such as 42."}),
        ({"batch": "9" * 19}, {"batch": "The number of a batch is needed, such as 42."}),
        ({"batch": "999999"}, {"batch": "No user of this step is in a batch of this number."}),
        ({"from": "tomorrow"}, {"from": "“tomorrow” is no time."}),
        ({"to": "0001-01-01T00:00"}, {"to": "“0001-01-01T00:00” is no time."}),
        (
            {"from": "2026-11-23T13:00", "to": "2026-11-23T13:00"},
            {"to": "This must come after “Entered from”."},
        ),
        (
            {"from": "x", "batch": "#z"},
            {"from": "“x” is no time.", "batch": "The number of a batch is needed, such as 42."},
        ),
        ({"reason": "bad weather"}, {"reason": "No user listed here has this reason: bad weather."}),
        (
            {"state": "synced", "reason": "record_refused"},
            {"reason": "No user listed here has this reason: record_refused."},
        ),
    ],
)
@pytest.mark.parametrize("method", ["get", "post"])
def test_what_makes_no_sense_is_said_beside_its_field(launched, bob, address, asked, said, method):
    answer = getattr(browser(bob), method)(address, asked)
    html = answer.content.decode()
    assert (answer.status_code, listed(html), wrong(html)) == (422, set(), said)
    assert "Nobody is listed" in html
    for name, typed in asked.items():
        if name in ("from", "to", "batch"):
            assert held(html, name) == escape(typed)


def test_what_is_wrong_stays_in_the_next_tab_and_with_an_id(launched, bob, address):
    html = browser(bob).post(address, {"tab": "pending", "q": "u3", "batch": "abc"}).content.decode()
    assert (listed(html), held(html, "q"), held(html, "batch")) == (set(), "u3", "abc")
    assert wrong(html) == {"batch": "The number of a batch is needed, such as 42."}


def test_a_state_that_is_none_lists_nobody(launched, bob, address):
    html = browser(bob).get(address, {"state": "lost"}).content.decode()
    assert listed(html) == set()
    assert "There is no such list of users: lost." in html


def test_a_batch_of_another_step_is_none_of_this_one(running, workspace, bob, audience):
    """Steps may share an audience, and batches: whose users are in it counts."""
    first = running.steps.select_related("sync__audience", "canvas").get()
    second = add(running, "audience_sync", audience=audience, operation="remove")
    journeys.enter(running, people(workspace, 2), source="launch", now=NOON)
    theirs = settle(second.sync, 2, now=NOON)
    client = browser(bob)
    for step, number in ((first, 422), (second, 200)):
        answer = client.get(f"/w/shop/canvas/{running.pk}/steps/{step.pk}/users/", {"batch": f"#{theirs.pk}"})
        assert answer.status_code == number
    assert Batch.objects.count() == 1


def test_a_reason_that_nobody_has_any_more_lists_nobody(launched, step, bob):
    html = page(browser(bob), launched, f"steps/{step.pk}/users/", state="errored", reason="audience_gone")
    assert listed(html) == set()
    assert "No user of this step fits these filters." in html
    assert '<option value="audience_gone" selected>Audience Does Not Exist</option>' in html


def test_an_id_in_an_address_is_looked_for(launched, bob, address):
    assert listed(browser(bob).get(address, {"q": "u2"}).content.decode()) == {"u2"}
    html = browser(bob).get("/w/shop/profiles/", {"q": "u2"}).content.decode()
    assert listed(html) == {"u2"}


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("canvas/{canvas}/steps/{step}/batches/?outcome=lost", "“lost” is nothing that becomes of a batch"),
        ("canvas/?show=lost", "“lost” is no status of a Canvas"),
    ],
)
def test_a_tab_that_is_none_lists_nothing(launched, step, bob, path, sentence):
    html = browser(bob).get("/w/shop/" + path.format(canvas=launched.pk, step=step.pk)).content.decode()
    assert sentence in html
    assert "<tbody>" not in html
    assert 'aria-current="page"' not in html.split('class="tabs"')[1].split("</nav>")[0]


def test_the_tab_of_all_batches_leads_back_to_them(launched, step, bob):
    html = page(browser(bob), launched, f"steps/{step.pk}/batches/", outcome="errored")
    assert f'<a href="/w/shop/canvas/{launched.pk}/steps/{step.pk}/batches/">All batches</a>' in html


@pytest.mark.parametrize(
    "asked", [{"from": "yesterday"}, {"from": "2026-11-21T00:00", "to": "2026-11-20T00:00"}, {"period": "aeon"}]
)
def test_a_range_that_is_none_is_not_another_one(launched, step, bob, asked):
    """The chart says so and shows the last day; a download cannot say so, and is refused."""
    client = browser(bob)
    html = page(client, launched, f"steps/{step.pk}/analytics/", **asked)
    assert "That is no range of time: “from” must come before “to”. These are the last 24 hours." in html
    for name in set(asked) & {"from", "to"}:
        assert held(html, name) == asked[name]
    for form in ("csv", "json"):
        answer = client.get(f"/w/shop/canvas/{launched.pk}/steps/{step.pk}/analytics/history.{form}", asked)
        assert answer.status_code == 400
        assert "That is no range of time" in answer.content.decode()
