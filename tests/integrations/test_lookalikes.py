"""Actalikes: made from a synced audience in one write request, once, and taken up again where they were cut off."""

from datetime import timedelta

import pytest

from integrations import audiences, lookalikes, registry, upkeep
from integrations.creating import LEASE, NEW_FOR, CannotCreate
from integrations.models import Attempt, Audience, AudienceSync, Lookalike, SyncTotals
from integrations.pinterest.sandbox.breaking import break_on_purpose
from pinsync.workspaces.models import AuditEvent, Member, Role, User

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@pytest.fixture
def seed(ad_account, sandbox, now):
    audiences.create(ad_account, "Winter buyers", "", now)
    return Audience.objects.select_related("ad_account__connection__workspace").get(name="Winter buyers")


@pytest.fixture
def erin(shop):
    user = User.objects.create_user("erin@example.com")
    Member.objects.create(workspace=shop, user=user, role=Role.EDITOR)
    return user


@pytest.fixture
def editor(client, erin):
    client.force_login(erin)
    return client


def url(seed):
    return f"/w/shop/partners/pinterest/audiences/{seed.pk}/lookalike/"


def there(sandbox):
    """Return the Actalikes at the partner that were made here."""
    made = [one for one in sandbox.world.audiences.values() if one.audience_type == "ACTALIKE"]
    return [one for one in made if one.name.startswith("Like")]


def test_it_is_made_at_the_partner_in_one_write_at_the_common_pace(sandbox, seed, alice, now):
    before = Attempt.objects.count()
    made = lookalikes.create(seed, "  Like  winter ", "US", 3, alice, now)
    (one,) = there(sandbox)
    assert (made.state, made.external_id, made.created_by) == ("ready", one.id, alice)
    assert (one.name, one.rule) == (
        "Like winter",
        {"seed_id": [seed.external_id], "country": "US", "percentage": 3},
    )
    assert Attempt.objects.count() == before + 1
    assert AuditEvent.objects.filter(action="audience.lookalike_asked", actor=alice).count() == 1
    assert lookalikes.of(seed) == [made]
    audiences.refresh(seed.ad_account, now + MINUTE)  # it is no audience that users can be sent to
    assert not Audience.objects.filter(external_id=one.id).exists()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"name": " "}, "Give the audience a name."),
        ({"name": "x" * 257}, "The name may have up to 256 characters."),
        ({"country": "XX"}, "Choose one of the countries."),
        ({"percent": 0}, "The share must be between 1 and 10 percent."),
        ({"percent": 11}, "The share must be between 1 and 10 percent."),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_asked(seed, alice, now, wire, values, said):
    before = len(wire.calls)
    with pytest.raises(CannotCreate) as refusal:
        lookalikes.create(seed, **({"name": "Like", "country": "US", "percent": 1} | values), user=alice, now=now)
    assert str(refusal.value) == said
    assert (len(wire.calls), Lookalike.objects.count()) == (before, 0)


@pytest.mark.parametrize(
    "changes", [{"state": "gone"}, {"ad_account__state": "lost"}, {"ad_account__may_write": False}]
)
def test_a_seed_that_cannot_be_used_is_refused(seed, alice, now, changes):
    for name, value in changes.items():
        one = seed.ad_account if name.startswith("ad_account__") else seed
        setattr(one, name.removeprefix("ad_account__"), value)
    with pytest.raises(CannotCreate):
        lookalikes.create(seed, "Like", "US", 1, alice, now)


def test_the_same_name_is_made_once_and_a_failed_one_is_tried_again_on_its_row(sandbox, seed, alice, now):
    break_on_purpose(sandbox, "outage", {})
    failed = lookalikes.create(seed, "Like", "US", 1, alice, now)
    assert (failed.state, failed.failure) == ("failed", "partner_unavailable")
    sandbox.faults.clear()
    made = lookalikes.create(seed, "Like", "CA", 2, alice, now)
    assert (made.pk, made.state, made.country, made.percent) == (failed.pk, "ready", "CA", 2)
    with pytest.raises(CannotCreate, match="already"):
        lookalikes.create(seed, "Like", "US", 1, alice, now)
    assert len(there(sandbox)) == 1


