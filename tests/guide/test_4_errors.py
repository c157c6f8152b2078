"""What Pinterest answers, what becomes of the users, and what people read (product page, section 5).

Each row of the table is done by the sandbox, and goes the whole road: request, batch, reason, page.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from integrations import audiences, telling
from integrations.delivery import claiming, sending
from integrations.delivery.limits import limits_of
from integrations.delivery.pacing import pace_of, seconds_to_next_slot
from integrations.errors import MEANINGS
from integrations.models import AdAccount, Attempt, Audience, Batch, Connection, Pace
from integrations.pinterest import limits
from integrations.reasons import ERRORS, reason
from tests.guide.conftest import canvas_of, connect, launch, metrics, profile, wait
from tests.helpers import deliver, later
from tests.integrations.test_partner_pages import text_of
from tests.workers import until

LISTS = "/customer_lists"
HOURS = timedelta(hours=13)


@dataclass
class Place:
    """A launched Canvas that has nobody pending, and the sandbox it feeds."""

    pinterest: object
    audience: Audience
    monkeypatch: pytest.MonkeyPatch

    @property
    def connection(self) -> Connection:
        return Connection.objects.get()

    def breaks(self, fault: str, **parameters: object) -> None:
        self.pinterest.breaks(fault, **parameters)


@dataclass(frozen=True)
class Row:
    """An answer of Pinterest's, who makes it so, and what it means."""

    name: str
    happens: Callable[[Place], None]
    code: str  # errors.py
    status: int | None  # of the batch
    leaves: str = ""  # what is out of order then
    mends: bool = True  # when the sandbox is mended, users are sent


def outage(status: int, path: str = LISTS, **parameters: object) -> Callable[[Place], None]:
    return lambda place: place.breaks("outage", status=status, path=path, **parameters)


def fault(name: str, **parameters: object) -> Callable[[Place], None]:
    return lambda place: place.breaks(name, **parameters)


def refused_refresh(place: Place) -> None:
    Connection.objects.update(access_expires_at=timezone.now())
    place.breaks("outage", status=400, path="/oauth/token")


def no_rights(place: Place) -> None:
    place.breaks("remove_ad_account_access", ad_account_id=place.audience.ad_account.external_id)


def deleted(place: Place) -> None:
    place.breaks("delete_audience", audience_id=place.audience.external_id)


def removed_in_ads_manager(place: Place) -> None:
    """Ads Manager removes the audience; the list that it stood on goes on taking users."""
    place.pinterest.sandbox.world.remove_audience(id=place.audience.external_id, with_list=False)
    audiences.refresh(place.audience.ad_account, later(minutes=16))


def audience_not_found(place: Place) -> None:
    Audience.objects.update(state="gone", failure="audience_gone")
    place.breaks("outage", status=404, path="/audiences/")


def terms(place: Place) -> None:
    place.breaks("terms", ad_account_id=place.audience.ad_account.external_id)


def too_slow(place: Place) -> None:
    place.monkeypatch.setattr(limits, "READ_TIMEOUT_SECONDS", 0.2)
    place.breaks("latency", ms=600, path=LISTS)


ROWS = (
    Row("401", fault("revoke_token"), "invalid_token", 401, "connection", mends=False),
    Row("failed refresh", refused_refresh, "invalid_token", 400, "connection", mends=False),
    Row("403 on the ad account", no_rights, "ad_account_access", 403, "ad account"),
    Row("404 on the list", outage(404), "audience_gone", 404, "audience"),
    Row("404 on the audience", audience_not_found, "audience_gone", 404, "audience"),
    Row("audience and list deleted", deleted, "audience_gone", 404, "audience", mends=False),
    Row("audience removed in Ads Manager", removed_in_ads_manager, "audience_gone", 404, "audience", mends=False),
    Row("terms", terms, "terms_not_accepted", 403),
    Row("500", outage(500), "partner_unavailable", 500),
    Row("502 as a web page", outage(502, html=True), "partner_unavailable", 502),
    Row("503", outage(503), "partner_unavailable", 503),
    Row("401 as a web page", outage(401, html=True), "partner_unavailable", 401),
    Row("404 as a web page", outage(404, html=True), "partner_unavailable", 404),
    Row("timeout", too_slow, "partner_unavailable", None),
    Row("connection cut", fault("cut", path=LISTS), "partner_unavailable", None),
    Row("answer lost", fault("drop_answer", path=LISTS), "partner_unavailable", None),
    Row("broken JSON", fault("garbage", path=LISTS), "partner_unavailable", 200),
    Row("HTML instead of JSON", fault("garbage", path=LISTS, form="html"), "partner_unavailable", 200),
    Row("redirect", fault("garbage", path=LISTS, form="redirect"), "partner_unavailable", 302),
    Row("200 with an error inside", fault("garbage", path=LISTS, form="error"), "partner_unavailable", 200),
    Row("409", outage(409), "invalid_settings", 409),
    Row("400", outage(400), "record_refused", 400),
    Row("413", outage(413), "record_refused", 413),
    Row("413 as a web page", outage(413, html=True), "record_refused", 413),
    Row("422", outage(422), "record_refused", 422),
    Row("429 with Retry-After", fault("rate_limit", seconds=1), "rate_limited", 429),
    Row("429 with X-RateLimit-Reset", fault("rate_limit", seconds=1, only_reset=True), "rate_limited", 429),
    Row("429 without a header", fault("rate_limit", seconds=1, header=False), "rate_limited", 429),
)
MEANING = {kind.code: meaning for kind, meaning in MEANINGS.items() if kind.__name__ != "PartnerError"}


