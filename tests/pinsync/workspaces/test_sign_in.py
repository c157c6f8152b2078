"""Round trips through the browser: sign up, prove the address, sign in, forget and change the password."""

import re

import pytest
from django.test import Client

from pinsync.workspaces.models import Invitation, Member, User, Workspace
from tests.pinsync.workspaces.conftest import PASSWORD, browser_of, person

NEW = "brand new horse"


def link_in(letter):
    return re.search(r"http://testserver(/\S+)", letter.body).group(1)


def sign_up(browser, email="dora@example.com"):
    return browser.post("/accounts/signup/", {"email": email, "password1": PASSWORD, "password2": PASSWORD})


def sign_in(browser, email="dora@example.com", password=PASSWORD):
    return browser.post("/accounts/login/", {"login": email, "password": password})


def test_a_new_person_signs_up_proves_the_address_and_creates_a_workspace(db, mailoutbox):
    browser = Client()
    assert sign_up(browser)["Location"] == "/accounts/confirm-email/"
    assert browser.get("/")["Location"] == "/accounts/login/?next=/"
    assert [(letter.to, letter.subject) for letter in mailoutbox] == [
        (["dora@example.com"], "Pinsync: confirm your e-mail address")
    ]
    link = link_in(mailoutbox[0])
    assert "dora@example.com" in browser.get(link).content.decode()
    browser.post(link)
    assert browser.get("/")["Location"] == "/workspaces/new/"
    assert "Create your workspace" in browser.get("/workspaces/new/").content.decode()
    answer = browser.post("/workspaces/new/", {"name": "Winter Boots & Söhne"})
    assert answer["Location"] == "/w/winter-boots-sohne/"
    assert browser.get("/")["Location"] == "/w/winter-boots-sohne/"
    member = Member.objects.get()
    assert (member.user.email, member.role) == ("dora@example.com", "admin")


def test_without_proof_nobody_comes_in(db, mailoutbox):
    browser = Client()
    sign_up(browser)
    assert sign_in(Client())["Location"] == "/accounts/confirm-email/"
    assert browser.get("/workspaces/")["Location"] == "/accounts/login/?next=/workspaces/"


def test_an_invited_person_is_in_once_the_address_is_proven(acme, alice, mailoutbox):
    browser_of(alice).post("/w/acme/members/add/", {"email": "Dora@example.com", "role": "editor"})
    browser = Client()
    sign_up(browser, "dora@example.com")
    assert Invitation.objects.count() == 1
    browser.post(link_in(mailoutbox[-1]))
    assert browser.get("/")["Location"] == "/w/acme/"
    assert Member.objects.get(user__email="dora@example.com").role == "editor"


def test_signing_up_with_a_known_address_tells_only_its_owner(alice, mailoutbox):
    assert sign_up(Client(), "alice@example.com")["Location"] == "/accounts/confirm-email/"
    assert User.objects.count() == 1
    assert mailoutbox[0].to == ["alice@example.com"]
    assert "/accounts/password/reset/" in mailoutbox[0].body


def test_sign_in_and_out(acme, alice):
    browser = Client()
    assert sign_in(browser, "ALICE@example.com")["Location"] == "/"
    assert browser.get("/")["Location"] == "/w/acme/"
    assert browser.get("/accounts/logout/").status_code == 200
    browser.post("/accounts/logout/")
    assert browser.get("/w/acme/")["Location"] == "/accounts/login/?next=/w/acme/"


def test_sign_in_goes_on_to_where_one_wanted_to_go(acme, alice):
    browser = Client()
    page = browser.get(browser.get("/w/acme/members/?page=2")["Location"])
    assert page.context["redirect_field_value"] == "/w/acme/members/?page=2"
    answer = browser.post(
        "/accounts/login/", {"login": "alice@example.com", "password": PASSWORD, "next": "//evil.example.com/"}
    )
    assert answer["Location"] == "/"


