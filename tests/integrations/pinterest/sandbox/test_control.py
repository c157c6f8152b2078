"""The sandbox's own side, for scripts."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from integrations.pinterest.sandbox.sandbox import Sandbox
from integrations.pinterest.sandbox.testing import ManualClock
from integrations.pinterest.sandbox.world import World

from .conftest import CATALOGUE, MAPLE, NORTHWIND, US, Answer, Caller, digests

Control = Callable[..., Any]


def test_audiences_tell_what_is_truly_in_them(maple: Caller, control: Control) -> None:
    list_id = maple.create_list()
    audience_id = maple.create_audience(list_id, name="Ann’s")
    maple.change(list_id, "ADD", digests(20))
    maple.change(list_id, "REMOVE", "ann", wrong=True)
    [audience] = control("GET", "audiences?name=Ann%E2%80%99s")
    assert (audience["id"], audience["ad_account_id"], audience["customer_list_id"]) == (audience_id, US, list_id)
    assert (audience["size"], audience["reported_size"], audience["status"]) == (21, None, "INITIALIZING")
    history = [(done["operation"], done["records"], done["status"]) for done in audience["history"]]
    assert history == [("CREATE", 1, 200), ("ADD", 20, 200), ("REMOVE", 1, 400)]
    assert len(control("GET", f"audiences?ad_account_id={CATALOGUE}")) == 1_200


def test_records_are_sorted_digests_one_a_line(maple: Caller, control: Control) -> None:
    list_id = maple.create_list(records="f" * 32)
    maple.change(list_id, "ADD", digests(3))
    assert control("GET", f"customer_lists/{list_id}/records").splitlines() == [*digests(3).split(","), "f" * 32]
    control("GET", "customer_lists/1/records", status=404)


def test_requests_since(maple: Caller, control: Control, clock: ManualClock) -> None:
    started = clock.time()
    maple("GET", "/user_account")
    clock.sleep(10)
    list_id = maple.create_list()
    maple.change(list_id, "ADD", digests(5))
    last = control("GET", "requests?since=5")[-1]
    assert last["time"] == started + 10
    assert (last["pinterest_user"], last["method"], last["status"]) == ("801000000000000001", "PATCH", 200)
    assert (last["path"], last["records"]) == (f"/v5/ad_accounts/{US}/customer_lists/{list_id}", 5)
    assert (last["operation"], last["category"], last["duration_ms"]) == ("ADD", "ads_write", 0)
    for since, count in ((5, 2), (10, 3), (started, 3), (started + 1, 2)):
        assert len(control("GET", f"requests?since={since}")) == count
    assert len(control("GET", "requests")) == 3
    control("GET", "requests?since=yesterday", status=400)


def test_a_form_is_as_good_as_json(sandbox: Sandbox) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    body = "pinterest_user=northwind_media&scopes=ads:read&scopes=ads:write"
    status, _, answer = sandbox.answer("POST", "/_control/tokens", headers, body)
    assert (status, json.loads(answer)["scope"]) == (200, "ads:read ads:write")


def test_tokens(control: Control) -> None:
    given = control("POST", "tokens", {"pinterest_user": MAPLE})
    assert (given["scope"], given["pinterest_user"]) == ("ads:read ads:write user_accounts:read", "801000000000000001")
    assert control("POST", "tokens", {"pinterest_user": NORTHWIND, "scopes": "ads:read"})["scope"] == "ads:read"
    control("POST", "tokens", {"pinterest_user": "nobody"}, status=400)
    control("POST", "tokens", {"pinterest_user": MAPLE, "scopes": "world:rule"}, status=400)
    control("POST", "tokens", {"pinterest_user": MAPLE, "scopes": 5}, status=400)


def test_faults_are_cleared_by_a_number_that_is_one(control: Control) -> None:
    control("POST", "faults", {"fault": "outage"})
    for id in ("0", "2"):
        assert control("DELETE", f"faults?id={id}")["cleared"] == 0
    control("DELETE", f"faults?id={'9' * 5_000}", status=400)
    assert control("DELETE", "faults?id=1")["cleared"] == 1


def test_somebody_who_is_let_in_no_longer_has_no_token(sandbox: Sandbox, control: Control) -> None:
    sandbox.world.welcome(1)
    token = control("POST", "tokens", {"pinterest_user": "person_1"})["access_token"]
    asks = ("GET", "/v5/user_account", {"Authorization": f"Bearer {token}"})
    assert sandbox.answer(*asks)[0] == 200
    sandbox.world = World(clock=sandbox.clock)
    sandbox.log.requests.clear()
    assert sandbox.answer(*asks)[0] == 401
    assert sandbox.answer("GET", "/requests")[0] == 200


def test_reset_makes_the_world_as_at_the_start(maple: Caller, control: Control, sandbox: Sandbox) -> None:
    def world() -> list[dict[str, Any]]:
        return [audience | {"history": None} for audience in control("GET", "audiences")]

    before = world()
    list_id = maple.create_list()
    maple.create_audience(list_id)
    control("POST", "faults", {"fault": "delete_audience", "audience_id": before[0]["id"]})
    control("POST", "faults", {"fault": "latency", "ms": 1})
    control("POST", "faults", {"fault": "clock", "hours": 48})
    assert world() != before
    health = control("POST", "reset")
    assert world() == before
    assert (health["requests"], health["faults"], health["jumped_hours"]) == (0, 0, 0)
    assert maple("GET", "/user_account").status == 401
    assert control("POST", "tokens", {"pinterest_user": MAPLE})


@pytest.mark.parametrize(("method", "path"), [("POST", "health"), ("DELETE", "tokens"), ("GET", "reset")])
def test_other_methods_are_refused(control: Control, method: str, path: str) -> None:
    control(method, path, status=405)


def test_bodies_that_cannot_be_read_are_refused(sandbox: Sandbox) -> None:
    for body in ("{", "[]", "[" * 100_000):
        answer = Answer(*sandbox.answer("POST", "/_control/faults", {"Content-Type": "application/json"}, body))
        assert answer.status == 400


def test_two_sandboxes_share_nothing(control: Control, sandbox: Sandbox) -> None:
    other = Sandbox()
    control("POST", "faults", {"fault": "outage"})
    assert other.answer("GET", "/v5/user_account")[0] == 401
    assert sandbox.answer("GET", "/v5/user_account")[0] == 503