@pytest.fixture
def browser(alice) -> Client:
    client = Client()
    client.force_login(alice)
    return client


def state_of(place: Place) -> dict[str, str]:
    return {
        "connection": Connection.objects.get().state,
        "ad account": AdAccount.objects.get(pk=place.audience.ad_account_id).state,
        "audience": Audience.objects.get(pk=place.audience.pk).state,
    }


WELL = {"connection": "connected", "ad account": "connected", "audience": "ready"}
OUT_OF_ORDER = {"connection": "broken", "ad account": "lost", "audience": "gone"}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_an_answer_of_pinterest(row, pinterest, connected, shop, alice, browser, monkeypatch):
    profile(shop, "ann", email="ann@example.com")
    canvas = canvas_of(shop, alice, ("add", "Winter buyers", "email"))
    step = canvas.steps.select_related("sync__audience__ad_account").get()
    launch(canvas, alice)
    Attempt.objects.all().delete()  # of the creation
    place = Place(pinterest, step.sync.audience, monkeypatch)
    row.happens(place)
    deliver()

    is_final = not MEANING[row.code].retried
    assert (metrics(canvas)["pending"], metrics(canvas)["errored"]) == ((0, 1) if is_final else (1, 0))
    batch = Batch.objects.get()
    assert (batch.reason, batch.http_status) == (row.code, row.status)
    assert batch.gives_up_at - batch.oldest_entered_at >= HOURS
    assert (batch.gives_up_at - batch.oldest_entered_at == HOURS) == MEANING[row.code].spends
    assert state_of(place) == WELL | ({row.leaves: OUT_OF_ORDER[row.leaves]} if row.leaves else {})

    said = reason(row.code, "Pinterest")
    for address in (
        reverse("canvas:step_analytics", args=["shop", canvas.pk, step.pk]),
        reverse("canvas:batch", args=["shop", batch.pk]),
    ):
        page = text_of(browser.get(address))
        assert str(said.name) in page
        assert str(said.cause) in page
        assert str(said.way_out) in page

    monkeypatch.undo()
    pinterest.mends()
    if row.mends and not is_final:
        wait(minutes=11)
        assert metrics(canvas)["synced"] == 1
        assert pinterest.audiences() == {"Winter buyers": 1}
        assert state_of(place) == WELL
    elif not is_final:
        wait(minutes=11)
        assert metrics(canvas)["pending"] == 1
        wait(hours=13, minutes=1)
        assert metrics(canvas)["errored"] == 1
        assert dict(step.sync.reasons.values_list("reason", "users")) == {row.code: 1}


def test_every_error_that_a_user_can_end_with_has_a_row():
    assert {row.code for row in ROWS} == set(ERRORS) - {"audience_too_small"}  # that one is a state, not an answer


def test_a_dead_token_is_told_once_by_letter_and_no_other_error_is(pinterest, connected, shop, alice):
    profile(shop, "ann", email="ann@example.com")
    launch(canvas_of(shop, alice, ("add", "Winter buyers", "email")), alice)
    for broken in ({"status": 503}, {"status": 404}, {"status": 403}):
        pinterest.breaks("outage", path=LISTS, **broken)
        wait(minutes=11)
        pinterest.mends()
    assert telling.tell_of_breaks(timezone.now()) == 0
    pinterest.breaks("revoke_token")
    wait(minutes=40)
    assert Connection.objects.get().state == "broken"
    assert telling.tell_of_breaks(timezone.now()) == 1
    assert telling.tell_of_breaks(timezone.now()) == 0
    assert [sent.to for sent in mail.outbox] == [["alice@example.com"]]