def test_one_whose_answer_was_lost_is_found_and_not_made_twice(sandbox, seed, alice, now):
    break_on_purpose(sandbox, "drop_answer", {"path": "/audiences"})
    assert lookalikes.create(seed, "Like", "US", 1, alice, now).state == "failed"
    sandbox.faults.clear()
    (one,) = there(sandbox)  # it was made all the same
    assert lookalikes.create(seed, "Like", "US", 1, alice, now).external_id == one.id
    assert len(there(sandbox)) == 1


@pytest.mark.parametrize("was_made", [True, False])
def test_a_process_that_died_is_taken_up_by_upkeep(sandbox, seed, alice, now, was_made):
    if was_made:
        lookalikes.create(seed, "Like", "US", 1, alice, now)
    Lookalike.objects.update_or_create(
        seed=seed,
        name="Like",
        defaults={
            "country": "US",
            "percent": 1,
            "state": "creating",
            "external_id": "",
            "began_at": now,
            "lease_until": now + LEASE,
        },
    )
    assert lookalikes.cut_off(now + LEASE) == []  # somebody is at it
    upkeep.keep(now + LEASE + MINUTE)
    (one,) = there(sandbox)
    found = Lookalike.objects.get()
    assert (found.state, found.external_id, found.lease_until) == ("ready", one.id, None)


def test_a_resumed_one_that_meets_an_outage_waits(sandbox, seed, now):
    row = Lookalike.objects.create(seed=seed, name="Like", country="US", percent=1, began_at=now, lease_until=now)
    break_on_purpose(sandbox, "outage", {})
    assert lookalikes.resume(row, now + MINUTE) is False
    row.refresh_from_db()
    assert (row.state, row.lease_until) == ("creating", now + MINUTE + LEASE)
    stale = Lookalike(pk=row.pk, lease_until=now)
    assert lookalikes.resume(stale, now + MINUTE) is False  # another process took it


def test_one_that_is_asked_for_again_is_tried_for_as_long_as_the_first(sandbox, seed, alice, now):
    break_on_purpose(sandbox, "outage", {})
    row = lookalikes.create(seed, "Like", "US", 1, alice, now)
    again = now + 2 * DAY
    assert lookalikes.create(seed, "Like", "US", 1, alice, again).pk == row.pk
    Lookalike.objects.filter(pk=row.pk).update(state="creating", failure="", lease_until=again)  # it died over it
    row.refresh_from_db()
    lookalikes.resume(row, again + MINUTE)
    row.refresh_from_db()
    assert (row.state, row.began_at) == ("creating", now)


def test_the_page_offers_countries_and_shares_and_makes_one(editor, sandbox, seed):
    page = editor.get(url(seed)).content.decode()
    assert "Create an Actalike" in page
    assert "needs about 100 matched users" in page
    for code in ("US", "CA", "GB"):
        assert page.count(f'<option value="{code}"') == 1
    assert ('value="1"' in page, 'value="10"' in page, 'value="11"' in page) == (True, True, False)
    answer = editor.post(url(seed), {"name": "Like", "country": "US", "percent": "10"}, follow=True)
    assert f"The Actalike “Like” was created (id {there(sandbox)[0].id})." in answer.content.decode()
    assert "Asked for so far" in answer.content.decode()


def test_an_error_keeps_what_was_typed(editor, sandbox, seed):
    break_on_purpose(sandbox, "outage", {})
    answer = editor.post(url(seed), {"name": "Like mine", "country": "GB", "percent": "7"})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "Failed to create the Actalike “Like mine”. Pinterest Unavailable" in page
    assert 'value="Like mine"' in page
    assert '<option value="GB" selected>' in page
    assert '<option value="7" selected>' in page


def test_viewers_outsiders_and_partners_without_an_offer(client, bob, charlie, seed, monkeypatch, erin):
    client.force_login(bob)
    assert client.get(url(seed)).status_code == 403
    client.force_login(charlie)
    assert client.get(url(seed)).status_code == 404
    client.force_login(erin)
    assert client.get(url(seed)).status_code == 200
    monkeypatch.setattr(registry.partner("pinterest"), "lookalikes", None, raising=False)
    assert client.get(url(seed)).status_code == 404
    with pytest.raises(CannotCreate, match="offers no such"):
        lookalikes.create(seed, "Like", "US", 1, None, seed.seen_at)


