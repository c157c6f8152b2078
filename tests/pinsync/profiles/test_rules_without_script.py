"""The rules of a segment where no script runs: its buttons send the page, which keeps what was typed."""

import re

import pytest
from django.test import Client

from pinsync.profiles.models import Segment
from pinsync.workspaces.models import Role, Workspace
from tests.pinsync.profiles.test_pages import signed_in

pytestmark = pytest.mark.django_db
NEW = "/w/brand/segments/new/"
TYPED = {
    "name": "Korea",
    "match": "all",
    "g0-match": "any",
    "g0-r0-field": "external_id",
    "g0-r0-operator": "text.equals",
    "g0-r0-value": "kr-1",
}


@pytest.fixture
def alice(workspace: Workspace) -> Client:
    return signed_in(workspace, "alice", Role.ADMIN)


def pressed(client: Client, do: str, typed: dict[str, str]) -> str:
    answer = client.post(NEW, {**typed, "do": do})
    assert answer.status_code == 200
    assert not Segment.objects.exists()
    return answer.content.decode()


def test_the_buttons_of_the_rules_send_the_form_and_enter_saves(alice: Client) -> None:
    form = alice.get(NEW).content.decode().split('id="segment"')[1].split("</form>")[0]
    buttons = re.findall(r"<button([^>]*)>", form)
    assert "name" not in buttons[0]
    assert not [one for one in buttons if 'type="button"' in one]


def test_a_rule_is_added_and_removed_and_what_was_typed_stays(alice: Client) -> None:
    page = pressed(alice, "add:0", TYPED)
    assert 'name="g0-r1-field"' in page
    assert 'value="kr-1"' in page
    assert 'value="Korea"' in page
    assert re.search(r'<option value="any" selected>any rule', page)
    page = pressed(alice, "remove:0:0", {**TYPED, "g0-r1-field": "", "name": ""})
    assert "kr-1" not in page
    assert 'class="error"' not in page
    assert 'name="g1-match"' in pressed(alice, "group:0", TYPED)


def test_a_field_that_was_chosen_gets_what_it_is_compared_by(alice: Client) -> None:
    page = pressed(alice, "show:0", {"name": "Korea", "match": "all", "g0-match": "all", "g0-r0-field": "created_at"})
    assert '<option value="date.last_days" selected>' in page
    assert 'name="g0-r0-value"' in page
    assert alice.post(NEW, TYPED).status_code == 302
    assert Segment.objects.get().filters["groups"][0]["rules"][0]["value"] == "kr-1"
