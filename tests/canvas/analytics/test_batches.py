"""The batches of a step: listed newest first, by outcome, page by page."""

import re

import pytest

from canvas import journeys
from canvas.analytics import batch_list
from canvas.analytics.batch_list import batches
from canvas.analytics.batches import find, page_of
from integrations.models import Batch, Delivery
from tests.canvas.analytics.asking import browser, listed, page
from tests.canvas.analytics.sending import errored, settle
from tests.canvas.conftest import NOON, add, people

pytestmark = pytest.mark.django_db


def walk(sync, outcome="") -> list[int]:
    """Return the batches of all pages."""
    found, before = [], 0
    for _page in range(200):
        shown = batches(sync, outcome, before=before)
        found += [line.batch.pk for line in shown.lines]
        before = shown.older
        if not before:
            return found
    raise AssertionError("The pages do not end.")


def test_batches_are_listed_by_outcome(launched, step):
    made = list(Batch.objects.order_by("-pk"))
    assert walk(step.sync) == [batch.pk for batch in made]
    assert walk(step.sync, "accepted") == [batch.pk for batch in made if batch.state == "accepted"]
    assert walk(step.sync, "errored") == [batch.pk for batch in made if batch.state == "errored"]
    assert walk(step.sync, "open") == [batch.pk for batch in made if batch.state == "waiting"]
    why = {line.batch.state: line.reason and line.reason.code for line in batches(step.sync).lines}
    assert why == {"accepted": None, "errored": "record_refused", "waiting": "partner_unavailable"}


def test_pages_join_without_a_gap_or_a_repetition(launched, workspace, step, audience, ad_account, monkeypatch):
    """Two audiences were fed, and another step shares the batches of one."""
    other = type(audience).objects.create(
        ad_account=ad_account, external_id="9", target_id="9", name="Other", seen_at=NOON
    )
    second = add(launched, "audience_sync", audience=audience)
    for number in range(6):
        feeds = audience if number % 2 else other
        type(step.sync).objects.filter(pk=step.sync_id).update(audience=feeds)
        step.sync.refresh_from_db()
        journeys.enter(launched, people(workspace, 4, start=100 + 4 * number), source="api", now=NOON)
        settle(step.sync, 4, now=NOON)
    errored(second.sync, 1, now=NOON, reason="record_refused")
    expected = walk(step.sync)
    assert len(expected) == len(set(expected)) >= 8
    assert expected == sorted(expected, reverse=True)
    monkeypatch.setattr(batch_list, "PAGE", 2)
    for window in (batch_list.WINDOW, 2, 1):
        monkeypatch.setattr(batch_list, "WINDOW", window)
        assert walk(step.sync) == expected
    monkeypatch.setattr("canvas.analytics.lanes.AT_ONCE", 1)
    assert walk(step.sync) == expected


def test_only_batches_with_users_of_the_step_are_its_batches(launched, workspace, step, audience):
    second = add(launched, "audience_sync", audience=audience)
    assert walk(second.sync) == []
    journeys.enter(launched, people(workspace, 4, start=50), source="api", now=NOON)
    shared = settle(second.sync, 10, now=NOON)
    assert walk(second.sync) == [shared.pk]
    assert shared.pk in walk(step.sync)


def test_the_page_says_when_how_many_how_often_and_how_it_ended(launched, step, bob):
    html = page(browser(bob), launched, f"steps/{step.pk}/batches/")
    for batch in Batch.objects.all():
        assert f'/canvas/batches/{batch.pk}/?step={step.pk}">#{batch.pk}</a>' in html
        assert f"users/?batch={batch.pk}" in html
    for text in ("Accepted", "Waiting", "Errored", "Record Refused", "1,000 ms", "200", "400", "503", "12:00:00"):
        assert text in html
    only = page(browser(bob), launched, f"steps/{step.pk}/batches/", outcome="errored")
    assert "Record Refused" in only
    assert "1,000 ms" in only
    assert ">200<" not in only
    assert "No more batches." in page(browser(bob), launched, f"steps/{step.pk}/batches/", before="1")
    assert f">#{batch.pk}</a>" in page(browser(bob), launched, f"steps/{step.pk}/batches/", before="x")


def test_who_was_in_a_batch_is_listed(launched, step, bob):
    batch = Batch.objects.get(state="accepted")
    html = page(browser(bob), launched, f"steps/{step.pk}/users/", batch=str(batch.pk))
    assert listed(html) == {"u0", "u1"}


def crumbs(html) -> list[tuple[str, str]]:
    return re.findall(r'<a href="([^"]+)">([^<]+)</a>', html.split('class="breadcrumbs"')[1].split("</nav>")[0])


def test_a_batch_leads_back_to_the_batches_of_its_step(launched, workspace, step, bob, audience):
    """Steps may share a batch: the one from which somebody came, else the first."""
    second = add(launched, "audience_sync", audience=audience)
    journeys.enter(launched, people(workspace, 4, start=50), source="api", now=NOON)
    shared = settle(second.sync, 10, now=NOON)
    client, here = browser(bob), f"/w/shop/canvas/{launched.pk}/"

    def way(each):
        root = f"{here}steps/{each.pk}/"
        found = [("/w/shop/canvas/", "Canvas"), (here, "Winter"), (f"{here}analytics/", "Analytics")]
        return [*found, (f"{root}analytics/", each.name), (f"{root}batches/", "Batches")]

    for query, each in (("", step), (f"?step={second.pk}", second), ("?step=999", step), ("?step=x", step)):
        assert crumbs(client.get(f"/w/shop/canvas/batches/{shared.pk}/{query}").content.decode()) == way(each)
    batch = Batch.objects.get(state="accepted", parent=None, users=2)
    Delivery.objects.filter(batch=batch).delete()  # as of one that was split: its users are in others
    assert crumbs(client.get(f"/w/shop/canvas/batches/{batch.pk}/?step={second.pk}").content.decode()) == way(second)


def test_an_outsider_sees_no_batches(launched, step, charlie):
    assert browser(charlie).get(f"/w/shop/canvas/{launched.pk}/steps/{step.pk}/batches/").status_code == 404


def test_a_batch_of_many_generations_names_all_before_it_in_one_question(launched, step, django_assert_max_num_queries):
    """A batch of 1,900 is split eleven times before a user stands alone."""
    one = Batch.objects.get(state="accepted")
    kept = {field.attname: getattr(one, field.attname) for field in Batch._meta.fields if field.name != "id"}
    made = [one]
    for _generation in range(12):
        made.append(Batch.objects.create(**kept | {"parent_id": made[-1].pk}))
    last = find(launched.workspace, made[-1].pk)
    with django_assert_max_num_queries(5):
        shown = page_of(last)
    assert shown.ancestors == made[-2::-1]
    assert page_of(find(launched.workspace, one.pk)).ancestors == []