def test_its_size_and_status_are_read_with_those_of_all_audiences(editor, sandbox, seed, alice, now):
    made = lookalikes.create(seed, "Like", "US", 2, alice, now)
    assert (made.made_at, made.seen_at, made.size) == (now, None, None)
    assert "not asked yet" in editor.get(url(seed)).content.decode()
    audiences.refresh(seed.ad_account, now + MINUTE)
    made.refresh_from_db()
    assert (made.status, made.size, made.seen_at) == ("INITIALIZING", None, now + MINUTE)
    sandbox.world.jump(hours=48)  # nobody is in its seed, so there is nobody to be like
    editor.post(url(seed), {"again": "yes"})
    page = editor.get(url(seed)).content.decode()
    made.refresh_from_db()
    assert (made.status, made.size) == ("TOO_SMALL", None)
    assert page.count("0 of about 100 needed") == 2  # the seed's own, and why there is no size
    change(sandbox, seed, 150)
    sandbox.world.jump(hours=48)
    audiences.refresh(seed.ad_account, now + 2 * MINUTE)
    made.refresh_from_db()
    assert (made.status, made.size) == ("READY", 820_000)
    page = editor.get(url(seed)).content.decode()
    assert "820,000" in page
    assert "of about 100 needed" not in page


def test_one_that_is_too_small_though_enough_were_accepted_says_what_is_known(editor, sandbox, seed, alice, now):
    sync = AudienceSync.objects.create(
        workspace=seed.ad_account.connection.workspace,
        partner="pinterest",
        ad_account=seed.ad_account,
        audience=seed,
        match_fields=1,
    )
    SyncTotals.objects.create(sync=sync, entered=1_500, synced=1_500)
    made = lookalikes.create(seed, "Like", "US", 2, alice, now)
    sandbox.world.jump(hours=48)  # nobody of them matched
    editor.post(url(seed), {"again": "yes"})
    page = editor.get(url(seed)).content.decode()
    made.refresh_from_db()
    assert (made.status, made.size) == ("TOO_SMALL", None)
    assert page.count("Hidden: 1,500 were accepted, and about 100 of them have to match.") == 2  # of the seed, and why
    Audience.objects.update(size=150)
    page = editor.get(url(seed)).content.decode()
    assert "Fewer matched users than the partner needs before an audience can be used." in page


def change(sandbox, seed, people):
    """Put people into the seed's list."""
    digests = [bytes([number]) * 32 for number in range(people)]
    sandbox.world.customer_lists[seed.target_id].change("ADD", digests, sandbox.clock.now())


def test_one_that_was_deleted_there_is_gone_and_can_be_made_again(editor, sandbox, seed, alice, now):
    made = lookalikes.create(seed, "Like", "US", 2, alice, now)
    sandbox.world.remove_audience(id=made.external_id, with_list=False)
    audiences.refresh(seed.ad_account, now + MINUTE)
    made.refresh_from_db()
    assert made.state == "ready"  # so young that it may be missing in the list
    break_on_purpose(sandbox, "outage", {})
    answer = editor.post(url(seed), {"again": "yes"}, follow=True)
    assert "does not answer just now" in answer.content.decode()
    made.refresh_from_db()
    assert made.state == "ready"  # an outage says nothing
    sandbox.faults.clear()
    audiences.refresh(seed.ad_account, now + NEW_FOR)
    made.refresh_from_db()
    assert (made.state, made.failure) == ("gone", "audience_gone")
    assert "Audience Does Not Exist" in editor.get(url(seed)).content.decode()
    again = lookalikes.create(seed, "Like", "CA", 1, alice, now + NEW_FOR)
    assert (again.pk, again.state, again.failure, again.made_at) == (made.pk, "ready", "", now + NEW_FOR)
    assert again.external_id == there(sandbox)[0].id != made.external_id


def test_one_that_is_found_again_is_ready_again(sandbox, seed, alice, now):
    made = lookalikes.create(seed, "Like", "US", 2, alice, now)
    Lookalike.objects.update(state="gone", failure="audience_gone")
    audiences.refresh(seed.ad_account, now + MINUTE)
    made.refresh_from_db()
    assert (made.state, made.failure) == ("ready", "")
