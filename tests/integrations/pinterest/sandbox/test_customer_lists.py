"""What a list holds, what is counted, and what is refused as a whole."""

import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from integrations.pinterest.sandbox.facts import DAY
from integrations.pinterest.sandbox.limits import Limits, Windows
from integrations.pinterest.sandbox.sandbox import Sandbox
from integrations.pinterest.sandbox.testing import ManualClock

from .conftest import US, Caller, digests

SHA256, SHA1, MD5 = "a" * 64, "b" * 40, "c" * 32


@pytest.fixture(autouse=True)
def unhurried(sandbox: Sandbox) -> None:
    sandbox.windows = Windows(Limits(writes_per_second=1_000, writes_per_minute=10_000))


def test_adding_and_removing_twice_changes_only_the_counters(maple: Caller, sandbox: Sandbox) -> None:
    list_id = maple.create_list(records=SHA256)
    for _ in range(2):
        maple.change(list_id, "ADD", f"{SHA1},{MD5},{SHA256}")
    for _ in range(2):
        answer = maple.change(list_id, "REMOVE", f"{SHA1},{'d' * 64}").json()
    assert sandbox.world.customer_lists[list_id].records == {bytes.fromhex(SHA256), bytes.fromhex(MD5)}
    assert (answer["num_uploaded_user_records"], answer["num_removed_user_records"], answer["num_batches"]) == (7, 4, 5)


def test_plain_emails_are_hashed_and_a_trailing_comma_is_fine(maple: Caller, control: Callable[..., Any]) -> None:
    list_id = maple.create_list(records=f"ann@example.com,{MD5},")
    ann = hashlib.sha256(b"ann@example.com").hexdigest()
    assert control("GET", f"customer_lists/{list_id}/records").split() == sorted([ann, MD5])
    maple.change(list_id, "REMOVE", ann)
    assert control("GET", f"customer_lists/{list_id}/records") == f"{MD5}\n"


@pytest.mark.parametrize(
    "wrong",
    [
        "Ann@example.com",
        "A" * 64,
        "a" * 63,
        "a" * 65,
        "g" * 64,
        "ann",
        "ann@example",
        " ann@example.com",
        "",
        "ａ" * 64,
        "00000000-0000-0000-0000-000000000001",
        "a" * 31 + "\n",
    ],
)
def test_one_wrong_record_refuses_them_all(maple: Caller, sandbox: Sandbox, wrong: str) -> None:
    list_id = maple.create_list()
    refused = maple.change(list_id, "ADD", f"{SHA256},{SHA1},{wrong},{MD5}")
    assert refused.error == (400, 1)
    assert "Record 3 " in refused.json()["message"]
    assert not wrong.strip() or wrong.strip() not in refused.json()["message"]
    assert sandbox.world.customer_lists[list_id].size() == 1


def test_1900_records_are_taken_and_1901_are_not(maple: Caller, sandbox: Sandbox) -> None:
    list_id = maple.create_list()
    assert maple.change(list_id, "ADD", digests(1_900) + ",").status == 200
    assert maple.change(list_id, "ADD", digests(1_901, start=5_000)).error == (413, 413)
    assert sandbox.world.customer_lists[list_id].size() == 1_901


def test_a_list_of_the_start_can_be_emptied_by_its_own_records(maple: Caller, control: Callable[..., Any]) -> None:
    before = control("GET", "customer_lists/643000000003/records").split()
    first = next(
        audience for audience in control("GET", f"audiences?ad_account_id={US}") if audience["customer_list_id"]
    )
    assert len(before) == first["size"]
    for start in range(0, len(before), 1_900):
        assert maple.change("643000000003", "REMOVE", ",".join(before[start : start + 1_900])).status == 200
    assert control("GET", "customer_lists/643000000003/records") == ""


def test_sizes_are_late_and_hidden_under_100(maple: Caller, clock: ManualClock, control: Callable[..., Any]) -> None:
    list_id = maple.create_list()
    audience_id = maple.create_audience(list_id)

    def shown() -> tuple[str, str, int | None, int]:
        audience = maple("GET", f"/ad_accounts/{US}/audiences/{audience_id}").json()
        customer_list = maple("GET", f"/ad_accounts/{US}/customer_lists/{list_id}").json()
        [true] = [known for known in control("GET", "audiences") if known["id"] == audience_id]
        assert true["reported_size"] == audience["size"]
        return customer_list["status"], audience["status"], audience["size"], true["size"]

    maple.change(list_id, "ADD", digests(98))
    assert shown() == ("PROCESSING", "INITIALIZING", None, 99)
    clock.sleep(DAY - 1)
    assert shown() == ("PROCESSING", "INITIALIZING", None, 99)
    clock.sleep(1)
    assert shown() == ("TOO_SMALL", "TOO_SMALL", None, 99)
    maple.change(list_id, "ADD", digests(99))
    assert shown() == ("TOO_SMALL", "TOO_SMALL", None, 100)
    clock.sleep(DAY)
    assert shown() == ("READY", "READY", 100, 100)
    maple.change(list_id, "REMOVE", digests(50))
    assert shown() == ("READY", "READY", 100, 50)
    clock.sleep(DAY)
    assert shown() == ("TOO_SMALL", "TOO_SMALL", None, 50)


def test_the_size_of_a_busy_list_is_yesterdays_and_cheap(maple: Caller, clock: ManualClock, sandbox: Sandbox) -> None:
    list_id = maple.create_list()
    known = sandbox.world.customer_lists[list_id]
    for number in range(2 * 24 * 6):
        clock.sleep(600)
        sandbox.world.change_records(id=list_id, operation="ADD", records=digests(10, number * 10), at=clock.now())
    assert known.size() == 2 * 24 * 6 * 10 + 1
    assert known.reported_size(clock.now()) == 24 * 6 * 10 + 1
    assert len(known.sizes) <= 24 * 6 + 1
