"""The local copy of audiences, and their creation in resumable steps."""

import time
from dataclasses import replace
from datetime import timedelta

import pytest
from django.core import mail

from integrations import ad_accounts, audiences, creating, registry, upkeep
from integrations.contract import AdAccountInfo
from integrations.errors import Unavailable
from integrations.models import AdAccount, Audience, Connection
from integrations.pinterest.sandbox.breaking import break_on_purpose
from integrations.pinterest.sandbox.people import BIG_AD_ACCOUNT_ID
from integrations.tokens import mark_broken
from tests.helpers import resume_creations
from tests.integrations.conftest import connect

US = "549755813101"


@pytest.fixture
def big(sandbox, shop, alice, now) -> AdAccount:
    connect(sandbox, shop, alice, now, "Maple & Moss Catalogue")
    return AdAccount.objects.select_related("connection").get(external_id=BIG_AD_ACCOUNT_ID)


def customer_lists(sandbox, ad_account_id) -> list:
    return [one for one in sandbox.world.audiences_of(ad_account_id) if one.audience_type == "CUSTOMER_LIST"]


def writes(wire) -> int:
    return sum(call.request.method in ("POST", "PATCH") and "/oauth/" not in call.request.url for call in wire.calls)


# --- the local copy


def test_the_copy_holds_all_customer_lists_of_the_account(sandbox, big, now):
    assert audiences.refresh(big, now) == len(customer_lists(sandbox, BIG_AD_ACCOUNT_ID))
    big.refresh_from_db()
    assert big.audiences_refreshed_at == now
    assert audiences.refresh(big, now + timedelta(hours=1)) == Audience.objects.count()


def test_searching_finds_by_name_and_id_in_any_case_page_by_page(sandbox, big, wire, now):
    audiences.refresh(big, now)
    before = len(wire.calls)
    found, after = [], ""
    while True:
        page = audiences.search(big, "BUYERS", after)
        found += page.audiences
        if not (after := page.after):
            break
    expected = [one for one in customer_lists(sandbox, BIG_AD_ACCOUNT_ID) if "buyers" in one.name.lower()]
    assert sorted(one.external_id for one in found) == sorted(one.id for one in expected)
    assert len(found) > audiences.PAGE
    assert [one.name_folded for one in found] == sorted(one.name_folded for one in found)
    (by_id,) = audiences.search(big, expected[0].id).audiences
    assert by_id.name == expected[0].name
    assert audiences.search(big, "ACHETEURS D’ÉTÉ").audiences
    assert audiences.search(big, "겨울").audiences
    assert audiences.search(big, "100% nothing_like_it").audiences == []
    assert audiences.search(big, "winter\0").audiences == []
    assert len(wire.calls) == before  # never waits on the partner


def test_a_cursor_that_makes_no_sense_starts_anew(big, now):
    audiences.refresh(big, now)
    first = audiences.search(big).audiences
    for cursor in ("x", "-1", "9" * 30, "٣"):
        assert audiences.search(big, "", cursor).audiences == first


@pytest.mark.timed
def test_searching_1200_audiences_takes_less_than_100_ms(big, now):
    audiences.refresh(big, now)
    rows = [copied(row, n) for n, row in enumerate(Audience.objects.all()[:600])]
    Audience.objects.bulk_create(rows)
    started = time.perf_counter()
    assert audiences.search(big, "gold").audiences
    assert time.perf_counter() - started < 0.1


def copied(row: Audience, number: int) -> Audience:
    row.pk, row.external_id = None, f"77{number:06d}"
    return row


def test_what_vanished_is_gone_and_what_came_back_exists(sandbox, ad_account, now):
    audiences.refresh(ad_account, now)
    first = customer_lists(sandbox, US)[0]
    break_on_purpose(sandbox, "delete_audience", {"audience_id": first.id})
    audiences.refresh(ad_account, now + timedelta(hours=1))
    gone = Audience.objects.get(external_id=first.id)
    assert (gone.state, gone.failure) == ("gone", "audience_gone")
    assert first.id not in {one.external_id for one in audiences.search(ad_account).audiences}
    Audience.objects.exclude(pk=gone.pk).update(state="gone", failure="audience_gone")
    audiences.refresh(ad_account, now + timedelta(hours=2))
    assert list(Audience.objects.filter(state="gone")) == [gone]


