"""1,200 audiences, page by page."""

import pytest

from integrations.pinterest.sandbox.sandbox import Sandbox

from .conftest import CATALOGUE, US, Caller

PATH = f"/ad_accounts/{CATALOGUE}/audiences"


@pytest.mark.parametrize(("order", "page_size"), [("ASCENDING", 250), ("DESCENDING", 250), ("ASCENDING", 77)])
def test_every_audience_comes_exactly_once(maple: Caller, order: str, page_size: int) -> None:
    ids: list[int] = []
    query: dict[str, object] = {"order": order, "page_size": page_size}
    while True:
        page = maple("GET", PATH, **query).json()
        ids += [int(item["id"]) for item in page["items"]]
        if page["bookmark"] is None:
            break
        query["bookmark"] = page["bookmark"]
    assert len(ids) == 1_200
    assert ids == sorted(set(ids), reverse=order == "DESCENDING")


def test_a_page_has_25_unless_asked_otherwise(maple: Caller) -> None:
    assert len(maple("GET", PATH).json()["items"]) == 25


@pytest.mark.parametrize("size", ["0", "251", "-1", "ten", "²", "9" * 5_000])
def test_sizes_that_make_no_sense_are_refused(maple: Caller, size: str) -> None:
    assert maple("GET", PATH, wrong=True, page_size=size).status == 400


def test_a_last_page_that_is_full_has_no_bookmark(maple: Caller) -> None:
    page = maple("GET", f"/ad_accounts/{US}/audiences", page_size=9).json()
    assert (len(page["items"]), page["bookmark"]) == (9, None)


def test_audiences_that_come_and_go_between_pages_neither_hide_nor_repeat_others(maple: Caller) -> None:
    path = f"/ad_accounts/{US}/audiences"
    first = maple("GET", path, page_size=4).json()
    for item in first["items"][2:]:
        maple("PATCH", f"{path}/{item['id']}", {"operation_type": "REMOVE"})
    new = maple.create_audience(maple.create_list())
    second = maple("GET", path, page_size=250, bookmark=first["bookmark"]).json()
    assert len(second["items"]) == 6
    assert second["items"][-1]["id"] == new


def test_a_bookmark_belongs_to_its_order(maple: Caller) -> None:
    bookmark = maple("GET", PATH).json()["bookmark"]
    assert maple("GET", PATH, order="DESCENDING", bookmark=bookmark).status == 400


def test_the_big_ad_account_is_varied(sandbox: Sandbox) -> None:
    items = [sandbox.world.audience_json(audience) for audience in sandbox.world.audiences_of(CATALOGUE)]
    assert {item["audience_type"] for item in items} == {"CUSTOMER_LIST", "VISITOR", "ENGAGEMENT", "ACTALIKE"}
    assert {item["status"] for item in items} == {"READY", "TOO_SMALL", "INITIALIZING"}
    assert len({item["name"] for item in items}) == 1_200
    assert all(len(item["id"]) <= 18 for item in items)
