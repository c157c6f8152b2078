"""One Chromium, one server and one scene for all tests of this folder: what takes time is made once.

Nothing is emptied between the tests. Those that look share the scene and change nothing in it; those that change
something work in a workspace of their own.
"""

import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection, connections
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from pinsync import demo
from pinsync.workspaces.models import Member, Role, User, Workspace
from tests.browser import scene as scenes
from tests.browser.server import Site, running
from tests.helpers import deliver

HERE = Path(__file__).parent
CHROMIUM = shutil.which("chromium") or ""
WANTED = os.environ.get("PINSYNC_TEST_BROWSER") == "true"  # .ci/run: nothing may be skipped
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
TIMEOUT_MS = 30_000  # of one step; it is as long as a busy machine needs, and costs a quiet one nothing


def why_not() -> str:
    """Return why the browser tests cannot run here; nothing when they can."""
    if not CHROMIUM:
        return "there is no Chromium on this machine (Debian: apt install chromium)"
    if "PYTEST_XDIST_WORKER" in os.environ and not WANTED:
        return "Chromium wants a quiet machine: run them with bin/test tests/browser"
    return ""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reason = why_not()
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if reason and WANTED:
                raise pytest.UsageError(f"The browser tests must run (PINSYNC_TEST_BROWSER=true), but {reason}.")
            if reason:
                item.add_marker(pytest.mark.skip(reason=f"browser tests: {reason}"))


@pytest.fixture(scope="package")
def db(django_db_setup: None, django_db_blocker) -> Iterator[None]:
    """The test's database, emptied when the last test of this folder is done instead of after each.

    It takes the place of pytest-django's `db`, by whose name that plugin knows that there must be a test database.
    """
    with django_db_blocker.unblock():
        yield
        call_command("flush", interactive=False, verbosity=0)
        connections.close_all()


@pytest.fixture(scope="package")
def site(db: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    assert "test" in str(connection.settings_dict["NAME"])  # what we make is thrown away
    with running(tmp_path_factory.mktemp("static")) as found:
        yield found


@pytest.fixture(scope="package")
def scene(site: Site) -> scenes.Scene:
    return scenes.make(deliver)


@pytest.fixture(scope="package")
def chromium(site: Site) -> Iterator[Browser]:
    # The driver runs a loop in this thread, beside which Django would refuse to be asked.
    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    expect.set_options(timeout=TIMEOUT_MS)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()
        connections.close_all()  # beside a running loop this thread has connections of its own
    if before is None:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


def context_of(chromium: Browser, site: Site, user: User | None, **options: object) -> BrowserContext:
    """Return a window in which this person is signed in, by the cookie of a session."""
    values = {"viewport": WIDE, "locale": "en-GB", "timezone_id": "UTC", "reduced_motion": "reduce"} | options
    context = chromium.new_context(base_url=site.url, **values)
    context.set_default_timeout(TIMEOUT_MS)
    if user is not None:
        client = Client()
        client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
        context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": site.url}])
    return context


def watch(page: Page) -> list[str]:
    """Return a list that fills with what the page complains of: script errors, refused by policy, not found."""
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(f"script: {error}"))
    page.on("console", lambda said: complaints.append(f"policy: {said.text}") if "Content Security" in said.text else 0)
    page.on(
        "response",
        lambda answer: complaints.append(f"{answer.status} {answer.url}") if answer.status >= 500 else None,
    )
    return complaints


@pytest.fixture
def window(chromium: Browser, site: Site) -> Iterator[Callable[..., Page]]:
    """Open pages as somebody; in the end nothing may have gone wrong in any of them."""
    opened: list[tuple[BrowserContext, list[str]]] = []

    def open_as(user: User | None, **options: object) -> Page:
        context = context_of(chromium, site, user, **options)
        page = context.new_page()
        opened.append((context, watch(page)))
        return page

    yield open_as
    for context, _complaints in opened:
        context.close()
    assert [complaint for _context, complaints in opened for complaint in complaints] == []


@pytest.fixture
def shop(site: Site) -> Workspace:
    """A workspace for this test alone."""
    return Workspace.objects.create(name="Shop", slug=f"shop-{secrets.token_hex(4)}")


@pytest.fixture
def alice(shop: Workspace) -> User:
    """Its Admin."""
    user = User.objects.create_user(f"alice@{shop.slug}.example.com", demo.PASSWORD)
    Member.objects.create(workspace=shop, user=user, role=Role.ADMIN)
    return user
