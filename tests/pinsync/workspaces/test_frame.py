"""The frame around every page: navigation, switcher, error pages, home panels, and what the policy forbids."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.contrib.staticfiles import finders
from django.template import engines
from django.test import Client

from pinsync.workspaces import audit, home
from pinsync.workspaces.models import Member, Role, Workspace
from tests.pinsync.workspaces.conftest import NOON, browser_of
from tests.pinsync.workspaces.world import things_of

TEMPLATES = sorted(Path(django_settings.BASE_DIR, "templates").rglob("*.html"))
ICON = re.compile(r"""\{% icon ["']([\w-]+)["']|icon_name=["']([\w-]+)["']""")
FORBIDDEN = {
    "a style attribute": re.compile(r"<[^>]*\sstyle\s*="),
    "a <style> element": re.compile(r"<style\b"),
    "an inline script": re.compile(r"<script\b(?![^>]*\bsrc=)"),
    "an event attribute": re.compile(r"<[^>]*\son[a-z]+\s*="),
    "something from elsewhere": re.compile(r"""(src|href)\s*=\s*["']https?://[^"']+\.(js|css|png|svg|woff2?)"""),
}


def links(page):
    return re.findall(r'<a href="(/w/[^"]+)"', page.content.decode())


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(django_settings.BASE_DIR)))
def test_a_template_holds_nothing_that_the_policy_forbids(path):
    text = path.read_text()
    assert [what for what, pattern in FORBIDDEN.items() if pattern.search(text)] == []


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('<p style="color: red">', "a style attribute"),
        ("<style>p {}</style>", "a <style> element"),
        ("<script>alert()</script>", "an inline script"),
        ('<a onclick="go()">', "an event attribute"),
        ('<script src="https://cdn.example.com/a.js">', "something from elsewhere"),
    ],
)
def test_what_is_forbidden_is_found(text, what):
    assert FORBIDDEN[what].search(text)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(django_settings.BASE_DIR)))
def test_every_icon_is_in_the_sprite(path):
    sprite = Path(finders.find("icons.svg")).read_text()
    used = {name or other for name, other in ICON.findall(path.read_text())}
    assert [name for name in sorted(used) if f'id="{name}"' not in sprite] == []


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(django_settings.BASE_DIR)))
def test_every_template_compiles(path):
    engines["django"].get_template(str(path.relative_to(Path(django_settings.BASE_DIR, "templates"))))


def test_all_style_sheets_together_stay_small():
    sheets = list(Path(django_settings.BASE_DIR, "pinsync", "static", "css").glob("*.css"))
    assert 0 < sum(sheet.stat().st_size for sheet in sheets) <= 40_000


def test_navigation_shows_what_the_role_may_see_and_where_one_is(acme, alice, bob):
    admins, viewers = (links(browser_of(user).get("/w/acme/members/")) for user in (alice, bob))
    assert {"/w/acme/api-keys/", "/w/acme/audit/", "/w/acme/settings/"} <= set(admins)
    assert not {"/w/acme/api-keys/", "/w/acme/audit/", "/w/acme/settings/"} & set(viewers)
    page = browser_of(bob).get("/w/acme/members/").content.decode()
    assert set(re.findall(r'<a href="([^"]+)" aria-current="page"', page)) == {"/w/acme/members/"}
    assert "<title>Members · Acme · Pinsync</title>" in page


def test_the_switcher_names_the_workspaces_one_belongs_to(acme, alice, charlie):
    zebra = Workspace.objects.create(name="Zebra", slug="zebra")
    Member.objects.create(workspace=zebra, user=alice, role=Role.VIEWER)
    page = browser_of(alice).get("/w/acme/").content.decode()
    assert 'href="/w/zebra/"' in page
    assert "/w/other/" not in page


def test_error_pages_say_what_to_do(acme, alice, bob):
    missing = browser_of(alice).get("/w/acme/nothing/")
    assert (missing.status_code, "There is nothing here" in missing.content.decode()) == (404, True)
    refused = browser_of(bob).get("/w/acme/audit/")
    assert refused.status_code == 403
    assert "You are Viewer of this workspace." in refused.content.decode()


