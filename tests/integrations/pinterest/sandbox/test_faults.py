"""Every way to break the sandbox, and that it heals."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from integrations.pinterest.sandbox.catalogue import KINDS
from integrations.pinterest.sandbox.errors import AnswerDropped
from integrations.pinterest.sandbox.facts import HOUR
from integrations.pinterest.sandbox.sandbox import Sandbox
from integrations.pinterest.sandbox.testing import ManualClock

from .conftest import CANADA, MAPLE, NORTHWIND, US, Answer, Caller, digests

Control = Callable[..., Any]
LIST = {"name": "x", "records": "0" * 64}


def raw(sandbox: Sandbox, caller: Caller, path: str = "/user_account") -> Answer:
    """An answer that nobody judges: during a fault Pinterest keeps to no description."""
    headers = {"Authorization": caller.authorization}
    return Answer(*sandbox.answer("GET", f"https://pinterest.test/v5{path}", headers))


@pytest.mark.parametrize(("user", "survivor"), [("maple_and_moss", 200), ("801000000000000001", 200), ("", 401)])
def test_revoke_token(caller: Callable[..., Caller], control: Control, app: Caller, user: str, survivor: int) -> None:
    tokens = control("POST", "tokens", {"pinterest_user": MAPLE})
    maple, northwind = caller(MAPLE), caller(NORTHWIND)
    control("POST", "faults", {"fault": "revoke_token", "pinterest_user": user})
    assert maple("GET", "/user_account").status == 401
    assert northwind("GET", "/user_account").status == survivor
    body = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    assert app("POST", "/oauth/token", body, form=True).status == 401
    assert control("GET", "faults")["faults"] == []
    assert caller(MAPLE)("GET", "/user_account").status == 200


def test_remove_ad_account_access(caller: Callable[..., Caller], control: Control) -> None:
    maple, northwind = caller(MAPLE), caller(NORTHWIND)
    fault = {"fault": "remove_ad_account_access", "ad_account_id": US, "pinterest_user": MAPLE}
    control("POST", "faults", fault)
    assert maple("GET", f"/ad_accounts/{US}").error == (403, 29)
    assert maple("POST", f"/ad_accounts/{US}/customer_lists", LIST).error == (403, 29)
    assert US not in {item["id"] for item in maple("GET", "/ad_accounts").json()["items"]}
    assert maple("GET", f"/ad_accounts/{CANADA}").status == 200
    assert northwind("GET", f"/ad_accounts/{US}").status == 200
    control("DELETE", "faults?fault=remove_ad_account_access")
    assert maple("GET", f"/ad_accounts/{US}").status == 200
    control("POST", "faults", {"fault": "remove_ad_account_access", "ad_account_id": US})
    assert (maple("GET", f"/ad_accounts/{US}").status, northwind("GET", f"/ad_accounts/{US}").status) == (403, 403)


def test_delete_audience(maple: Caller, control: Control) -> None:
    list_id = maple.create_list()
    audience_id = maple.create_audience(list_id)
    control("POST", "faults", {"fault": "delete_audience", "audience_id": audience_id})
    assert maple("GET", f"/ad_accounts/{US}/audiences/{audience_id}").status == 404
    assert maple.change(list_id, "ADD", digests(1)).error == (404, 4)
    control("POST", "faults", {"fault": "delete_audience", "audience_id": audience_id}, status=400)


def test_outage(sandbox: Sandbox, maple: Caller, control: Control, clock: ManualClock) -> None:
    control("POST", "faults", {"fault": "outage", "seconds": 10})
    assert maple("GET", "/user_account").status == 503
    clock.sleep(10)
    assert maple("GET", "/user_account").status == 200
    control("POST", "faults", {"fault": "outage", "status": "500", "html": "true", "path": "/ad_accounts"})
    broken = raw(sandbox, maple, "/ad_accounts")
    assert (broken.status, broken.headers["Content-Type"]) == (500, "text/html; charset=utf-8")
    assert maple("GET", "/user_account").status == 200
    control("DELETE", "faults")
    assert maple("GET", "/ad_accounts").status == 200


def test_rate_limit(maple: Caller, control: Control, clock: ManualClock) -> None:
    list_id = maple.create_list()
    control("POST", "faults", {"fault": "rate_limit", "seconds": 20})
    clock.sleep(4.5)
    refused = maple.change(list_id, "ADD", digests(1))
    assert (refused.error, refused.headers["Retry-After"]) == ((429, 8), "16")
    assert maple("GET", "/user_account").status == 200
    clock.sleep(int(refused.headers["Retry-After"]))
    assert maple.change(list_id, "ADD", digests(1)).status == 200


def test_rate_limit_without_headers(maple: Caller, control: Control) -> None:
    control("POST", "faults", {"fault": "rate_limit", "header": False})
    refused = maple.change("1", "ADD", digests(1))
    assert refused.status == 429
    assert (
        not {"Retry-After", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"} & refused.headers.keys()
    )


def test_rate_limit_with_nothing_but_its_reset(maple: Caller, control: Control) -> None:
    control("POST", "faults", {"fault": "rate_limit", "seconds": 20, "only_reset": True})
    refused = maple.change("1", "ADD", digests(1))
    assert (refused.status, refused.headers["X-RateLimit-Reset"]) == (429, "20")
    assert "Retry-After" not in refused.headers


def test_latency_comes_after_the_work(maple: Caller, control: Control, clock: ManualClock) -> None:
    list_id = maple.create_list()
    control("POST", "faults", {"fault": "latency", "ms": 250})
    before = clock.monotonic()
    assert maple.change(list_id, "ADD", digests(1)).status == 200
    assert clock.monotonic() - before == 0.25
    assert control("GET", "requests")[-1]["duration_ms"] == 250
    assert maple.sandbox.world.customer_lists[list_id].updated == clock.now() - 0.25


@pytest.mark.parametrize(("given", "sent"), [("A" * 40, "a" * 40), ("Ann@example.com", "ann@example.com")])
def test_refuse_record(maple: Caller, sandbox: Sandbox, control: Control, given: str, sent: str) -> None:
    list_id = maple.create_list()
    control("POST", "faults", {"fault": "refuse_record", "digest": given})
    refused = maple.change(list_id, "ADD", f"{digests(2)},{sent}")
    assert refused.error == (400, 1)
    assert sandbox.world.customer_lists[list_id].size() == 1
    assert maple.change(list_id, "ADD", digests(2)).status == 200


def test_cut_applies_nothing(maple: Caller, sandbox: Sandbox, control: Control) -> None:
    list_id = maple.create_list()
    before = set(sandbox.world.customer_lists[list_id].all_records())
    control("POST", "faults", {"fault": "cut", "count": 1})
    with pytest.raises(AnswerDropped):
        maple.change(list_id, "ADD", digests(3))
    assert sandbox.world.customer_lists[list_id].all_records() == before
    assert maple.change(list_id, "ADD", digests(3)).status == 200
    assert [(entry.status, entry.fault) for entry in sandbox.log.requests][-2:] == [(0, "cut"), (200, None)]


def test_drop_answer_applies_first(maple: Caller, sandbox: Sandbox, control: Control) -> None:
    list_id = maple.create_list()
    control("POST", "faults", {"fault": "drop_answer", "count": 2})
    for number in range(2):
        with pytest.raises(AnswerDropped):
            maple.change(list_id, "ADD", digests(1, start=10 + number))
    assert maple.change(list_id, "ADD", digests(1, start=20)).status == 200
    assert sandbox.world.customer_lists[list_id].size() == 4
    logged = control("GET", "requests")
    assert [(entry["status"], entry["fault"]) for entry in logged[-3:]] == [
        (200, "drop_answer"),
        (200, "drop_answer"),
        (200, None),
    ]


def test_what_a_fault_answers_was_sent_by_somebody_all_the_same(
    maple: Caller, sandbox: Sandbox, control: Control
) -> None:
    """The log is the witness of the pace: an outage is no reason to send faster."""
    control("POST", "faults", {"fault": "cut"})
    with pytest.raises(AnswerDropped):
        maple.change("1", "ADD", digests(1))
    control("POST", "faults", {"fault": "outage"})
    assert maple.change("1", "ADD", digests(1)).status == 503
    assert maple("GET", "/ad_accounts").status == 503
    assert raw(sandbox, Caller(sandbox, "Bearer nobody's")).status == 503
    assert [(entry.status, entry.category, entry.pinterest_user) for entry in sandbox.log.requests] == [
        (0, "ads_write", "801000000000000001"),
        (503, "ads_write", "801000000000000001"),
        (503, "ads_read", "801000000000000001"),
        (503, "org_read", None),
    ]


@pytest.mark.parametrize("fault", ["drop_answer", "garbage"])
def test_a_refusal_is_answered_as_it_is(maple: Caller, sandbox: Sandbox, control: Control, fault: str) -> None:
    """What was not applied is not spoiled, and the log says that it was refused, and by whom."""
    list_id = maple.create_list()
    control("POST", "faults", {"fault": fault})
    refused = [maple.change("1", "ADD", digests(1)).status for _ in range(7)]
    assert refused == [404] * 6 + [429]
    control("POST", "faults", {"fault": "rate_limit"})
    assert maple.change(list_id, "ADD", digests(1)).status == 429
    log = [(entry.status, entry.fault) for entry in sandbox.log.requests]
    assert log[-2:] == [(429, None), (429, "rate_limit")]
    left = control("GET", "faults")["faults"][0]
    assert (left["fault"], left["count_left"]) == (fault, 1)


def test_a_change_with_a_broken_answer_happened_once(maple: Caller, sandbox: Sandbox, control: Control) -> None:
    list_id = maple.create_list()
    control("POST", "faults", {"fault": "garbage", "form": "redirect"})
    body = json.dumps({"operation_type": "ADD", "records": digests(3)})
    headers = {"Authorization": maple.authorization, "Content-Type": "application/json"}
    path = f"https://pinterest.test/v5/ad_accounts/{US}/customer_lists/{list_id}"
    assert sandbox.answer("PATCH", path, headers, body)[0] == 302
    history = sandbox.world.customer_lists[list_id].history
    assert [(done.operation, done.records, done.status) for done in history] == [("CREATE", 1, 200), ("ADD", 3, 200)]


def test_garbage(maple: Caller, sandbox: Sandbox, control: Control) -> None:
    control("POST", "faults", {"fault": "garbage"})
    answer = raw(sandbox, maple)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    with pytest.raises(json.JSONDecodeError):
        answer.json()
    assert maple("GET", "/user_account").status == 200


@pytest.mark.parametrize(
    ("form", "status", "begins"),
    [("html", 200, b"<!doctype html>"), ("error", 200, b'{"code": 12,'), ("redirect", 302, b"<!doctype html>")],
)
def test_garbage_of_other_forms(
    maple: Caller, sandbox: Sandbox, control: Control, form: str, status: int, begins: bytes
) -> None:
    control("POST", "faults", {"fault": "garbage", "form": form})
    answer = raw(sandbox, maple)
    assert (answer.status, answer.body[: len(begins)]) == (status, begins)
    assert ("Location" in answer.headers) == (form == "redirect")
    assert maple("GET", "/user_account").status == 200
    control("POST", "faults", {"fault": "garbage", "form": "poem"}, status=400)


def test_terms(maple: Caller, control: Control) -> None:
    control("POST", "faults", {"fault": "terms", "ad_account_id": US})
    refused = maple("POST", f"/ad_accounts/{US}/customer_lists", LIST)
    assert refused.status == 403
    assert "Terms of Service" in refused.json()["message"]
    assert maple("GET", f"/ad_accounts/{US}/audiences").status == 200
    assert maple("POST", f"/ad_accounts/{CANADA}/customer_lists", LIST).status == 200
    control("DELETE", "faults")
    assert maple("POST", f"/ad_accounts/{US}/customer_lists", LIST).status == 200


def test_clock(maple: Caller, sandbox: Sandbox, control: Control) -> None:
    audience_id = maple.create_audience(maple.create_list(records=digests(150)))
    control("POST", "faults", {"fault": "clock"})
    assert maple("GET", f"/ad_accounts/{US}/audiences/{audience_id}").json()["size"] == 150
    assert sandbox.clock.now() - sandbox.clock.time() == 24 * HOUR
    control("POST", "faults", {"fault": "clock", "hours": 29 * 24})
    assert maple("GET", "/user_account").status == 401


def test_a_jump_does_not_end_an_outage(maple: Caller, control: Control) -> None:
    control("POST", "faults", {"fault": "outage", "seconds": 60})
    control("POST", "faults", {"fault": "clock"})
    assert maple("GET", "/user_account").status == 503


def test_the_catalogue_lists_every_fault(control: Control) -> None:
    answer = control("POST", "faults", {"name": "outage"})
    assert [fault["fault"] for fault in answer["faults"]] == ["outage"]
    assert {entry["fault"] for entry in answer["catalogue"]} == {kind.name for kind in KINDS}
    second = control("POST", "faults", {"type": "latency", "ms": 1})["faults"][1]
    control("DELETE", f"faults?id={second['id']}")
    assert [fault["fault"] for fault in control("GET", "faults")["faults"]] == ["outage"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"fault": "earthquake"},
        {"fault": "outage", "name": "outage"},
        {"fault": "outage", "status": 200},
        {"fault": "outage", "seconds": "long"},
        {"fault": "outage", "seconds": -1},
        {"fault": "outage", "html": "maybe"},
        {"fault": "outage", "until": "tomorrow"},
        {"fault": "latency"},
        {"fault": "delete_audience", "audience_id": "x"},
        {"fault": "delete_audience", "audience_id": "1"},
        {"fault": "terms", "ad_account_id": "1"},
        {"fault": "revoke_token", "pinterest_user": "nobody"},
        {"fault": "refuse_record", "digest": "ann"},
    ],
)
def test_faults_that_make_no_sense_are_refused(control: Control, body: dict[str, Any]) -> None:
    control("POST", "faults", body, status=400)
    assert control("GET", "faults")["faults"] == []