def test_a_fragment_of_somebody_signed_out_sends_the_whole_page_to_sign_in(acme):
    headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver/w/acme/members/?a=1"}
    answer = Client().get("/w/acme/", headers=headers)
    assert (answer.status_code, answer["HX-Redirect"]) == (401, "/accounts/login/?next=/w/acme/members/")
    answer = Client().get("/w/acme/", headers=headers | {"HX-Current-URL": "http://[nowhere"})
    assert (answer.status_code, answer["HX-Redirect"]) == (401, "/accounts/login/?next=/")


def test_a_forgotten_password(alice, mailoutbox):
    browser = Client()
    assert browser.post("/accounts/password/reset/", {"email": "alice@example.com"})["Location"].endswith("/done/")
    link = link_in(mailoutbox[0])
    form = browser.get(link)["Location"]
    assert browser.post(form, {"password1": NEW, "password2": NEW}).status_code == 302
    assert sign_in(Client(), "alice@example.com", PASSWORD).status_code == 200
    assert sign_in(Client(), "alice@example.com", NEW)["Location"] == "/"
    assert "used up or too old" in Client().get(link).content.decode()


def test_a_forgotten_password_of_nobody_looks_the_same(db, mailoutbox):
    assert Client().post("/accounts/password/reset/", {"email": "no@example.com"})["Location"].endswith("/done/")


def test_changing_the_password_needs_the_old_one(acme, alice):
    browser = browser_of(alice)
    wrong = {"oldpassword": "wrong", "password1": NEW, "password2": NEW}
    assert browser.post("/accounts/password/change/", wrong).status_code == 200
    browser.post("/accounts/password/change/", wrong | {"oldpassword": PASSWORD})
    assert sign_in(Client(), "alice@example.com", NEW)["Location"] == "/"


def test_guessing_passwords_is_stopped(alice):
    browser = Client()
    answers = [sign_in(browser, "alice@example.com", f"guess {n}") for n in range(11)]
    assert answers[0].status_code == 200
    assert "Too many failed login attempts" in answers[-1].content.decode()
    assert "Too many failed login attempts" in sign_in(browser, "alice@example.com").content.decode()


@pytest.mark.parametrize(
    "path", ["login/", "signup/", "password/reset/", "password/reset/done/", "confirm-email/", "inactive/"]
)
def test_pages_for_people_outside(db, path):
    page = Client().get(f"/accounts/{path}")
    assert page.status_code == 200
    assert "css/components.css" in page.content.decode()


@pytest.mark.parametrize("path", ["logout/", "password/change/", "email/"])
def test_pages_for_people_inside(alice, path):
    browser = Client()
    sign_in(browser, "alice@example.com")
    page = browser.get(f"/accounts/{path}")
    assert page.status_code == 200
    assert "css/components.css" in page.content.decode()


def test_changing_the_address_asks_for_the_password_and_counts_once_it_is_proven(alice, mailoutbox):
    browser = Client()
    sign_in(browser, "alice@example.com")
    change = browser.post("/accounts/email/", {"email": "alice@example.org", "action_add": ""})
    assert change["Location"].startswith("/accounts/reauthenticate/")
    assert "css/components.css" in browser.get(change["Location"]).content.decode()
    browser.post(change["Location"], {"password": PASSWORD})
    assert [letter.to for letter in mailoutbox] == [["alice@example.org"]]
    assert User.objects.get().email == "alice@example.com"
    browser.post(link_in(mailoutbox[0]))
    assert User.objects.get().email == "alice@example.org"


def test_the_last_used_workspace_is_opened_next_time(acme, alice):
    other = Workspace.objects.create(name="Zebra", slug="zebra")
    Member.objects.create(workspace=other, user=alice, role="viewer")
    browser = browser_of(alice)
    assert browser.get("/")["Location"] == "/w/acme/"
    browser.get("/w/zebra/")
    assert browser.get("/")["Location"] == "/w/zebra/"
    Member.objects.filter(workspace=other).delete()
    assert browser.get("/")["Location"] == "/w/acme/"


def test_two_workspaces_may_share_a_name(db):
    browser = browser_of(person("dora@example.com"))
    found = [browser.post("/workspaces/new/", {"name": name})["Location"] for name in ("Acme", "Acme", "한국어")]
    assert found == ["/w/acme/", "/w/acme-2/", "/w/workspace/"]