@pytest.mark.parametrize("fault", ["outage", "garbage", "drop_answer"])
def test_an_outage_in_the_middle_of_a_list_makes_nothing_gone(sandbox, big, wire, now, fault):
    audiences.refresh(big, now)
    total = Audience.objects.filter(state="ready").count()
    pinterest = registry.partner("pinterest")

    def cut_off(token):
        pages = pinterest.audiences(token, BIG_AD_ACCOUNT_ID)
        yield next(pages)
        break_on_purpose(sandbox, fault, {"path": "/audiences"})
        yield from pages

    with pytest.raises(Unavailable):
        list(cut_off(big.connection.access_token))
    sandbox.faults.clear()
    break_on_purpose(sandbox, fault, {"path": "/audiences"})
    with pytest.raises(Unavailable):
        audiences.refresh(big, now + timedelta(hours=1))
    assert Audience.objects.filter(state="ready").count() == total
    big.refresh_from_db()
    assert big.audiences_refreshed_at == now


# --- creating


def test_creating_makes_an_audience_that_exists_at_the_partner(sandbox, ad_account, wire, now):
    made = audiences.create(ad_account, "  Winter   buyers ", "Bought in winter", now)
    assert (made.state, made.name, made.made_here) == ("ready", "Winter buyers", True)
    there = sandbox.world.audiences[made.external_id]
    assert (there.name, there.description, there.customer_list_id) == (
        "Winter buyers",
        "Bought in winter",
        made.target_id,
    )
    assert writes(wire) == 2
    audiences.refresh(ad_account, now + timedelta(hours=1))
    assert Audience.objects.get(name="Winter buyers").pk == made.pk


@pytest.mark.parametrize("name", ["", "   ", "x" * 257])
def test_a_name_that_cannot_be_is_refused_with_a_sentence(ad_account, wire, now, name):
    with pytest.raises(audiences.CannotCreate) as caught:
        audiences.create(ad_account, name, "", now)
    assert str(caught.value).endswith(".")
    assert writes(wire) == 0


def test_a_name_that_exists_is_refused_in_any_case(ad_account, wire, now):
    audiences.create(ad_account, "Winter buyers", "", now)
    with pytest.raises(audiences.CannotCreate, match="exists already"):
        audiences.create(ad_account, "WINTER BUYERS", "", now)
    assert writes(wire) == 2


def test_a_name_under_way_is_refused(ad_account, now):
    Audience.objects.create(ad_account=ad_account, name="Busy", state="creating", seen_at=now)
    with pytest.raises(audiences.CannotCreate, match="being created"):
        audiences.create(ad_account, "busy", "", now)


@pytest.mark.parametrize(
    ("fault", "parameters", "code"),
    [
        ("terms", {"ad_account_id": US}, "terms_not_accepted"),
        ("remove_ad_account_access", {"ad_account_id": US}, "ad_account_access"),
        ("outage", {}, "partner_unavailable"),
        ("rate_limit", {"seconds": 1}, "rate_limited"),
        ("revoke_token", {}, "invalid_token"),
    ],
)
def test_a_refusal_is_kept_with_its_reason_and_can_be_tried_again(
    sandbox, shop, alice, ad_account, now, fault, parameters, code
):
    break_on_purpose(sandbox, fault, parameters)
    failed = audiences.create(ad_account, "Winter buyers", "", now)
    assert (failed.state, failed.failure) == ("failed", code)
    sandbox.faults.clear()
    if fault == "revoke_token":
        tokens = sandbox.tokens.grant(
            ad_account.connection.partner_user_id, sorted(registry.partner("pinterest").scopes), sandbox.clock.now()
        )
        Connection.objects.update(state="connected", access_token=tokens.access, refresh_token=tokens.refresh)
    again = audiences.create(ad_account, "Winter buyers", "", now)
    assert (again.pk, again.state, again.failure) == (failed.pk, "ready", "")


