"""Who may do what: scopes of the token, roles in the ad account."""

from collections.abc import Callable

import pytest

from .conftest import CANADA, INTERIORS, KESTREL, LAB, MAPLE, NORTHWIND, SUNDAY, US, Caller

LIST = {"name": "x", "records": "0" * 64}


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/user_account", "user_accounts:read"),
        ("GET", "/ad_accounts", "ads:read"),
        ("GET", f"/ad_accounts/{US}", "ads:read"),
        ("GET", f"/ad_accounts/{US}/audiences", "ads:read"),
        ("GET", f"/ad_accounts/{US}/audiences/2542620600007", "ads:read"),
        ("GET", f"/ad_accounts/{US}/customer_lists", "ads:read"),
        ("GET", f"/ad_accounts/{US}/customer_lists/643000000003", "ads:read"),
        ("POST", f"/ad_accounts/{US}/audiences", "ads:write"),
        ("PATCH", f"/ad_accounts/{US}/audiences/2542620600007", "ads:write"),
        ("POST", f"/ad_accounts/{US}/customer_lists", "ads:write"),
        ("PATCH", f"/ad_accounts/{US}/customer_lists/643000000003", "ads:write"),
    ],
)
def test_every_endpoint_needs_its_scope(caller: Callable[..., Caller], method: str, path: str, scope: str) -> None:
    others = tuple({"user_accounts:read", "ads:read", "ads:write"} - {scope})
    body = {} if method != "GET" else None
    refused = caller(MAPLE, others)(method, path, body, wrong=True)
    assert refused.error == (403, 29)
    assert scope in refused.json()["message"]
    assert caller(MAPLE, (scope,))(method, path, body, wrong=True).status in (200, 400)


@pytest.mark.parametrize(
    ("user", "ad_account_id", "reads", "writes"),
    [
        (MAPLE, US, 200, 200),  # owner
        (NORTHWIND, US, 200, 200),  # admin
        (NORTHWIND, CANADA, 200, 200),  # audience manager
        (MAPLE, SUNDAY, 200, 200),  # audience manager
        (MAPLE, KESTREL, 200, 403),  # analyst
        (MAPLE, INTERIORS, 403, 403),  # stranger
        (NORTHWIND, LAB, 403, 403),  # stranger
    ],
)
def test_roles(caller: Callable[..., Caller], user: str, ad_account_id: str, reads: int, writes: int) -> None:
    person = caller(user)
    assert person("GET", f"/ad_accounts/{ad_account_id}").status == reads
    assert person("GET", f"/ad_accounts/{ad_account_id}/audiences").status == reads
    assert person("POST", f"/ad_accounts/{ad_account_id}/customer_lists", LIST).status == writes


def test_each_person_sees_the_ad_accounts_they_reach(caller: Callable[..., Caller]) -> None:
    reached = {
        user: {item["id"] for item in caller(user)("GET", "/ad_accounts").json()["items"]}
        for user in (MAPLE, NORTHWIND)
    }
    assert reached[MAPLE] - reached[NORTHWIND] == {LAB}
    assert reached[NORTHWIND] - reached[MAPLE] == {INTERIORS}
    assert len(reached[MAPLE] & reached[NORTHWIND]) == 6


def test_a_list_is_found_in_its_own_ad_account_only(maple: Caller) -> None:
    list_id = maple.create_list(CANADA)
    assert maple("GET", f"/ad_accounts/{US}/customer_lists/{list_id}").status == 404
    body = {"name": "x", "audience_type": "CUSTOMER_LIST", "rule": {"customer_list_id": list_id}}
    assert maple("POST", f"/ad_accounts/{US}/audiences", body).status == 400
    assert maple("POST", f"/ad_accounts/{CANADA}/audiences", body).status == 200
