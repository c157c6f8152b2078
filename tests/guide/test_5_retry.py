"""Another chance for errored users: one, a batch, all with a reason, all after reconnecting."""

import pytest
from django.db import connection as database
from django.test import Client
from django.urls import reverse

from integrations.models import AudienceSync, Batch, Connection, Delivery
from pinsync.workspaces.models import AuditEvent, Member, Role, User
from tests.guide.conftest import canvas_of, connect, launch, metrics, profile, wait
from tests.helpers import deliver
from tests.integrations.test_partner_pages import text_of

PARTNER = "/w/shop/partners/pinterest/"


def browser(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def erin(shop) -> User:
    """The Editor."""
    user = User.objects.create_user("erin@example.com")
    Member.objects.create(workspace=shop, user=user, role=Role.EDITOR)
    return user


@pytest.fixture
def canvas(pinterest, connected, shop, alice):
    """A Canvas in which ann, ben and cleo are errored: a dead token for 13 hours; and dan: a refused record."""
    for name in ("ann", "ben", "cleo"):
        profile(shop, name, email=f"{name}@example.com")
    made = launch(canvas_of(shop, alice, ("add", "Winter buyers", "email")), alice)
    pinterest.breaks("revoke_token")
    deliver()
    wait(hours=13, minutes=1)
    assert metrics(made)["errored"] == 3
    pinterest.mends()
    return made


@pytest.fixture
def step(canvas):
    return canvas.steps.select_related("sync").get()


def reconnected(pinterest, shop, alice, **form) -> None:
    connect(pinterest, shop, alice, **form)
    assert Connection.objects.get().state == "connected"


def test_reconnecting_offers_everybody_who_errored_meanwhile_with_a_count(
    canvas, step, pinterest, shop, alice, bob, erin
):
    assert "errored while Pinterest was not connected" not in text_of(browser(alice).get(PARTNER))  # reconnect first
    reconnected(pinterest, shop, alice)
    page = browser(erin).get(PARTNER)
    assert "3 users errored while Pinterest was not connected" in text_of(page)
    assert reverse("integrations:retry", args=["shop", "pinterest"]) in page.content.decode()
    seen = text_of(browser(bob).get(PARTNER))
    assert "3 users errored while Pinterest was not connected" in seen
    assert "Ask an Editor" in seen

    asked = browser(erin).get(f"{PARTNER}retry/")
    assert "Retry 3 users" in text_of(asked)
    assert metrics(canvas)["errored"] == 3  # nothing happened yet
    after = browser(erin).post(f"{PARTNER}retry/", follow=True)
    assert "3 users are pending again." in text_of(after)
    assert "errored while" not in text_of(after)
    assert metrics(canvas) | {"entered": 3, "pending": 3, "errored": 0} == metrics(canvas)
    deliver()
    assert metrics(canvas) | {"entered": 3, "synced": 3, "pending": 0} == metrics(canvas)
    assert pinterest.audiences() == {"Winter buyers": 3}
    event = AuditEvent.objects.get(action="users.retried")
    assert (event.actor, event.detail) == (erin, {"users": 3, "reason": "invalid_token"})


def test_change_account_offers_them_too(canvas, pinterest, shop, alice):
    reconnected(pinterest, shop, alice, purpose="change", person="northwind_media")
    browser(alice).post(f"{PARTNER}retry/")
    deliver()
    assert metrics(canvas)["synced"] == 3


def test_the_offer_counts_only_those_whom_nobody_asked_the_opposite_for(canvas, pinterest, shop, alice):
    reconnected(pinterest, shop, alice)
    launch(canvas_of(shop, alice, ("remove", "Winter buyers", "email")), alice)
    deliver()
    page = text_of(browser(alice).get(f"{PARTNER}retry/"))
    assert "Nobody here is errored any more, or may be sent again" in page
    assert "3 more stay errored" in page
    assert "Nobody was retried" in text_of(browser(alice).post(f"{PARTNER}retry/", follow=True))
    assert metrics(canvas)["errored"] == 3
    assert pinterest.audiences() == {"Winter buyers": 0}


def test_who_may_not_retry(canvas, pinterest, shop, alice, bob, charlie):
    reconnected(pinterest, shop, alice)
    for method in ("get", "post"):
        assert getattr(browser(bob), method)(f"{PARTNER}retry/").status_code == 403
        assert getattr(browser(charlie), method)(f"{PARTNER}retry/").status_code == 404
    assert metrics(canvas)["errored"] == 3


def test_one_user_is_retried_from_the_step_page(canvas, step, pinterest, shop, alice, erin):
    reconnected(pinterest, shop, alice)
    ben = Delivery.objects.get(profile__external_id="ben")
    listed = browser(erin).get(reverse("canvas:users", args=["shop", canvas.pk, step.pk]), {"state": "errored"})
    address = reverse("canvas:retry_user", args=["shop", canvas.pk, step.pk, ben.pk])
    assert address in listed.content.decode()
    assert "1 errored user becomes pending again" in text_of(browser(erin).get(address))
    assert metrics(canvas)["errored"] == 3
    browser(erin).post(address)
    assert (metrics(canvas)["errored"], metrics(canvas)["pending"]) == (2, 1)
    deliver()
    assert (metrics(canvas)["errored"], metrics(canvas)["synced"]) == (2, 1)
    assert "Nobody was retried" in text_of(browser(erin).post(address, follow=True))


def test_all_with_a_reason_are_retried_from_the_step_page(canvas, step, pinterest, shop, alice, erin):
    reconnected(pinterest, shop, alice)
    profile(shop, "dan", email="dan@example.com")
    pinterest.breaks("refuse_record", digest="dan@example.com")
    again = launch(canvas_of(shop, alice, ("add", "Spring buyers", "email")), alice)
    AudienceSync.objects.filter(step__canvas=again).update(audience=step.sync.audience)  # two steps, one audience
    deliver()
    page = browser(erin).get(reverse("canvas:step_analytics", args=["shop", canvas.pk, step.pk]))
    address = f"{reverse('canvas:retry_step', args=['shop', canvas.pk, step.pk])}?reason=invalid_token"
    assert address in page.content.decode()
    assert "3 errored users become pending again" in text_of(browser(erin).get(address))
    assert metrics(canvas)["errored"] == 3
    browser(erin).post(address, {"reason": "invalid_token"})
    assert (metrics(canvas)["errored"], metrics(canvas)["pending"]) == (0, 3)
    assert metrics(again)["errored"] == 1  # another step's, and another reason
    deliver()
    assert metrics(canvas)["synced"] == 3


def test_a_whole_batch_is_retried_from_its_page(canvas, pinterest, shop, alice, erin):
    reconnected(pinterest, shop, alice)
    batch = Batch.objects.get(state="errored")
    address = reverse("canvas:retry_batch", args=["shop", batch.pk])
    assert address in browser(erin).get(reverse("canvas:batch", args=["shop", batch.pk])).content.decode()
    assert "3 errored users become pending again" in text_of(browser(erin).get(address))
    assert metrics(canvas)["errored"] == 3
    browser(erin).post(address)
    deliver()
    assert metrics(canvas) | {"synced": 3, "errored": 0, "pending": 0} == metrics(canvas)


@pytest.mark.skipif("database.vendor != 'sqlite'", reason="PostgreSQL scans tables as small as a test's")
def test_a_count_and_a_retry_never_look_through_what_was_accepted(canvas, step, pinterest, shop, alice, erin):
    """The partial index over errored batches is used, and of deliveries only those of such batches are read."""
    reconnected(pinterest, shop, alice)
    asked: list[tuple[str, str]] = []

    def explain(execute, sql, params, many, context):
        large = ("integrations_batch", "integrations_delivery")
        if sql.lstrip().startswith("SELECT") and any(table in sql for table in large):
            for *_, plan in database.connection.execute(f"EXPLAIN QUERY PLAN {sql}".replace("%s", "?"), params or ()):
                asked.append((plan, sql))
        return execute(sql, params, many, context)

    client = browser(erin)
    with database.execute_wrapper(explain):
        client.get(f"{reverse('canvas:retry_step', args=['shop', canvas.pk, step.pk])}?reason=invalid_token")
        client.get(f"{PARTNER}retry/")
        client.post(f"{PARTNER}retry/")
    assert metrics(canvas)["pending"] == 3
    plans = [plan for plan, _ in asked]
    assert sum("batch_errored" in plan for plan in plans) >= 3
    assert [plan for plan in plans if plan.startswith("SCAN") and "integrations_" in plan] == []
    assert [plan for plan in plans if "delivery_of_sync" in plan] == []