@pytest.mark.parametrize("cut", ["/customer_lists", "/audiences"])
def test_a_lost_answer_makes_no_second_list(sandbox, ad_account, now, cut):
    break_on_purpose(sandbox, "drop_answer", {"path": cut})
    assert audiences.create(ad_account, "Cut off", "", now).state == "failed"
    assert audiences.create(ad_account, "Cut off", "", now).state == "ready"
    assert [one.name for one in sandbox.world.lists_of(US)].count("Cut off") == 1
    assert [one.name for one in sandbox.world.audiences_of(US)].count("Cut off") == 1


@pytest.mark.parametrize("steps", [0, 1, 2])
@pytest.mark.parametrize("is_saved", [True, False])
def test_a_process_killed_at_any_step_is_resumed_not_repeated(sandbox, ad_account, wire, now, steps, is_saved):
    """What it leaves: `steps` requests were made, and all of them but perhaps the last are written down."""
    pinterest = registry.partner("pinterest")
    row = Audience.objects.create(
        ad_account=ad_account, name="Cut off", state="creating", made_here=True, began_at=now, seen_at=now,
        lease_until=now + creating.LEASE,
    )  # fmt: skip
    draft = saved = creating.AudienceDraft(name="Cut off", began_at=now)
    for _ in range(steps):
        saved, draft = draft, pinterest.create_audience(ad_account.connection.access_token, US, draft)
    saved = draft if is_saved else saved
    Audience.objects.filter(pk=row.pk).update(target_id=saved.target_id, external_id=saved.id or None)
    assert resume_creations(now + creating.LEASE) == 0  # its lease is not over
    assert resume_creations(now + creating.LEASE + timedelta(seconds=1)) == 1
    row.refresh_from_db()
    assert row.state == "ready"
    assert sandbox.world.audiences[row.external_id].customer_list_id == row.target_id
    assert [one.name for one in sandbox.world.lists_of(US)].count("Cut off") == 1
    assert [one.name for one in sandbox.world.audiences_of(US)].count("Cut off") == 1
    assert writes(wire) == 2


def test_a_resumed_creation_outlasts_an_outage(sandbox, ad_account, now):
    row = Audience.objects.create(ad_account=ad_account, name="Cut off", state="creating", began_at=now, seen_at=now)
    break_on_purpose(sandbox, "outage", {})
    assert resume_creations(now) == 0
    row.refresh_from_db()
    assert (row.state, row.lease_until) == ("creating", now + creating.LEASE)
    assert resume_creations(now + timedelta(hours=14)) == 0
    row.refresh_from_db()
    assert (row.state, row.failure) == ("failed", "partner_unavailable")


def test_a_wish_that_is_repeated_is_tried_for_as_long_as_the_first(sandbox, ad_account, now):
    break_on_purpose(sandbox, "terms", {"ad_account_id": US})
    row = audiences.create(ad_account, "Winter buyers", "", now)
    sandbox.faults.clear()
    break_on_purpose(sandbox, "outage", {})
    again = now + timedelta(days=2)
    assert creating.take_up(row, again)
    assert resume_creations(again + timedelta(seconds=1)) == 0
    row.refresh_from_db()
    assert (row.state, row.lease_until) == ("creating", again + timedelta(seconds=1) + creating.LEASE)
    resume_creations(again + timedelta(hours=14))
    row.refresh_from_db()
    assert (row.state, row.failure) == ("failed", "partner_unavailable")
    # Pressed in the editor, and the process dies over it.
    later = again + timedelta(days=2)
    assert audiences.create(ad_account, "Winter buyers", "", later).pk == row.pk
    Audience.objects.filter(pk=row.pk).update(state="creating", lease_until=later)
    resume_creations(later + timedelta(hours=1))
    row.refresh_from_db()
    assert row.state == "creating"


def test_a_refresh_recognises_a_creation_that_was_cut_off(sandbox, ad_account, now):
    pinterest = registry.partner("pinterest")
    draft = creating.AudienceDraft(name="Cut off")
    while not draft.done:
        draft = pinterest.create_audience(ad_account.connection.access_token, US, draft)
    row = Audience.objects.create(
        ad_account=ad_account, name="Cut off", target_id=draft.target_id, state="failed", seen_at=now
    )
    audiences.refresh(ad_account, now)
    row.refresh_from_db()
    assert (row.state, row.external_id) == ("ready", draft.id)
    assert Audience.objects.filter(name="Cut off").count() == 1


