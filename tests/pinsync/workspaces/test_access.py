"""Every view of the project, asked as Admin, Viewer, outsider and anonymous.

The URL conf is walked, so a new view is asked too, without a line here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.apps import apps
from django.db import connection, transaction
from django.test import Client
from django.urls import URLPattern, get_resolver

from pinsync.workspaces.keys import create_key
from pinsync.workspaces.models import Role, User, Workspace
from tests.pinsync.workspaces.conftest import NOON, browser_of, person
from tests.pinsync.workspaces.world import OF_NOBODY, things_of

# What anybody may ask, or anybody who is signed in; a view that is neither here nor marked fails the tests.
PUBLIC = {"accounts/", "admin/", "healthz", "metrics", "readyz", "styleguide/"}
SIGNED_IN = {
    "",
    "workspaces/",
    "workspaces/new/",
    "partners/<slug:partner>/callback/",
    "preferences/",
    "preferences/theme/",
}
API = "api/v1/"
LEAVE = "w/<slug:workspace>/members/leave/"  # everybody may
OF_ADMINS = (
    "workspaces.Workspace",
    "workspaces.Member",
    "workspaces.Invitation",
    "workspaces.ApiKey",
    "integrations.Connection",
    "integrations.AdAccount",
    "integrations.Authorization",
    "integrations.TermsAcceptance",
)
NAME = re.compile(r"<(?:\w+:)?(\w+)>")


@dataclass(frozen=True)
class Door:
    route: str
    view: Any

    @property
    def role(self) -> Role | None:
        return getattr(self.view, "required_role", None)

    @property
    def names(self) -> list[str]:
        return NAME.findall(self.route)

    def address(self, things: dict[str, Any]) -> str:
        missing = set(self.names) - set(things)
        assert not missing, f"tests/pinsync/workspaces/world.py makes no {missing} for /{self.route}"
        return "/" + NAME.sub(lambda match: str(things[match[1]]), self.route)


def doors(patterns=None, prefix=""):
    for pattern in patterns if patterns is not None else get_resolver().url_patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield Door(route, pattern.callback)
        else:
            yield from doors(pattern.url_patterns, route)


INSIDE = [door for door in doors() if not door.route.startswith(tuple(PUBLIC)) and door.route not in SIGNED_IN]
PAGES = [door for door in INSIDE if not door.route.startswith(API)]
PROGRAMS = [door for door in INSIDE if door.route.startswith(API)]
every_page = pytest.mark.parametrize("door", PAGES, ids=lambda door: door.route)
every_named_page = pytest.mark.parametrize(
    "door", [door for door in PAGES if set(door.names) - OF_NOBODY], ids=lambda door: door.route
)
every_program = pytest.mark.parametrize("door", PROGRAMS, ids=lambda door: door.route)
METHODS = ("get", "post")


@pytest.fixture(autouse=True)
def _partner_that_does_not_answer(settings):
    """Nothing listens there: a page that needs the partner to be drawn would show it."""
    settings.PINTEREST_API_URL = "http://127.0.0.1:9/v5"
    settings.PINTEREST_OAUTH_URL = "http://127.0.0.1:9/oauth/"


@pytest.fixture(scope="module")
def house(django_db_setup, django_db_blocker) -> Iterator[dict[str, Any]]:
    """Everybody and one of everything, made once: hundreds of tests look at the same, and leave it as it was.

    Its transaction is around those of the tests, and is rolled back as theirs are.
    """
    with django_db_blocker.unblock(), transaction.atomic():
        acme = Workspace.objects.create(name="Acme", slug="acme")
        other = Workspace.objects.create(name="Other", slug="other")
        people = {
            "alice": person("alice@example.com", acme, Role.ADMIN),
            "erin": person("erin@example.com", acme, Role.EDITOR),
            "bob": person("bob@example.com", acme, Role.VIEWER),
            "charlie": person("charlie@example.com", other, Role.ADMIN),
        }
        yield {"acme": acme, "things": things_of(acme, people["alice"]), **people}
        transaction.set_rollback(True)


@pytest.fixture
def things(house, db):
    return house["things"]


@pytest.fixture
def acme(house, db):
    return Workspace.objects.get(pk=house["acme"].pk)


@pytest.fixture
def alice(house, db):
    return User.objects.get(pk=house["alice"].pk)


@pytest.fixture
def erin(house, db):
    return User.objects.get(pk=house["erin"].pk)


@pytest.fixture
def bob(house, db):
    return User.objects.get(pk=house["bob"].pk)


@pytest.fixture
def charlie(house, db):
    return User.objects.get(pk=house["charlie"].pk)


def everything():
    """Return every row of ours as the database holds it; asked so often that composing the queries took longer."""
    labels = ("workspaces", "profiles", "integrations", "canvas")
    found = {}
    with connection.cursor() as cursor:
        for model in (model for label in labels for model in apps.get_app_config(label).get_models()):
            cursor.execute(f"SELECT * FROM {model._meta.db_table} ORDER BY {model._meta.pk.column}")
            found[model._meta.label] = cursor.fetchall()
    return found


@pytest.mark.parametrize("door", INSIDE, ids=lambda door: door.route)
def test_every_view_says_who_may_enter(door):
    assert isinstance(door.role, Role), f"/{door.route} wears neither @workspace_view nor @api_view"


@every_page
def test_every_page_of_a_workspace_has_the_workspace_in_its_address(door):
    assert door.route.startswith("w/<slug:workspace>/")


@pytest.mark.parametrize("route", sorted(SIGNED_IN))
def test_pages_outside_of_workspaces_ask_anonymous_people_to_sign_in(db, route):
    door = next(door for door in doors() if door.route == route)
    for method in METHODS:
        answer = getattr(Client(), method)(door.address({"partner": "pinterest"}))
        assert answer.status_code == 405 or answer["Location"].startswith("/accounts/login/?next="), method


@every_page
def test_anonymous_people_are_sent_to_sign_in(door, things):
    address = door.address(things)
    for method in METHODS:
        answer = getattr(Client(), method)(address)
        assert (answer.status_code, answer["Location"]) == (302, f"/accounts/login/?next={address}"), method


@every_page
def test_outsiders_see_nothing(door, things, charlie):
    browser, before = browser_of(charlie), everything()
    for method in METHODS:
        assert getattr(browser, method)(door.address(things)).status_code == 404, method
    assert everything() == before


@every_named_page
def test_an_admin_of_another_workspace_cannot_name_what_is_ours(door, things, charlie):
    browser, before = browser_of(charlie), everything()
    for method in METHODS:
        answer = getattr(browser, method)(door.address(things | {"workspace": "other"}))
        assert answer.status_code in (404, 405), method
    assert everything() == before


@every_named_page
def test_a_number_that_no_row_has_names_nothing(door, things, alice):
    browser = browser_of(alice)
    for name in set(door.names) - OF_NOBODY:
        for method in METHODS:
            answer = getattr(browser, method)(door.address(things | {name: 10**30}))
            assert answer.status_code in (404, 405), (name, method)


@pytest.mark.parametrize("door", [door for door in PAGES if door.role != Role.VIEWER], ids=lambda door: door.route)
def test_a_viewer_may_only_read(door, things, bob):
    browser, before = browser_of(bob), everything()
    for method in METHODS:
        assert getattr(browser, method)(door.address(things)).status_code == 403, method
    assert everything() == before


@pytest.mark.parametrize("door", [door for door in PAGES if door.role == Role.VIEWER], ids=lambda door: door.route)
def test_a_viewer_reads(door, things, bob):
    assert browser_of(bob).get(door.address(things)).status_code in (200, 302, 405)


@pytest.mark.parametrize(
    "door",
    [door for door in PAGES if door.role == Role.VIEWER and door.route != LEAVE],
    ids=lambda door: door.route,
)
def test_a_viewer_changes_nothing_even_where_reading_is_allowed(door, things, bob):
    browser, before = browser_of(bob), everything()
    browser.post(door.address(things))
    assert everything() == before


@pytest.mark.parametrize(
    "door", [door for door in PAGES if door.role != Role.ADMIN and door.route != LEAVE], ids=lambda door: door.route
)
def test_an_editor_touches_neither_people_nor_keys_nor_connections(door, things, erin):
    browser, before = browser_of(erin), everything()
    browser.post(door.address(things))
    after = everything()
    assert {label: after[label] for label in OF_ADMINS} == {label: before[label] for label in OF_ADMINS}


@every_page
def test_reading_changes_nothing(door, things, alice):
    browser, before = browser_of(alice), everything()
    answer = browser.get(door.address(things))
    assert answer.status_code in (200, 302, 405)
    assert everything() == before
    assert answer.status_code == 405 or "private" in answer["Cache-Control"]


@every_program
def test_programs_without_a_key_are_refused(door, things, alice):
    for browser in (Client(), browser_of(alice)):
        for method in METHODS:
            answer = getattr(browser, method)(door.address(things))
            assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthorized"), method


@pytest.mark.parametrize("door", [door for door in PROGRAMS if door.names], ids=lambda door: door.route)
def test_a_key_of_another_workspace_cannot_name_what_is_ours(door, things, charlie):
    _key, secret = create_key(Workspace.objects.get(slug="other"), "Theirs", Role.ADMIN, charlie, NOON)
    headers = {"Authorization": f"Bearer {secret}"}
    for method in METHODS:
        answer = getattr(Client(), method)(door.address(things), headers=headers, content_type="application/json")
        found = answer.status_code, answer.json()["error"]["code"]
        assert found in ((404, "not_found"), (405, "method_not_allowed")), method


@pytest.mark.parametrize("door", [door for door in PROGRAMS if door.role != Role.VIEWER], ids=lambda door: door.route)
def test_a_key_that_may_read_may_only_read(door, things, acme, alice):
    _key, secret = create_key(acme, "Reports", Role.VIEWER, alice, NOON)
    for method in METHODS:
        answer = getattr(Client(), method)(door.address(things), headers={"Authorization": f"Bearer {secret}"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden"), method
