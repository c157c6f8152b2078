"""7 writes in any second and 400 in any minute, per Pinterest user, by time of arrival."""

from collections.abc import Callable
from typing import Any

import pytest

from integrations.pinterest.sandbox.limits import Limits, Windows
from integrations.pinterest.sandbox.sandbox import Sandbox
from integrations.pinterest.sandbox.testing import ManualClock

from .conftest import MAPLE, NORTHWIND, US, Caller, digests


def allowed(windows: Windows, arrivals: list[float], user: str = "ann") -> list[bool]:
    return [windows.admit(user, "ads_write", at).allowed for at in arrivals]


def test_the_eighth_write_in_a_second_is_refused() -> None:
    assert allowed(Windows(Limits()), [0.0] * 8) == [True] * 7 + [False]


@pytest.mark.parametrize(("at", "passes"), [(0.999, False), (1.0, True), (1.1, True)])
def test_a_second_ends_exactly_a_second_later(at: float, passes: bool) -> None:
    windows = Windows(Limits())
    allowed(windows, [0.0] * 7)
    assert allowed(windows, [at]) == [passes]


def test_a_window_slides_and_does_not_start_anew_with_the_clocks_second() -> None:
    assert allowed(Windows(Limits()), [0.9] * 7 + [1.1, 1.89, 1.9]) == [True] * 7 + [False, False, True]


def test_the_401st_write_in_a_minute_is_refused() -> None:
    windows = Windows(Limits())
    every_150_ms = [number * 0.150 for number in range(400)]
    assert all(allowed(windows, every_150_ms))
    assert allowed(windows, [59.999, 60.0]) == [False, True]


def test_one_write_every_150_ms_is_never_refused() -> None:
    assert all(allowed(Windows(Limits()), [number * 150 / 1000 for number in range(2_000)]))


def test_refused_writes_take_no_room() -> None:
    windows = Windows(Limits())
    allowed(windows, [0.0] * 7 + [0.1] * 100)
    assert allowed(windows, [1.0] * 7) == [True] * 7


def test_people_and_categories_have_windows_of_their_own() -> None:
    windows = Windows(Limits(reads_per_minute=2))
    allowed(windows, [0.0] * 7)
    assert allowed(windows, [0.0], user="bob") == [True]
    reads = [windows.admit("ann", "ads_read", 0.0).allowed for _ in range(3)]
    assert reads == [True, True, False]


def test_requests_that_overtake_each_other_are_still_counted() -> None:
    assert allowed(Windows(Limits()), [0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.01, 0.6]) == [True] * 7 + [False]


def test_the_refusal_says_when_to_come_back(maple: Caller, clock: ManualClock) -> None:
    list_id = maple.create_list()
    answers = [maple.change(list_id, "ADD", digests(1)) for _ in range(7)]
    assert [answer.status for answer in answers] == [200] * 6 + [429]
    assert answers[-1].json()["code"] == 8
    assert answers[0].headers["X-RateLimit-Limit"] == "7"
    assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["5", "4", "3", "2", "1", "0", "0"]
    refused = answers[-1].headers
    assert (refused["Retry-After"], refused["X-RateLimit-Reset"]) == ("1", "1")
    clock.sleep(int(refused["Retry-After"]))
    assert maple.change(list_id, "ADD", digests(1)).status == 200


def test_the_minute_is_named_when_it_is_the_minute(maple: Caller, clock: ManualClock) -> None:
    list_id = maple.create_list()
    for _ in range(399):
        clock.sleep(0.15)
        assert maple.sandbox.windows.admit("801000000000000001", "ads_write", clock.monotonic()).allowed
    clock.sleep(0.1)
    refused = maple.change(list_id, "ADD", digests(1))
    assert refused.status == 429
    assert refused.headers["X-RateLimit-Limit"] == "400"
    assert int(refused.headers["Retry-After"]) == 1


def test_a_minute_spent_in_one_go_takes_a_minute_to_come_back() -> None:
    windows = Windows(Limits(writes_per_second=1_000))
    allowed(windows, [0.0] * 400)
    assert windows.admit("ann", "ads_write", 0.5).retry_after == 60