# --- ad accounts come and go


def test_a_lost_ad_account_is_found_again_by_itself(sandbox, connection, ad_account, now):
    fault = break_on_purpose(sandbox, "remove_ad_account_access", {"ad_account_id": US})
    assert fault
    ad_accounts.reread(connection, now)
    ad_account.refresh_from_db()
    assert ad_account.state == "lost"
    sandbox.faults.clear()
    upkeep.keep(now + timedelta(minutes=1))
    ad_account.refresh_from_db()
    assert ad_account.state == "connected"


def test_upkeep_looks_for_a_lost_one_every_ten_minutes_only(sandbox, connection, ad_account, wire, now):
    AdAccount.objects.update(audiences_refreshed_at=now)
    AdAccount.objects.filter(pk=ad_account.pk).update(state="lost")
    break_on_purpose(sandbox, "outage", {})
    before = len(wire.calls)
    for seconds in range(0, 600, 60):
        upkeep.keep(now + timedelta(seconds=seconds))
    assert len(wire.calls) == before + 1
    upkeep.keep(now + timedelta(seconds=600))
    assert len(wire.calls) == before + 2


def test_upkeep_reads_new_ad_accounts_and_old_copies(sandbox, connection, ad_account, now):
    upkeep.keep(now)
    ad_account.refresh_from_db()
    assert ad_account.audiences_refreshed_at == now
    upkeep.keep(now + timedelta(hours=5))
    ad_account.refresh_from_db()
    assert ad_account.audiences_refreshed_at == now
    upkeep.keep(now + timedelta(hours=6))
    ad_account.refresh_from_db()
    assert ad_account.audiences_refreshed_at == now + timedelta(hours=6)


def test_upkeep_begins_nothing_new_when_its_time_is_over(sandbox, connection, now):
    AdAccount.objects.filter(may_write=True).update(state="connected")
    assert upkeep.keep(now, seconds=0.0) == 1
    assert AdAccount.objects.exclude(audiences_refreshed_at=None).count() == 1
    assert upkeep.keep(now) == upkeep.COPIES_AT_ONCE


def test_a_partner_that_hangs_does_not_keep_people_from_being_told(sandbox, connection, now):
    mark_broken(connection, "invalid_token", now)
    break_on_purpose(sandbox, "outage", {})
    assert upkeep.keep(now, seconds=0.0) == 0
    assert [sent.to for sent in mail.outbox] == [["alice@example.com"]]


def test_adding_and_disconnecting_single_ad_accounts(sandbox, connection, ad_account, alice, now):
    ad_accounts.reread(connection, now)
    offered = {one.name: one.external_id for one in ad_accounts.offered(connection)}
    assert "Maple & Moss US" not in offered
    assert ad_accounts.choose(connection, [offered["Maple & Moss Canada"], offered["Kestrel Outdoor"]], alice, now) == 1
    assert ad_accounts.disconnect(ad_account, alice, now)
    assert not ad_accounts.disconnect(ad_account, alice, now)
    assert [one.name for one in connection.ad_accounts.filter(state="connected")] == ["Maple & Moss Canada"]


def test_one_that_a_partner_lists_twice_is_one(connection, ad_account, now):
    """A list that is read page by page may shift in between."""
    info = AdAccountInfo(ad_account.external_id, "Shop", "US", "USD", ("OWNER",), may_write=True)
    ad_accounts.save_list(connection, [info, replace(info, name="Shop US")], now)
    ad_account.refresh_from_db()
    assert (ad_account.name, ad_account.state) == ("Shop US", "connected")


def test_one_that_is_not_reached_any_more_is_not_offered(sandbox, connection, now):
    assert any(one.name == "Maple & Moss Lab" for one in ad_accounts.offered(connection))
    break_on_purpose(sandbox, "remove_ad_account_access", {"ad_account_id": "549755813107"})
    ad_accounts.reread(connection, now + timedelta(minutes=1))
    assert not any(one.name == "Maple & Moss Lab" for one in ad_accounts.offered(connection))


# --- problems of a sync