def test_a_form_from_before_signing_in_is_refused_with_a_sentence(acme, alice):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(alice, backend="allauth.account.auth_backends.AuthenticationBackend")
    answer = browser.post("/w/acme/members/leave/")
    assert (answer.status_code, "This page is too old" in answer.content.decode()) == (403, True)


def test_pages_of_a_workspace_are_kept_out_of_caches_and_frames(acme, alice):
    page = browser_of(alice).get("/w/acme/")
    assert page["Cache-Control"] == "private, no-store"
    assert "frame-ancestors 'none'" in page["Content-Security-Policy"]


def test_renaming_a_workspace_keeps_its_address(acme, alice):
    browser = browser_of(alice)
    page = browser.post("/w/acme/settings/", {"name": "  Acme Boots "}, follow=True)
    assert "<title>Workspace · Acme Boots · Pinsync</title>" in page.content.decode()
    assert Workspace.objects.get(slug="acme").name == "Acme Boots"
    assert browser.post("/w/acme/settings/", {"name": " "}).context["form"].errors == {
        "name": ["This field is required."]
    }


def test_the_home_page_shows_the_panels_of_the_apps_in_their_order(acme, alice, monkeypatch):
    monkeypatch.setattr(home, "_panels", {})
    home.register("b", lambda workspace, now: home.Panel("components/empty.html", {"n": 2}), order=20)
    home.register("a", lambda workspace, now: home.Panel("components/empty.html", {"name": workspace.name}), order=10)
    home.register("none", lambda workspace, now: None)
    assert [panel.context for panel in home.panels(acme, NOON)] == [{"name": "Acme"}, {"n": 2}]
    assert browser_of(alice).get("/w/acme/").status_code == 200


def test_first_steps_are_shown_until_all_are_done(acme, alice, monkeypatch):
    monkeypatch.setattr(home, "_first_steps", {})
    done = {"connect": True, "launch": False}
    for order, name in ((2, "launch"), (1, "connect")):
        home.register_first_step(
            name, lambda workspace, name=name: home.FirstStep(name, "", f"/{name}/", done[name]), order=order
        )
    assert [(step.label, step.done) for step in home.first_steps(acme)] == [("connect", True), ("launch", False)]
    page = browser_of(alice).get("/w/acme/").content.decode()
    assert 'href="/launch/"' in page
    assert 'href="/connect/"' not in page
    done["launch"] = True
    assert home.first_steps(acme) == []
    assert "First steps" not in browser_of(alice).get("/w/acme/").content.decode()


def test_a_fresh_workspace_is_told_what_to_do_first(acme, alice):
    assert [str(step.label) for step in home.first_steps(acme)] == [
        "Connect a technology partner",
        "Import your users",
        "Build and launch a Canvas",
    ]
    things_of(acme, alice)
    assert [step.done for step in home.first_steps(acme)] == [True, True, False]
    page = browser_of(alice).get("/w/acme/").content.decode()
    assert '<span class="badge good">Connected</span>' in page
    assert "1 ad account" in page


def test_the_audit_log_reads_on_page_by_page(acme, alice, charlie):
    other = Workspace.objects.get(slug="other")
    for n in range(60):
        audit.record(acme, alice, "canvas.launched", f"Winter {n}", now=NOON + timedelta(minutes=n), entered=n)
    audit.record(other, charlie, "canvas.launched", "Secret", now=NOON)
    audit.record(acme, None, "member.added", now=NOON, user=alice.pk)
    browser = browser_of(alice)
    first = browser.get("/w/acme/audit/")
    second = browser.get(f"/w/acme/audit/?before={first.context['older']}")
    targets = [line.target for line in first.context["lines"] + second.context["lines"]]
    assert targets == ["alice@example.com"] + [f"Winter {n}" for n in reversed(range(60))]
    assert second.context["older"] is None
    assert "Canvas launched" in first.content.decode()
    assert browser.get("/w/acme/audit/?before=x").status_code == 200
    assert browser.get(f"/w/acme/audit/?before={'9' * 40}").status_code == 200