def test_all_tokens_of_a_person_share_the_limit(caller: Callable[..., Caller]) -> None:
    list_id = caller(MAPLE).create_list()
    answers = [caller(MAPLE).change(list_id, "ADD", digests(1)).status for _ in range(7)]
    assert answers == [200] * 6 + [429]
    assert caller(NORTHWIND).change(list_id, "ADD", digests(1)).status == 200


def test_every_write_counts_even_one_that_fails(maple: Caller) -> None:
    for _ in range(7):
        assert maple.change("1", "ADD", digests(1)).status == 404
    assert maple.change("1", "ADD", digests(1)).status == 429


def test_reads_and_writes_do_not_count_against_each_other(maple: Caller) -> None:
    list_id = maple.create_list()
    for _ in range(20):
        assert maple("GET", f"/ad_accounts/{US}/customer_lists/{list_id}").status == 200
    assert maple.change(list_id, "ADD", digests(1)).status == 200


def test_every_answer_carries_the_figures(sandbox: Sandbox, maple: Caller, app: Caller) -> None:
    answers = [
        maple("GET", "/user_account"),
        maple("GET", "/ad_accounts/1"),
        app("POST", "/oauth/token", {}, form=True, wrong=True),
        Caller(sandbox, "Bearer x")("GET", "/user_account"),
    ]
    for answer in answers:
        assert answer.headers.keys() >= {"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"}


def test_refused_requests_are_logged(maple: Caller, control: Callable[..., Any]) -> None:
    list_id = maple.create_list()
    for _ in range(7):
        maple.change(list_id, "ADD", digests(3))
    logged = control("GET", "requests")
    assert [entry["status"] for entry in logged] == [200] * 7 + [429]
    assert {entry["category"] for entry in logged} == {"ads_write"}


def test_nothing_is_applied_when_refused(maple: Caller, sandbox: Sandbox) -> None:
    list_id = maple.create_list()
    for number in range(8):
        maple.change(list_id, "ADD", digests(1, start=number))
    assert sandbox.world.customer_lists[list_id].size() == 1 + 6


# --- trial access: one more window, for the whole app ----------------------------------------------------------


@pytest.fixture
def on_trial(sandbox: Sandbox) -> Sandbox:
    sandbox.windows = Windows(Limits(trial_calls=20, trial_seconds=86_400))
    sandbox.limits = sandbox.windows.limits
    return sandbox


def test_a_trial_counts_all_people_and_all_categories_together(
    on_trial: Sandbox, caller: Callable[..., Caller], app: Caller, clock: ManualClock
) -> None:
    for _ in range(9):
        assert caller(MAPLE)("GET", "/user_account").status == 200
        assert caller(NORTHWIND)("GET", "/ad_accounts").status == 200
    caller(MAPLE).create_list()
    app("POST", "/oauth/token", {"grant_type": "refresh_token", "refresh_token": "x"}, form=True)
    refused = caller(NORTHWIND)("GET", "/user_account")
    assert refused.error == (429, 8)
    assert refused.headers["X-RateLimit-Limit"] == "20"
    assert refused.headers["Retry-After"] == "86400"
    clock.sleep(3600)
    assert caller(MAPLE)("GET", "/user_account").headers["Retry-After"] == "82800"


def test_a_trials_day_passes_with_a_jump_of_the_clock(
    on_trial: Sandbox, maple: Caller, control: Callable[..., Any]
) -> None:
    for _ in range(20):
        assert maple("GET", "/user_account").status == 200
    assert maple("GET", "/user_account").status == 429
    assert control("GET", "health")["trial_calls_used"] == 20
    control("POST", "faults", {"fault": "clock", "hours": 24})
    assert maple("GET", "/user_account").status == 200
    assert control("GET", "health")["trial_calls_used"] == 1


def test_the_panel_tells_how_much_of_the_day_is_used(on_trial: Sandbox, maple: Caller) -> None:
    maple("GET", "/user_account")
    status, _, page = on_trial.answer("GET", "/control")
    assert status == 200
    assert "Trial access: 1 of 20 requests used in the last 24 hours" in page.decode()


def test_standard_access_has_no_such_window(sandbox: Sandbox, maple: Caller, control: Callable[..., Any]) -> None:
    assert (control("GET", "health")["trial_calls"], control("GET", "health")["trial_calls_used"]) == (None, 0)
    assert b"Trial access" not in sandbox.answer("GET", "/control")[2]