def test_a_dead_token_is_refreshed_and_both_requests_are_kept(pinterest, connected, shop, alice, browser):
    profile(shop, "ann", email="ann@example.com")
    canvas = launch(canvas_of(shop, alice, ("add", "Winter buyers", "email")), alice)
    pinterest.sandbox.tokens.revoke(Connection.objects.get().access_token)
    deliver()
    batch = Batch.objects.get()
    assert (batch.state, batch.http_status) == ("accepted", 200)
    kept = Attempt.objects.filter(batch=batch).order_by("pk")
    assert list(kept.values_list("http_status", "outcome")) == [(401, "invalid_token"), (200, "accepted")]
    page = text_of(browser.get(reverse("canvas:batch", args=["shop", batch.pk])))
    assert "2 attempts" in page
    assert metrics(canvas)["synced"] == 1


def test_a_batch_that_was_applied_before_its_answer_got_lost_shows_both_attempts(
    pinterest, connected, shop, alice, browser, monkeypatch
):
    profile(shop, "ann", email="ann@example.com")
    profile(shop, "bob", email="bob@example.com")
    canvas = launch(canvas_of(shop, alice, ("add", "Winter buyers", "email")), alice)
    monkeypatch.setattr(limits, "READ_TIMEOUT_SECONDS", 0.2)
    pinterest.breaks("latency", ms=600, path=LISTS)
    deliver()
    assert pinterest.audiences() == {"Winter buyers": 2}  # applied, and nobody knows
    assert metrics(canvas)["pending"] == 2
    monkeypatch.undo()
    pinterest.mends()
    wait(minutes=1)
    assert metrics(canvas) | {"entered": 2, "synced": 2, "pending": 0, "errored": 0} == metrics(canvas)
    until(lambda: len(pinterest.requests("ADD")) == 2, 5)  # the sandbox notes a request when its answer went out
    assert [(each.records, each.status) for each in pinterest.requests("ADD")] == [(2, 200), (2, 200)]
    assert pinterest.audiences() == {"Winter buyers": 2}
    page = text_of(browser.get(reverse("canvas:batch", args=["shop", Batch.objects.get().pk])))
    assert "2 attempts" in page
    assert "Pinterest Unavailable" in page
    assert "Accepted" in page


def test_one_bad_record_among_1900_holds_up_nobody_else(pinterest, connected, shop, alice):
    for number in range(1_900):
        profile(shop, f"user-{number}", email=f"user{number}@example.com")
    canvas = launch(canvas_of(shop, alice, ("add", "Winter buyers", "email")), alice)
    pinterest.breaks("refuse_record", digest="user1234@example.com")
    began = timezone.now()
    deliver()
    assert timezone.now() - began < timedelta(minutes=1)
    assert metrics(canvas) | {"synced": 1_899, "errored": 1, "pending": 0} == metrics(canvas)
    assert len(pinterest.requests("ADD")) - 1 <= 22
    assert pinterest.audiences() == {"Winter buyers": 1_899}
    errored = Batch.objects.get(state="errored")
    assert (errored.users, errored.reason) == (1, "record_refused")


def test_a_creation_is_among_the_requests_used(pinterest, connected, shop, alice):
    canvas_of(shop, alice, ("add", "Winter buyers", "email"))
    assert list(Attempt.objects.values_list("batch", "outcome")) == [(None, "accepted")] * 2
    writes = [each for each in pinterest.sandbox.log.requests if each.category == "ads_write"]
    assert len(writes) == Attempt.objects.count()


def test_a_creation_that_meets_the_limit_is_among_the_429s_and_slows_everybody_down(pinterest, connected, shop, alice):
    pinterest.breaks("rate_limit", seconds=30)
    account = AdAccount.objects.select_related("connection").get(state="connected")
    made = audiences.create(account, "Winter buyers", "", timezone.now())
    assert (made.state, made.failure) == ("failed", "rate_limited")
    assert list(Attempt.objects.values_list("outcome", "http_status")) == [("rate_limited", 429)]
    assert seconds_to_next_slot(pace_of(account.connection)) > 20


def test_whose_token_is_used_waits_for_their_own_turn(pinterest, connected, shop, alice):
    profile(shop, "ann", email="ann@example.com")
    canvas = launch(canvas_of(shop, alice, ("add", "Winter buyers", "email")), alice)
    former = pace_of(Connection.objects.get())
    slot = former.next_slot
    Attempt.objects.all().delete()
    claim = claiming.claim(
        canvas.steps.get().sync.audience_id, "add", limits=limits_of("pinterest"), fresh=True, now=timezone.now()
    )

    def clock():
        """Tell the time; when it is first asked for, another person takes the connection over."""
        if Connection.objects.get().partner_user_id == former.partner_user_id:
            connect(pinterest, shop, alice, purpose="change", person="northwind_media")
        return timezone.now()

    assert sending.send(claim.batch, claim.records, clock=clock)
    (request,) = pinterest.requests("ADD")
    assert request.pinterest_user == Connection.objects.get().partner_user_id != former.partner_user_id
    assert Attempt.objects.get().pace == pace_of(Connection.objects.get())
    assert Pace.objects.get(pk=former.pk).next_slot == slot
