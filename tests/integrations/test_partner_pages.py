"""Partner Integrations > Technology Partners > Pinterest, as people walk through it."""

import re

import pytest
from django.urls import reverse

from integrations import audiences, connecting, usage
from integrations.models import Authorization, Connection, TermsAcceptance
from integrations.pinterest.sandbox.breaking import break_on_purpose
from integrations.tokens import mark_broken
from tests.integrations.conftest import allow, connect

PAGE = "/w/shop/partners/pinterest/"


@pytest.fixture
def web(client, alice):
    client.force_login(alice)
    return client


def text_of(response) -> str:
    """Return a page as it is read: without tags, blanks collapsed."""
    bare = re.sub(r"<(script|style).*?</\1>|<[^>]+>", " ", response.content.decode(), flags=re.S)
    return re.sub(r"\s+", " ", bare.replace("&amp;", "&").replace("&#x27;", "'"))


def go_and_come_back(web, sandbox, action: str = "connect", data=None, **form):
    """Press the button, answer the consent page, and return the page the person ends on."""
    away = web.post(f"{PAGE}{action}/", data if data is not None else {"terms": "on"})
    assert away.status_code == 302
    back = allow(sandbox, away["Location"], **form)
    return web.get(reverse("integrations:callback", kwargs={"partner": "pinterest"}), back, follow=True)


def ids_in(page) -> dict[str, str]:
    found = re.findall(
        r'value="(\d{9,})"(?: checked)?( disabled)?>.*?<strong>(.*?)</strong>', page.content.decode(), re.S
    )
    return {name.replace("&amp;", "&"): id for id, disabled, name in found if not disabled}


def test_the_tiles_are_searched(web):
    assert "Not connected" in text_of(web.get("/w/shop/partners/"))
    assert "Pinterest" in text_of(web.get("/w/shop/partners/", {"q": "PINTER"}))
    assert "No partner of that name" in text_of(web.get("/w/shop/partners/", {"q": "fax"}))
    fragment = web.get("/w/shop/partners/", {"q": "pin"}, HTTP_HX_REQUEST="true").content.decode()
    assert "<html" not in fragment
    assert PAGE in fragment


def test_the_page_says_what_it_does_what_it_needs_and_whose_terms(web):
    page = web.get(PAGE)
    read = text_of(page)
    for said in ("Overview", "Win back unresponsive users", "Requirements", "Business Hub", "Connect Pinterest"):
        assert said in read
    assert "https://policy.pinterest.com/advertising-guidelines" in page.content.decode()


def test_without_the_tick_nobody_is_sent_away(web):
    page = web.post(f"{PAGE}connect/", {})
    assert page.status_code == 422
    assert "Accept the terms to connect." in text_of(page)
    assert not TermsAcceptance.objects.exists()
    assert not Authorization.objects.exists()


def test_from_the_button_to_connected_ad_accounts(web, sandbox, alice):
    choose = go_and_come_back(web, sandbox)
    assert "Choose ad accounts" in text_of(choose)
    assert not Connection.objects.exists()
    offered = ids_in(choose)
    assert "Maple & Moss US" in offered
    assert "Kestrel Outdoor" not in offered  # an analyst may not manage audiences
    url = choose.redirect_chain[-1][0]
    assert "Choose at least one ad account." in text_of(web.post(url, {"q": ""}))
    found = web.post(url, {"search": "1", "q": "canada", "ad_account": [offered["Maple & Moss US"]]})
    assert set(ids_in(found)) == {"Maple & Moss US", "Maple & Moss Canada"}  # what is chosen stays
    done = web.post(url, {"ad_account": [offered["Maple & Moss US"], offered["Fern & Fable"]]}, follow=True)
    read = text_of(done)
    assert "You successfully connected 2 Pinterest ad accounts." in read
    assert "maple_and_moss" in read
    assert "alice@example.com" in read
    terms = TermsAcceptance.objects.get()
    assert (terms.user, terms.partner) == (alice, "pinterest")
    assert web.post(url, {"ad_account": [offered["Maple & Moss US"]]}).status_code == 404  # used up


def test_the_form_may_lead_to_the_consent_page_and_nowhere_else(web, settings):
    policy = web.get(PAGE)["Content-Security-Policy"]
    assert "form-action 'self' http://127.0.0.1:8100;" in policy
    settings.PINTEREST_OAUTH_URL = "https://www.pinterest.com/oauth/"
    assert "form-action 'self' https://www.pinterest.com;" in web.get(PAGE)["Content-Security-Policy"]


def test_cancelling_on_either_side_connects_nothing(web, sandbox):
    assert "You did not give Pinsync access" in text_of(go_and_come_back(web, sandbox, decision="cancel"))
    choose = go_and_come_back(web, sandbox)
    cancelled = web.post(f"{choose.redirect_chain[-1][0]}cancel/", follow=True)
    assert "Cancelled. Pinterest was not connected." in text_of(cancelled)
    assert sandbox.tokens.grants == {}
    assert not Connection.objects.exists()


