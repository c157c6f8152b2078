"""Pinterest as a partner, against the sandbox."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from integrations import errors
from integrations.contract import AudienceDraft
from integrations.pinterest.partner import Pinterest
from integrations.pinterest.sandbox.breaking import break_on_purpose
from integrations.pinterest.sandbox.people import AD_ACCOUNTS, BIG_AD_ACCOUNT_ID

REDIRECT_URI = "http://127.0.0.1:8000/partners/pinterest/callback/"
AD_ACCOUNT = AD_ACCOUNTS[0].id
ONE, TWO = "1" * 64, "2" * 64
pinterest = Pinterest()


def consent(sandbox, **form: str | list[str]) -> dict[str, str]:
    """Answer the consent page as a person would, and return what the browser brings back."""
    url = pinterest.consent_url(redirect_uri=REDIRECT_URI, state="s")
    fields = {"decision": "allow", "pinterest_user": "maple_and_moss", "scope": sorted(pinterest.scopes)} | form
    pairs = [(name, one) for name, value in fields.items() for one in ([value] if isinstance(value, str) else value)]
    body = "&".join(f"{name}={one}" for name, one in pairs)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    status, answered, _ = sandbox.answer("POST", url, headers, body)
    assert status == 302
    return {name: values[0] for name, values in parse_qs(urlsplit(answered["Location"]).query).items()}


def created(access_token: str, name: str = "Winter buyers") -> AudienceDraft:
    draft = AudienceDraft(name=name)
    while not draft.done:
        draft = pinterest.create_audience(access_token, AD_ACCOUNT, draft)
    return draft


def records(sandbox, target_id: str) -> set[str]:
    return {digest.hex() for digest in sandbox.world.customer_lists[target_id].all_records()}


def test_consent_gives_tokens_that_rotate(sandbox):
    first = pinterest.exchange(code=consent(sandbox)["code"], redirect_uri=REDIRECT_URI)
    assert first.scopes == pinterest.scopes
    assert first.access_lifetime == timedelta(days=30)
    assert first.refresh_lifetime == timedelta(days=60)
    second = pinterest.refresh(first.refresh_token)
    assert pinterest.me(second.access_token).name == "maple_and_moss"
    assert second.refresh_token != first.refresh_token
    with pytest.raises(errors.NeedsReconnect):
        pinterest.refresh(first.refresh_token)


def test_a_lost_refresh_answer_can_be_asked_for_again(sandbox):
    first = pinterest.exchange(code=consent(sandbox)["code"], redirect_uri=REDIRECT_URI)
    break_on_purpose(sandbox, "drop_answer", {"path": "/oauth/token"})
    with pytest.raises(errors.Unavailable):
        pinterest.refresh(first.refresh_token)
    assert pinterest.me(pinterest.refresh(first.refresh_token).access_token).name == "maple_and_moss"


def test_continuous_refresh_tokens_are_asked_for(sandbox, wire):
    tokens = pinterest.exchange(code=consent(sandbox)["code"], redirect_uri=REDIRECT_URI)
    pinterest.refresh(tokens.refresh_token)
    for call in wire.calls:
        assert parse_qs(call.request.body)["continuous_refresh"] == ["true"]
        assert call.request.headers["Authorization"].startswith("Basic ")


def test_a_code_works_once_and_for_its_address_only(sandbox):
    code = consent(sandbox)["code"]
    pinterest.exchange(code=code, redirect_uri=REDIRECT_URI)
    with pytest.raises(errors.ConsentFailed):
        pinterest.exchange(code=code, redirect_uri=REDIRECT_URI)
    with pytest.raises(errors.ConsentFailed):
        pinterest.exchange(code=consent(sandbox)["code"], redirect_uri=REDIRECT_URI + "?other")


def test_missing_scopes_can_be_told(sandbox):
    code = consent(sandbox, scope=["ads:read"])["code"]
    assert pinterest.exchange(code=code, redirect_uri=REDIRECT_URI).scopes == {"ads:read"}


def test_no_token_shows_in_a_repr(sandbox):
    tokens = pinterest.exchange(code=consent(sandbox)["code"], redirect_uri=REDIRECT_URI)
    assert tokens.access_token not in repr(tokens)
    assert tokens.refresh_token not in repr(tokens)


def test_revoked_tokens_are_dead(sandbox):
    tokens = pinterest.exchange(code=consent(sandbox)["code"], redirect_uri=REDIRECT_URI)
    pinterest.revoke([tokens.access_token, tokens.refresh_token, ""])
    with pytest.raises(errors.NeedsReconnect):
        pinterest.me(tokens.access_token)
    with pytest.raises(errors.NeedsReconnect):
        pinterest.refresh(tokens.refresh_token)


def test_a_refused_revocation_is_an_error_and_both_tokens_are_tried(wire, settings):
    url = f"{settings.PINTEREST_API_URL}/oauth/token/revoke"
    wire.add("POST", url, status=403, json={"code": 29, "message": "You are not permitted to access that resource."})
    wire.add("POST", url, status=200)
    with pytest.raises(errors.AccessLost):
        pinterest.revoke(["pina_1", "pinr_2"])
    assert [parse_qs(call.request.body)["token_type_hint"] for call in wire.calls] == [
        ["access_token"],
        ["refresh_token"],
    ]


def test_ad_accounts_come_with_roles_and_what_they_allow(sandbox, access_token):
    found = {account.name: (account.roles, account.may_write) for account in pinterest.ad_accounts(access_token)}
    assert found["Maple & Moss US"] == (("OWNER",), True)
    assert found["Kestrel Outdoor"] == (("ANALYST",), False)
    assert found["Sunday Paper Studio"] == (("AUDIENCE_MANAGER",), True)
    assert "Northwind Interiors" not in found


def test_customer_list_audiences_and_actalikes_are_listed_newest_first(sandbox, access_token, wire):
    found = list(pinterest.audiences(access_token, BIG_AD_ACCOUNT_ID))
    expected = [
        audience
        for audience in sandbox.world.audiences_of(BIG_AD_ACCOUNT_ID)
        if audience.audience_type in ("CUSTOMER_LIST", "ACTALIKE")
    ]
    assert [one.id for one in found] == [audience.id for audience in reversed(expected)]
    targets = {audience.rule.get("customer_list_id", "") for audience in expected}
    assert {one.target_id for one in found} == targets
    assert "" in targets  # an Actalike's: nobody is sent to it
    assert len(wire.calls) == 5  # 1,200 audiences in pages of 250


def test_a_small_size_is_hidden(sandbox, access_token):
    made = created(access_token)
    found = pinterest.audience(access_token, AD_ACCOUNT, made.id)
    assert (found.name, found.size, found.target_id) == ("Winter buyers", None, made.target_id)


def test_a_deleted_audience_is_gone(sandbox, access_token):
    made = created(access_token)
    break_on_purpose(sandbox, "delete_audience", {"audience_id": made.id})
    with pytest.raises(errors.AudienceGone):
        pinterest.audience(access_token, AD_ACCOUNT, made.id)
    with pytest.raises(errors.AudienceGone):
        pinterest.send(access_token, AD_ACCOUNT, made.target_id, "add", [ONE])


def test_creating_takes_two_steps_and_one_random_record(sandbox, access_token):
    draft = AudienceDraft(name="Spring buyers", description="Bought in spring")
    listed = pinterest.create_audience(access_token, AD_ACCOUNT, draft)
    assert listed.target_id
    assert not listed.done
    done = pinterest.create_audience(access_token, AD_ACCOUNT, listed)
    assert done.done
    assert len(records(sandbox, done.target_id)) == 1
    assert records(sandbox, done.target_id) != records(sandbox, created(access_token, "Other").target_id)
    assert sandbox.world.audiences[done.id].description == "Bought in spring"
    assert pinterest.create_audience(access_token, AD_ACCOUNT, done) == done


@pytest.mark.parametrize("cut", ["/customer_lists", "/audiences"])
def test_a_creation_whose_answer_was_lost_is_found_again(sandbox, access_token, cut):
    draft = AudienceDraft(name="Cut off", began_at=datetime.fromtimestamp(sandbox.clock.now(), UTC))
    if cut == "/audiences":
        draft = pinterest.create_audience(access_token, AD_ACCOUNT, draft)
    break_on_purpose(sandbox, "drop_answer", {"path": cut})
    with pytest.raises(errors.Unavailable):
        pinterest.create_audience(access_token, AD_ACCOUNT, draft)
    found = pinterest.find_draft(access_token, AD_ACCOUNT, draft)
    assert found.target_id
    assert found.done == (cut == "/audiences")
    lists = [one.name for one in sandbox.world.lists_of(AD_ACCOUNT)]
    assert lists.count("Cut off") == 1


def test_an_older_list_of_the_same_name_is_not_mistaken_for_the_draft(sandbox, access_token):
    created(access_token, "Twice")
    sandbox.world.jump(hours=1)
    draft = AudienceDraft(name="Twice", began_at=datetime.fromtimestamp(sandbox.clock.now(), UTC))
    assert pinterest.find_draft(access_token, AD_ACCOUNT, draft) == draft
    timeless = replace(draft, began_at=None)
    assert pinterest.find_draft(access_token, AD_ACCOUNT, timeless).done


def test_records_are_added_and_removed(sandbox, access_token):
    target_id = created(access_token).target_id
    (placeholder,) = records(sandbox, target_id)
    for operation, expected in (("add", {ONE, TWO}), ("add", {ONE, TWO}), ("remove", set())):
        assert pinterest.send(access_token, AD_ACCOUNT, target_id, operation, [ONE, TWO]).http_status == 200
        assert records(sandbox, target_id) == expected | {placeholder}


@pytest.mark.parametrize(
    "bad",
    [
        *("ann@example.com", "", "1" * 63, f"{ONE},{TWO}", f"{ONE}\n", f"{ONE[:63]}\n", f"{'1' * 31},{'2' * 32}"),
        *(ONE.upper().replace("1", "A"), "é" * 64, "\ud800" * 64, "\uff11" * 64, "g" * 64, "," * 64),
    ],
)
def test_nothing_but_digests_leaves_the_building(sandbox, access_token, wire, bad):
    before = len(wire.calls)
    with pytest.raises(errors.ContentRefused) as caught:
        pinterest.send(access_token, AD_ACCOUNT, "643", "add", [ONE, bad])
    assert len(wire.calls) == before
    assert not bad or bad not in str(caught.value)


def test_a_refused_record_and_too_many_records_are_content(sandbox, access_token):
    target_id = created(access_token).target_id
    break_on_purpose(sandbox, "refuse_record", {"digest": TWO})
    with pytest.raises(errors.ContentRefused):
        pinterest.send(access_token, AD_ACCOUNT, target_id, "add", [ONE, TWO])
    with pytest.raises(errors.ContentRefused) as caught:
        pinterest.send(access_token, AD_ACCOUNT, target_id, "add", [f"{number:064x}" for number in range(1_901)])
    assert caught.value.http_status == 413


def test_each_fault_of_an_ad_account_has_its_own_name(sandbox, access_token):
    target_id = created(access_token).target_id
    for fault, parameters, expected in (
        ("remove_ad_account_access", {"ad_account_id": AD_ACCOUNT}, errors.AccessLost),
        ("terms", {"ad_account_id": AD_ACCOUNT}, errors.TermsNotAccepted),
        ("rate_limit", {"seconds": 9}, errors.RateLimited),
        ("outage", {"html": True}, errors.Unavailable),
        ("garbage", {}, errors.Unavailable),
        ("drop_answer", {}, errors.Unavailable),
    ):
        break_on_purpose(sandbox, fault, parameters)
        with pytest.raises(errors.PartnerError) as caught:
            pinterest.send(access_token, AD_ACCOUNT, target_id, "add", [ONE])
        assert type(caught.value) is expected, fault
        sandbox.faults.clear()


@pytest.mark.parametrize("body", [{"id": "644"}, {"id": "643", "exceptions": {"code": 2, "message": "Not found."}}])
def test_an_answer_about_something_else_is_no_acceptance(wire, settings, body):
    wire.add("PATCH", f"{settings.PINTEREST_API_URL}/ad_accounts/1/customer_lists/643", json=body)
    with pytest.raises(errors.Unavailable):
        pinterest.send("t", "1", "643", "add", [ONE])
    assert json.loads(wire.calls[0].request.body) == {"operation_type": "ADD", "records": ONE}


@pytest.mark.parametrize("bad", ["", "1/2", "../x", "1" * 19, "１", "1?x"])
def test_an_id_that_is_none_never_reaches_a_path(wire, bad):
    for attempt in (
        lambda: list(pinterest.audiences("t", bad)),
        lambda: pinterest.audience("t", "1", bad),
        lambda: pinterest.send("t", "1", bad, "add", [ONE]),
        lambda: pinterest.create_audience("t", bad, AudienceDraft(name="x")),
    ):
        with pytest.raises(errors.InvalidSettings):
            attempt()
    assert len(wire.calls) == 0


def test_the_playground_breaks_and_mends_the_sandbox(sandbox, access_token, settings):
    playground = pinterest.playground()
    assert playground.url == f"{settings.PINTEREST_SANDBOX_URL}/"
    assert {"outage", "rate_limit", "drop_answer", "clock"} <= {fault.name for fault in playground.faults()}
    playground.break_it("outage", {"status": 503})
    assert [fault["fault"] for fault in playground.active()] == ["outage"]
    with pytest.raises(errors.Unavailable):
        pinterest.me(access_token)
    playground.mend()
    assert playground.active() == []
    assert pinterest.me(access_token).name == "maple_and_moss"
    seen = playground.requests(sandbox.clock.time() - 60)
    assert [(line["path"], line["status"], line["ads_write"]) for line in seen] == [
        ("/v5/user_account", 503, False),
        ("/v5/user_account", 200, False),
    ]
    with pytest.raises(errors.InvalidSettings):
        playground.break_it("earthquake", {})


def test_the_playground_mends_one_fault_alone_and_counts_what_is_held(sandbox, access_token):
    playground = pinterest.playground()
    first = playground.break_it("outage", {"seconds": 60})
    second = playground.break_it("latency", {"ms": 1})
    assert playground.break_it("clock", {"hours": 1}) is None
    assert [fault.name for fault in playground.faults() if fault.at_once] == [
        "revoke_token",
        "delete_audience",
        "clock",
    ]
    assert all(fault.labels.keys() == fault.parameters.keys() for fault in playground.faults())
    playground.mend(first)
    assert [fault["id"] for fault in playground.active()] == [second]
    playground.mend(name="latency")
    assert playground.active() == []
    known = next(audience for audience in sandbox.world.audiences.values() if audience.customer_list_id)
    assert playground.records(known.id) == sandbox.world.size(known) > 0
    playground.break_it("delete_audience", {"audience_id": known.id})
    assert playground.records(known.id) is None


def test_a_playground_that_is_not_there_is_unavailable(wire):
    with pytest.raises(errors.Unavailable):
        pinterest.playground().faults()


def test_with_an_app_of_ones_own_there_is_no_playground(settings):
    settings.PINTEREST_APP_FROM_ENV = True
    assert pinterest.playground() is None
