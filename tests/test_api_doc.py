"""What docs/api.md says is so: every address, every code, and every example with its answer."""

import json
import re
import shlex
from pathlib import Path

import pytest
from django.conf import settings
from django.urls import get_resolver

from canvas import launching
from canvas.models import Canvas, Step
from canvas.views import api as canvas_api
from pinsync.profiles import api as profiles_api
from pinsync.profiles import rows
from pinsync.profiles.models import Profile
from tests.canvas.conftest import NOON, ad_account, add, alice, audience, connection, partner, workspace
from tests.canvas.test_api import make_key

__all__ = ("ad_account", "alice", "audience", "connection", "partner", "workspace")  # fixtures
ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "docs" / "api.md").read_text()
HOST = "https://pinsync.example.com"
STEPS = {31: "audience_sync", 32: "delay"}  # ids of the examples
SECTION = re.compile(r"^## `(GET|POST) (/api/\S+)`\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
EXAMPLE = re.compile(r"```sh\n(.*?)```\n\n`(\d+)`(.*?)```json\n(.*?)```", re.DOTALL)


def served() -> dict[str, str]:
    """Return the API's addresses, with the names of what stands in them, and the role that each asks for."""
    found = {}
    for included in get_resolver().url_patterns:
        for pattern in getattr(included, "url_patterns", ()):
            route = str(pattern.pattern)
            if route.startswith("api/"):
                found["/" + re.sub(r"<int:(\w+)>", r"{\1}", route)] = pattern.callback.required_role
    return found


def test_every_address_is_described_with_the_role_that_it_takes():
    roles = {"editor": "Takes an Editor's key.", "viewer": "Takes any key."}
    told = {path: text for _method, path, text in SECTION.findall(TEXT)}
    assert set(told) == set(served())
    for path, role in served().items():
        assert roles[role] in told[path], path


def test_the_readme_has_one_example_of_each():
    readme = (ROOT / "README.md").read_text()
    asked = re.findall(r"^send \$PINSYNC_URL(/api/\S+)", readme, re.MULTILINE)
    assert sorted(re.sub(r"/\d+", "/{canvas}", path) for path in asked) == sorted(served())


def test_the_first_table_lists_the_sections():
    listed = re.findall(r"^\| \[`((?:GET|POST) \S+)`\]\(#(\S+)\)", TEXT, re.MULTILINE)
    assert [name for name, _anchor in listed] == [f"{method} {path}" for method, path, _text in SECTION.findall(TEXT)]
    for name, anchor in listed:
        assert anchor == re.sub(r"[^\w -]", "", name).lower().replace(" ", "-")


def test_every_code_of_a_refusal_is_in_the_table():
    raised = set()
    for source in ("pinsync/workspaces/access.py", "pinsync/profiles/api.py", "canvas/views/api.py"):
        raised |= set(re.findall(r'ApiError\(\s*(\d+),\s*"(\w+)"', (ROOT / source).read_text()))
    told = {
        (status, code)
        for status, codes in re.findall(r"^\| (\d+) \| ((?:`\w+`(?:, )?)+) \|", TEXT, re.MULTILINE)
        for code in re.findall(r"`(\w+)`", codes)
    }
    assert told == raised


def test_every_code_of_an_object_is_told():
    raised = set()
    for source in ("pinsync/profiles/api.py", "pinsync/profiles/rows.py"):
        raised |= set(re.findall(r'RowRefused\("(\w+)"', (ROOT / source).read_text()))
    raised |= {"no_identifier", "unusable_email"}  # one of the two, by a condition
    told = TEXT.partition("Codes of objects:")[2].partition("An identifier")[0]
    assert set(re.findall(r"`(\w+)`", told)) == raised


def test_the_limits_are_those_of_the_code():
    external_id = Profile._meta.get_field("external_id").max_length
    for line in (
        f"| profiles in one call | {profiles_api.MOST:,} |",
        f"| events, or ids, in one call | {canvas_api.MOST_USERS:,} |",
        f"| body | {settings.DATA_UPLOAD_MAX_MEMORY_SIZE // 1024**2} MB |",
        f"| `external_id` | {external_id} characters |",
        f"| attributes of a profile | {rows.MOST_ATTRIBUTES}, names of {rows.LONGEST_NAME} characters, "
        f"texts of {rows.LONGEST_TEXT:,} |",
        f"| `Idempotency-Key` | {canvas_api.KEY_LENGTH} characters |",
    ):
        assert line in TEXT


def ask(client, command: str, key: str):
    """Do what a curl command does."""
    words = shlex.split(command.replace("\\\n", " ").replace("$KEY", key))
    assert words.pop(0) == "curl"
    address = words.pop(0)
    assert address.startswith(HOST)
    options = list(zip(words[::2], words[1::2], strict=True))
    headers = dict(value.split(": ", 1) for option, value in options if option == "-H")
    bodies = [value for option, value in options if option == "-d"]
    assert {option for option, _value in options} <= {"-H", "-d"}
    if not bodies:
        return client.get(address.removeprefix(HOST), headers=headers)
    kind = headers.pop("Content-Type")
    return client.post(address.removeprefix(HOST), bodies[0], content_type=kind, headers=headers)


@pytest.mark.django_db
def test_every_example_is_answered_as_it_says(client, workspace, audience, alice):
    for pk, fields in ((7, {"entry_kind": "api"}), (8, {"entry_kind": "event", "event_name": "purchase"})):
        one = Canvas.objects.create(pk=pk, workspace=workspace, name="Winter sale", **fields)
        add(one, "audience_sync", audience=audience)
        add(one, "delay", amount=1, unit="hours")
        launching.launch(one, alice, NOON)
    ids = {shown: Step.objects.get(canvas=7, kind=kind).pk for shown, kind in STEPS.items()}
    key = make_key(workspace, "editor")
    examples = [EXAMPLE.findall(text) for _method, _path, text in SECTION.findall(TEXT)]
    assert [len(found) for found in examples] == [1] * len(served())  # one of each
    for ((command, status, also, answer),) in examples:
        said = ask(client, command, key)
        assert str(said.status_code) in {status, *re.findall(r"`(\d{3})`", also)}, said.content
        expected = json.loads(answer)
        for step in expected.get("steps", ()):
            step["id"] = ids[step["id"]]
        assert said.json() == expected


@pytest.mark.django_db
def test_the_refusal_of_the_example_is_one(client, workspace, audience):
    example = re.search(r"```json\n(\{\"error\".*?)```", TEXT, re.DOTALL)
    assert example is not None
    one = Canvas.objects.create(workspace=workspace, name="Draft", entry_kind="api")
    answer = client.post(
        f"/api/v1/canvases/{one.pk}/enter",
        {"external_ids": ["c-1001"]},
        content_type="application/json",
        headers={"Authorization": f"Bearer {make_key(workspace, 'editor')}"},
    )
    assert (answer.status_code, answer.json()) == (409, json.loads(example[1]))
