"""A second partner is one folder, one settings line and one template folder. Nothing else knows of it."""

import copy
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings as project
from django.core.management import call_command
from django.utils import timezone

from integrations import audiences, registry
from integrations.models import Connection
from pinsync.workspaces.models import Member, Role, User, Workspace
from tests.helpers import deliver, figures, let_in, people, refresh_due, sync_to

TEMPLATES = Path(__file__).parent / "tiny" / "templates"
PAGE = "/w/shop/partners/tiny/"


@pytest.fixture(autouse=True)
def _with_tiny(settings) -> None:
    settings.AUDIENCE_PARTNERS = [*settings.AUDIENCE_PARTNERS, "tests.partners.tiny.partner.Tiny"]
    templates = copy.deepcopy(settings.TEMPLATES)
    templates[0]["DIRS"].append(TEMPLATES)
    settings.TEMPLATES = templates


@pytest.fixture
def tiny():
    return registry.partner("tiny")


@pytest.fixture
def web(db, client):
    shop = Workspace.objects.create(name="Shop", slug="shop")
    alice = User.objects.create_user("alice@example.com")
    Member.objects.create(workspace=shop, user=alice, role=Role.ADMIN)
    client.force_login(alice)
    return client


@pytest.fixture
def connection(web) -> Connection:
    away = web.post(f"{PAGE}connect/", {"terms": "on"})
    state = away["Location"].split("state=")[1]
    choose = web.get("/partners/tiny/callback/", {"state": state, "code": "yes"})
    web.post(choose["Location"], {"ad_account": ["a1"]})
    return Connection.objects.get(partner="tiny")


def test_its_page_stands_beside_pinterests(web):
    tiles = web.get("/w/shop/partners/").content.decode()
    assert "Tiny Ads" in tiles
    assert "Pinterest" in tiles
    page = web.get(PAGE).content.decode()
    assert "Tiny Ads shows tiny ads." in page
    assert "https://tiny.example/terms" in page


def test_it_connects_refreshes_and_disconnects(web, connection, tiny):
    assert connection.partner_user_name == "Tim"
    assert "You successfully connected 1 Tiny Ads ad account." in web.get(PAGE).content.decode()
    assert refresh_due(timezone.now() + timedelta(minutes=56)) == 1
    web.post(f"{PAGE}disconnect/")
    assert Connection.objects.get().state == "disconnected"
    assert Connection.objects.get().access_token == ""


def test_users_are_delivered_within_its_own_limits(connection, tiny):
    ad_account = connection.ad_accounts.select_related("connection").get()
    audience = audiences.create(ad_account, "Everybody", "", timezone.now())
    sync = sync_to(audience)
    assert audiences.problems(sync) == []
    let_in(sync, people(connection.workspace, 7))
    deliver()
    assert figures(sync)["synced"] == 7
    assert len(tiny.memory.members[audience.external_id]) == 7
    assert max(tiny.memory.requests) <= tiny.records_per_request
    assert audiences.refresh(ad_account, timezone.now()) == 1
    assert audiences.search(ad_account).audiences[0].size == 7


def test_its_own_rule_for_names_counts(connection):
    ad_account = connection.ad_accounts.select_related("connection").get()
    with pytest.raises(audiences.CannotCreate, match="up to 20 characters"):
        audiences.create(ad_account, "x" * 21, "", timezone.now())


def test_it_needs_no_migration(db, capsys):
    call_command("makemigrations", "--check", "--dry-run")
    assert "No changes detected" in capsys.readouterr().out


def test_no_file_outside_its_folder_names_it():
    root = project.BASE_DIR
    files = [path for app in ("integrations", "canvas", "pinsync") for path in (root / app).rglob("*.py")]
    assert len(files) > 50
    assert [path for path in files if "Tiny" in path.read_text()] == []