def test_each_failure_has_its_own_sentence(web, sandbox, client):
    assert "ads:write missing" in text_of(go_and_come_back(web, sandbox, scope=["ads:read", "user_accounts:read"]))
    for ad_account in sandbox.world.ad_accounts:
        break_on_purpose(sandbox, "remove_ad_account_access", {"ad_account_id": ad_account})
    assert "reaches no ad account" in text_of(go_and_come_back(web, sandbox))
    sandbox.faults.clear()
    break_on_purpose(sandbox, "outage", {})
    assert "does not answer just now" in text_of(go_and_come_back(web, sandbox))
    sandbox.faults.clear()
    callback = "/partners/pinterest/callback/"
    unknown = web.get(callback, {"state": "made-up", "code": "x"})
    assert unknown.status_code == 400
    assert "did not start this connection" in text_of(unknown)
    away = web.post(f"{PAGE}connect/", {})
    state = away["Location"].split("state=")[1]
    assert "did not accept its own answer" in text_of(web.get(callback, {"state": state, "code": "x"}, follow=True))
    assert "used already" in text_of(web.get(callback, {"state": state, "code": "x"}, follow=True))
    assert not Connection.objects.exists()


def test_another_person_cannot_finish_what_one_began(web, sandbox, dora, client):
    away = web.post(f"{PAGE}connect/", {"terms": "on"})
    back = allow(sandbox, away["Location"])
    client.force_login(dora)
    refused = client.get("/partners/pinterest/callback/", back)
    assert refused.status_code == 400
    assert "Another person started this connection" in text_of(refused)


def test_who_is_signed_out_signs_in_on_the_way_back(client, sandbox):
    answer = client.get("/partners/pinterest/callback/", {"state": "s", "code": "c"})
    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/login/?next=/partners/pinterest/callback/")


def test_adding_checking_and_disconnecting_ad_accounts(web, sandbox, connection, ad_account):
    add = web.post(f"{PAGE}ad-accounts/read/", {"then": "add"}, follow=True)
    offered = ids_in(add)
    assert "Maple & Moss US" not in offered
    done = web.post(f"{PAGE}ad-accounts/add/", {"ad_account": [offered["Maple & Moss Lab"]]}, follow=True)
    assert "1 ad account added." in text_of(done)
    page = f"{PAGE}ad-accounts/{ad_account.pk}/disconnect/"
    assert "No active Canvas uses it." in text_of(web.get(page))
    assert "“Maple & Moss US” is disconnected" in text_of(web.post(page, follow=True))
    assert [one.name for one in connection.ad_accounts.filter(state="connected")] == ["Maple & Moss Lab"]


def test_disconnecting_names_the_active_canvases_and_asks(web, sandbox, connection, ad_account, shop, monkeypatch):
    shop.audience_syncs.create(partner="pinterest", ad_account=ad_account)
    monkeypatch.setattr(usage, "_sources", [lambda ids: [usage.Usage("Welcome", "/w/shop/canvas/1/", True)]])
    read = text_of(web.get(f"{PAGE}disconnect/"))
    assert "1 active Canvas stops syncing: Welcome" in read
    assert Connection.objects.get().state == "connected"
    assert "Pinterest is disconnected." in text_of(web.post(f"{PAGE}disconnect/", follow=True))
    assert Connection.objects.get().state == "disconnected"
    assert web.get(f"{PAGE}disconnect/").status_code == 404


def test_what_cannot_be_taken_back_is_said(web, sandbox, connection):
    break_on_purpose(sandbox, "outage", {})
    assert "remove Pinsync from the connected apps" in text_of(web.post(f"{PAGE}disconnect/", follow=True))


def test_a_broken_connection_says_so_and_reconnects(web, sandbox, connection, now):
    mark_broken(connection, "invalid_token", now)
    read = text_of(web.get(PAGE))
    assert "Invalid Token" in read
    assert "Reconnect" in read
    assert "Invalid Token" in text_of(web.get("/w/shop/partners/"))
    back = go_and_come_back(web, sandbox)
    assert "You connected Pinterest as “maple_and_moss”." in text_of(back)
    assert Connection.objects.get().state == "connected"


def test_another_person_takes_over(web, sandbox, connection, dora, client):
    client.force_login(dora)
    back = go_and_come_back(client, sandbox, "change", {}, pinterest_user="northwind_media")
    assert "You connected Pinterest as “northwind_media”." in text_of(back)
    assert "dora@example.com" in text_of(back)


