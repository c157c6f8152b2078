"""Partner Integrations > Technology Partners > Pinterest (product page, section 2)."""

import pytest
from django.core import mail
from django.urls import reverse
from django.utils import timezone

from canvas import launching
from integrations import connecting, consenting, telling
from integrations.models import Connection
from tests.guide.conftest import canvas_of, connect, launch, metrics, profile, wait
from tests.helpers import deliver


def test_a_workspace_is_connected_once_and_says_who_connected_it(connected, shop, alice):
    assert (connected.workspace, connected.partner_user_name) == (shop, "maple_and_moss")
    assert connected.connected_by == alice
    assert [account.name for account in connected.ad_accounts.filter(state="connected")] == ["Maple & Moss US"]


def test_tokens_are_encrypted(connected, django_assert_num_queries):
    from_database = Connection.objects.raw("SELECT id, access_token AS cipher FROM integrations_connection")[0].cipher
    assert connected.access_token not in from_database
    assert from_database.startswith("gAAAA")


def test_cancelling_is_a_normal_outcome_and_changes_nothing(pinterest, shop, alice):
    now = timezone.now()
    back = pinterest.consent(consenting.begin(shop, alice, "pinterest", "connect", now), decision="cancel")
    with pytest.raises(consenting.ConsentProblem, match="You did not give Pinsync access") as said:
        consenting.come_back("pinterest", alice, state=back["state"], code="", error=back["error"], now=now)
    assert said.value.is_cancelled
    assert connecting.connection_of(shop, "pinterest") is None


def test_missing_scopes_are_named(pinterest, shop, alice):
    with pytest.raises(consenting.ConsentProblem, match="ads:write missing"):
        connect(pinterest, shop, alice, scope=["user_accounts:read", "ads:read"])


def test_only_an_admin_connects_a_viewer_reads_and_an_outsider_sees_nothing(client, shop, alice, bob, charlie):
    page = reverse("integrations:partner", args=["shop", "pinterest"])
    seen = {}
    for user in (alice, bob, charlie):
        client.force_login(user)
        seen[user.email] = (client.get(page).status_code, client.post(f"{page}connect/", {"terms": "on"}).status_code)
    assert seen == {"alice@example.com": (200, 302), "bob@example.com": (200, 403), "charlie@example.com": (404, 404)}


def test_a_dead_token_is_noticed_told_once_and_not_used_again(pinterest, connected, shop, alice):
    profile(shop, "ann", email="ann@example.com")
    canvas = launch(canvas_of(shop, alice, ("add", "Winter buyers", "email")), alice)
    pinterest.breaks("revoke_token")
    deliver()
    connected.refresh_from_db()
    assert connected.state == Connection.State.BROKEN
    assert metrics(canvas)["pending"] == 1

    asked = len(pinterest.sandbox.log.requests)
    telling.tell_of_breaks(timezone.now())
    telling.tell_of_breaks(timezone.now())
    wait(minutes=30)
    assert len(pinterest.sandbox.log.requests) == asked
    assert [letter.to for letter in mail.outbox] == [["alice@example.com"]]


def test_reconnecting_resumes_everything_that_waits(pinterest, connected, shop, alice):
    profile(shop, "ann", email="ann@example.com")
    canvas = launch(canvas_of(shop, alice, ("add", "Winter buyers", "email")), alice)
    pinterest.breaks("revoke_token")
    deliver()
    connect(pinterest, shop, alice)
    wait(minutes=11)
    assert metrics(canvas)["synced"] == 1
    assert pinterest.audiences() == {"Winter buyers": 1}


def test_another_person_takes_over_without_touching_a_step(pinterest, connected, shop, alice):
    profile(shop, "ann", email="ann@example.com")
    canvas = launch(canvas_of(shop, alice, ("add", "Winter buyers", "email")), alice)
    renewed = connect(pinterest, shop, alice, purpose="change", person="northwind_media")
    assert (renewed.pk, renewed.partner_user_name) == (connected.pk, "northwind_media")
    deliver()
    assert metrics(canvas)["synced"] == 1


def test_nobody_takes_over_who_does_not_reach_what_is_in_use(pinterest, shop, alice):
    connect(pinterest, shop, alice, ad_accounts=["Maple & Moss Lab"])
    canvas_of(shop, alice, ("add", "Testers", "email"))
    with pytest.raises(connecting.WouldLose) as said:
        connect(pinterest, shop, alice, purpose="change", person="northwind_media")
    assert [(each.kind, each.name) for each in said.value.missing] == [("ad account", "Maple & Moss Lab")]
    assert connecting.connection_of(shop, "pinterest").partner_user_name == "maple_and_moss"


def test_disconnecting_names_the_canvases_it_stops_and_takes_the_tokens_back(client, pinterest, connected, shop, alice):
    profile(shop, "ann", email="ann@example.com")
    canvas = launch(canvas_of(shop, alice, ("add", "Winter buyers", "email")), alice)
    client.force_login(alice)
    page = reverse("integrations:disconnect", args=["shop", "pinterest"])
    assert canvas.name in client.get(page).content.decode()
    client.post(page)
    connected.refresh_from_db()
    assert (connected.state, connected.access_token) == (Connection.State.DISCONNECTED, "")
    assert pinterest.sandbox.tokens.grants == {}
    assert launching.problems(canvas_of_name(shop, canvas.name), timezone.now())


def canvas_of_name(workspace, name):
    return workspace.canvases.get(name=name)
