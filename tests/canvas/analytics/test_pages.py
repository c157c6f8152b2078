"""The analytics pages, asked as people ask them."""

import csv
import io
import json
import re

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils.html import escape

from canvas import journeys
from canvas.analytics.figures import MEANINGS
from canvas.analytics.users import STATES
from integrations.models import Delivery
from integrations.reasons import reason
from pinsync.workspaces.models import AuditEvent
from tests.canvas.analytics.asking import browser, page, queries
from tests.canvas.analytics.sending import errored, settle
from tests.canvas.conftest import NOON, add, people

pytestmark = pytest.mark.django_db


def test_the_seven_metrics_stand_on_card_table_and_step(launched, step, bob):
    client = browser(bob)
    for path in ("", "analytics/", f"steps/{step.pk}/analytics/"):
        html = page(client, launched, path)
        for label in ("Entered", "Proceeded to Next Step", "Users Synced", "Users Not Synced"):
            assert label in html
        for label in ("Users Pending", "Users Errored", "Exited Canvas"):
            assert label in html


@pytest.mark.parametrize("path", ["analytics/live/", "analytics/cards/", "steps/{step}/analytics/live/"])
def test_a_live_fragment_that_has_not_changed_is_not_sent_again(launched, step, bob, path):
    client = browser(bob)
    address = f"/w/shop/canvas/{launched.pk}/{path.format(step=step.pk)}"
    first = client.get(address)
    assert first.status_code == 200
    assert b"<html" not in first.content
    if "steps" not in path:  # the page of a step tells the time
        again = client.get(address, headers={"If-None-Match": first["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
    settle(step.sync, 1, now=NOON)
    assert client.get(address, headers={"If-None-Match": first["ETag"]}).status_code == 200


@pytest.mark.parametrize(
    ("state", "listed"),
    [
        ("entered", {"u0", "u1", "u2", "u3", "u4", "u5", "blank"}),
        ("synced", {"u0", "u1"}),
        ("not_synced", {"blank"}),
        ("pending", {"u3", "u4", "u5"}),
        ("errored", {"u2"}),
    ],
)
def test_behind_each_number_stand_its_users(launched, step, bob, state, listed):
    html = page(browser(bob), launched, f"steps/{step.pk}/users/", state=state)
    assert {name for name in ("u0", "u1", "u2", "u3", "u4", "u5", "blank") if f">{name}</a>" in html} == listed
    assert "u0@example.com" not in html


def test_a_user_is_found_by_external_id_and_the_id_stands_in_no_address(launched, step, bob):
    address = f"/w/shop/canvas/{launched.pk}/steps/{step.pk}/users/"
    html = browser(bob).post(address, {"q": "u2", "state": "entered"}).content.decode()
    assert ">u2</a>" in html
    assert ">u1</a>" not in html
    assert "Record Refused" in html
    assert "Nobody found" in browser(bob).post(address, {"q": "u2", "state": "synced"}).content.decode()


def test_errored_users_are_filtered_by_reason(launched, step, bob):
    errored(step.sync, 1, now=NOON, reason="audience_gone")
    html = page(browser(bob), launched, f"steps/{step.pk}/users/", state="errored", reason="audience_gone")
    assert ">u4</a>" in html
    assert ">u2</a>" not in html


def test_a_batch_tells_its_story(launched, step, bob):
    batch = Delivery.objects.exclude(batch=None).get(batch__reason="record_refused").batch
    html = browser(bob).get(f"/w/shop/canvas/batches/{batch.pk}/").content.decode()
    assert "Record Refused" in html
    assert "400" in html
    assert ">u2</a>" in html


def test_a_batch_of_another_workspace_does_not_exist(launched, charlie):
    batch = Delivery.objects.exclude(batch=None).first().batch
    assert browser(charlie).get(f"/w/other/canvas/batches/{batch.pk}/").status_code == 404


def test_retry_counts_first_then_retries_and_leaves_a_line_in_the_audit_log(launched, step, erin):
    client = browser(erin)
    address = f"/w/shop/canvas/{launched.pk}/steps/{step.pk}/retry/"
    asked = client.get(address, {"reason": "record_refused"}).content.decode()
    assert "<strong>1</strong> errored user becomes pending again" in asked
    assert client.post(address, {"reason": "audience_gone"}).status_code == 302
    assert step.sync.totals.errored == 1
    assert client.post(address, {"reason": "record_refused"}).status_code == 302
    step.sync.totals.refresh_from_db()
    assert (step.sync.totals.errored, step.sync.totals.pending) == (0, 4)
    event = AuditEvent.objects.get(action="users.retried")
    assert (event.actor, event.detail) == (erin, {"users": 1, "reason": "record_refused"})


def test_one_user_and_one_batch_can_be_retried(launched, step, erin):
    client = browser(erin)
    errored(step.sync, 1, now=NOON, reason="audience_gone")
    one = Delivery.objects.get(batch__reason="record_refused")
    other = Delivery.objects.get(batch__reason="audience_gone")
    assert client.post(f"/w/shop/canvas/{launched.pk}/steps/{step.pk}/users/{one.pk}/retry/").status_code == 302
    assert client.post(f"/w/shop/canvas/batches/{other.batch_id}/retry/").status_code == 302
    assert (step.sync.totals.errored, step.sync.totals.pending) == (0, 4)


def test_a_viewer_may_not_retry(launched, step, bob):
    client = browser(bob)
    assert client.post(f"/w/shop/canvas/{launched.pk}/steps/{step.pk}/retry/").status_code == 403
    assert "Retry" not in page(client, launched, f"steps/{step.pk}/analytics/")


def test_the_profile_tells_what_happened_to_the_person(launched, workspace, bob):
    refused = workspace.profiles.get(external_id="u2")
    html = browser(bob).get(f"/w/shop/profiles/{refused.pk}/").content.decode()
    assert "Winter buyers" in html
    assert "Record Refused" in html


def test_downloads_say_the_same_as_the_pages(launched, step, bob):
    client = browser(bob)
    text = page(client, launched, "analytics/figures.csv")
    assert text.startswith("\ufeffStep ID,")  # Excel takes it for UTF-8
    (line,) = csv.DictReader(io.StringIO(text))
    shown = {key: line[key] for key in ("Entered", "Users Synced", "Users Not Synced", "Users Pending")}
    assert shown == {"Entered": "7", "Users Synced": "2", "Users Not Synced": "1", "Users Pending": "3"}
    assert (line["Users Errored"], line["Proceeded to Next Step"], line["Exited Canvas"]) == ("1", "7", "7")
    answer = client.get(f"/w/shop/canvas/{launched.pk}/analytics/figures.json")
    assert answer["Content-Disposition"] == f'attachment; filename="canvas-{launched.pk}-figures.json"'
    (found,) = json.loads(answer.content)["steps"]
    assert found["metrics"] == {
        "entered": 7,
        "proceeded": 7,
        "synced": 2,
        "not_synced": 1,
        "pending": 3,
        "errored": 1,
        "exited": 7,
    }


def test_minutes_are_downloaded_whole(launched, step, bob):
    client = browser(bob)
    answer = client.get(f"/w/shop/canvas/{launched.pk}/analytics/minutes.csv")
    (line,) = csv.DictReader(io.StringIO(answer.getvalue().decode()))
    assert (line["Minute"], line["Entered"], line["Users Synced"]) == (NOON.isoformat(), "7", "2")
    (minute,) = json.loads(client.get(f"/w/shop/canvas/{launched.pk}/analytics/minutes.json").getvalue())
    assert (minute["entered"], minute["errored"], minute["pending_change"]) == (7, 1, 3)
    assert client.get(f"/w/shop/canvas/{launched.pk}/analytics/minutes.xml").status_code == 404


def test_a_draft_has_nothing_to_download(canvas, bob):
    assert json.loads(browser(bob).get(f"/w/shop/canvas/{canvas.pk}/analytics/minutes.json").getvalue()) == []


def test_a_delay_says_who_waits(canvas, workspace, bob):
    delay = add(canvas, "delay", amount=2, unit="hours")
    type(canvas).objects.filter(pk=canvas.pk).update(state="active", launched_at=NOON)
    journeys.enter(canvas, people(workspace, 2), source="launch", now=NOON)
    client = browser(bob)
    assert "Waiting" in page(client, canvas, f"steps/{delay.pk}/analytics/")
    assert client.get(f"/w/shop/canvas/{canvas.pk}/steps/{delay.pk}/batches/").status_code == 404
    assert client.get(f"/w/shop/canvas/{canvas.pk}/steps/{delay.pk}/analytics/history.csv").status_code == 404
    html = page(client, canvas, f"steps/{delay.pk}/users/")
    assert ">u0</a>" in html
    assert ">u1</a>" in html


def test_pages_take_no_more_queries_for_more_steps(launched, audience, bob):
    client = browser(bob)

    def queries(path) -> int:
        with CaptureQueriesContext(database) as captured:
            page(client, launched, path)
        return len(captured)

    paths = ("analytics/", "analytics/live/", "analytics/cards/")
    [queries(path) for path in paths]
    few = [queries(path) for path in paths]
    for _ in range(5):
        add(launched, "audience_sync", audience=audience)
    assert [queries(path) for path in paths] == few


def test_the_parts_of_entered_stand_as_numbers_and_shares_that_add_up(launched, step, bob):
    html = page(browser(bob), launched, f"steps/{step.pk}/analytics/")
    shares = [float(share) for share in re.findall(r"([\d.]+) %</span>", html)]
    assert shares == [28.6, 14.3, 42.8, 14.3]
    assert sum(shares) == pytest.approx(100)
    numbers = [int(number) for number in re.findall(r'id="part-\w+" href="[^"]+">(\d+)</a>', html)]
    assert numbers == [2, 1, 3, 1]


def test_every_figure_of_a_step_says_what_it_counts(launched, step, bob):
    html = page(browser(bob), launched, f"steps/{step.pk}/analytics/")
    for key, meaning in MEANINGS.items():
        if key == "waiting":
            continue
        assert f'aria-describedby="meaning-{key}"' in html
        assert f'role="tooltip" id="meaning-{key}">{meaning}</span>' in html
    overview = page(browser(bob), launched, "analytics/")
    assert all(str(meaning) in overview for key, meaning in MEANINGS.items() if key != "waiting")


def test_reasons_name_cause_way_out_number_and_offer_another_try(launched, step, erin):
    html = page(browser(erin), launched, f"steps/{step.pk}/analytics/")
    for code in ("no_usable_field", "record_refused"):
        found = reason(code, "Pinterest")
        for text in (found.name, found.cause, found.way_out):
            assert escape(str(text)) in html
        assert re.search(rf'id="reason-{code}" href="[^"]+">1</a>', html)
    assert 'id="retry-record_refused"' in html
    assert 'id="retry-no_usable_field"' not in html  # nothing to try again


def test_pages_ask_little_also_while_users_are_pending(launched, workspace, step, audience, ad_account, bob):
    """The step has waited for other audiences before, others wait too, and the partner asks for fewer requests."""
    for number in range(6):
        other = type(audience).objects.create(
            ad_account=ad_account,
            external_id=f"9{number}",
            target_id=f"9{number}",
            name=f"Other {number}",
            seen_at=NOON,
        )
        add(launched, "audience_sync", audience=other, operation="remove" if number % 2 else "add")
    journeys.enter(launched, people(workspace, 9, start=40), source="api", now=NOON)
    client = browser(bob)
    root = f"/w/shop/canvas/{launched.pk}/"
    person = workspace.profiles.get(external_id="u44")
    batch = Delivery.objects.exclude(batch=None).first().batch_id
    users = [(f"{root}steps/{step.pk}/users/", {"state": state}) for state in STATES]
    for address, query in (
        (root, {}),
        (f"{root}analytics/", {}),
        (f"{root}analytics/cards/", {}),
        (f"{root}steps/{step.pk}/analytics/", {}),
        (f"{root}steps/{step.pk}/analytics/live/", {"period": "all"}),
        (f"{root}steps/{step.pk}/batches/", {}),
        *users,
        (f"{root}steps/{step.pk}/users/", {"batch": batch}),
        (f"/w/shop/canvas/batches/{batch}/", {}),
        (f"/w/shop/canvas/users/{person.pk}/", {}),
        (f"/w/shop/profiles/{person.pk}/", {}),
    ):
        assert queries(client, address, **query) <= 15, address