def test_who_does_not_reach_what_is_in_use_learns_what(web, sandbox, shop, alice, now):
    connection = connect(sandbox, shop, alice, now, "Maple & Moss Lab")
    lab = connection.ad_accounts.get(state="connected")
    shop.audience_syncs.create(partner="pinterest", ad_account=lab)
    back = go_and_come_back(web, sandbox, "change", {}, pinterest_user="northwind_media")
    assert "does not reach everything that is in use" in text_of(back)
    assert "Missing: ad account “Maple & Moss Lab”." in text_of(back)


def test_a_paused_connection_says_so(web, connection, now):
    Connection.objects.update(paused_at=now)
    assert "Paused by staff" in text_of(web.get(PAGE))


def test_no_page_calls_the_partner_or_shows_a_token(web, sandbox, connection, ad_account, wire, now):
    audiences.refresh(ad_account, now)
    break_on_purpose(sandbox, "outage", {})
    before = len(wire.calls)
    for path in ("", "disconnect/", "ad-accounts/add/", f"ad-accounts/{ad_account.pk}/audiences/"):
        page = web.get(f"{PAGE}{path}")
        assert page.status_code == 200
        assert "pina_" not in page.content.decode()
        assert "pinr_" not in page.content.decode()
    assert len(wire.calls) == before


def test_audiences_come_as_options_page_by_page(web, connection, ad_account, now):
    url = f"{PAGE}ad-accounts/{ad_account.pk}/audiences/"
    assert "have not been read yet" in web.get(url).content.decode()
    audiences.refresh(ad_account, now)
    first = audiences.search(ad_account).audiences[0]
    read = web.get(url, {"q": first.name.upper()}).content.decode()
    assert f'role="option" id="audience-{first.pk}" data-id="{first.pk}"' in read
    assert read.count('role="option"') == 1
    assert "No audience of that name." in web.get(url, {"q": "nothing like it"}).content.decode()


def test_a_long_list_goes_on(web, connection, ad_account, now):
    ad_account.audiences.model.objects.bulk_create(
        ad_account.audiences.model(
            ad_account=ad_account, external_id=str(number), target_id="1", name=f"Audience {number:03}", seen_at=now
        )
        for number in range(audiences.PAGE + 1)
    )
    url = f"{PAGE}ad-accounts/{ad_account.pk}/audiences/"
    first = web.get(url).content.decode()
    assert first.count('role="option"') == audiences.PAGE
    (more,) = re.findall(r'hx-get="([^"]+)"', first)
    last = web.get(more.replace("&amp;", "&")).content.decode()
    assert last.count('role="option"') == 1
    assert "hx-get" not in last


def test_refreshing_audiences_says_how_many_or_why_not(web, sandbox, connection, ad_account):
    url = f"{PAGE}ad-accounts/{ad_account.pk}/audiences/refresh/"
    assert re.search(r"\d+ audiences read\.", text_of(web.post(url, follow=True)))
    assert 'role="option"' in web.post(url, HTTP_HX_REQUEST="true").content.decode()
    break_on_purpose(sandbox, "outage", {})
    assert "does not answer just now" in text_of(web.post(url, follow=True))
    assert "this is the copy from before" in web.post(url, HTTP_HX_REQUEST="true").content.decode()


def test_a_viewer_reads_and_an_outsider_sees_nothing(client, bob, charlie, connection, ad_account):
    client.force_login(bob)
    read = text_of(client.get(PAGE))
    assert "maple_and_moss" in read
    assert "Disconnect Pinterest" not in read
    for path in ("connect/", "change/", "disconnect/", f"ad-accounts/{ad_account.pk}/audiences/refresh/"):
        assert client.post(f"{PAGE}{path}").status_code == 403
    client.force_login(charlie)
    assert client.get(PAGE).status_code == 404


def test_an_ad_account_of_another_workspace_is_not_there(web, sandbox, shop, alice, now, connection):
    other = type(shop).objects.create(name="Other", slug="other")
    other.memberships.create(user=alice, role="admin")
    theirs = connect(sandbox, other, alice, now).ad_accounts.get(state="connected")
    assert web.get(f"{PAGE}ad-accounts/{theirs.pk}/audiences/").status_code == 404
    assert web.post(f"{PAGE}ad-accounts/{theirs.pk}/disconnect/").status_code == 404
    assert web.get(f"/w/other/partners/pinterest/ad-accounts/{theirs.pk}/audiences/").status_code == 200


def test_an_unknown_partner_is_not_there(web):
    assert web.get("/w/shop/partners/fax/").status_code == 404
    assert web.get("/partners/fax/callback/").status_code == 404


def test_two_workspaces_may_connect_the_same_person(sandbox, shop, connection, alice, now):
    other = type(shop).objects.create(name="Other", slug="other")
    other.memberships.create(user=alice, role="admin")
    second = connect(sandbox, other, alice, now)
    assert second.partner_user_id == connection.partner_user_id
    assert connecting.connection_of(shop, "pinterest").pk != second.pk
