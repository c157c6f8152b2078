"""What README.md and docs/ say is so: every setting, file, picture, page and command they name."""

import re
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import get_commands

from canvas.scenarios import scenarios
from pinsync import demo

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
SETTINGS = (ROOT / "docs" / "settings.md").read_text()
PAGES = {page.name: page.read_text() for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))}
EVERYTHING = "\n".join(PAGES.values())
NAMED = set(re.findall(r"`([^`\n]+)`", EVERYTHING))
# Read by the Procfile alone.
NOT_IN_SETTINGS = {"BIND"}
# Not in the repository: what runs of it make, and a path of a setting.
MADE_LATER = {".venv/", "var/", "PINSYNC_DATA_DIR/uploads", "PINSYNC_URL/partners/pinterest/callback/"}


def test_the_table_of_settings_is_whole():
    read = set(re.findall(r'env_\w+\(\s*[\'"](\w+)[\'"]', (ROOT / "pinsync" / "settings.py").read_text()))
    table = set(re.findall(r"^\| `([A-Z_]+)` \|", SETTINGS, re.MULTILINE))
    assert table - NOT_IN_SETTINGS == read


def test_the_procfile_reads_what_the_table_says():
    variables = set(re.findall(r"\$\{(\w+)", (ROOT / "Procfile").read_text()))
    assert variables == {"BIND", "PORT", "SANDBOX_PORT"}


@pytest.mark.parametrize(
    "path", sorted(name for name in NAMED - MADE_LATER if re.fullmatch(r"[\w.][\w./-]*/[\w.-]*|\w+\.(in|md)", name))
)
def test_every_file_and_folder_they_name_is_there(path: str):
    assert (ROOT / path).exists()


@pytest.mark.parametrize("page", sorted(PAGES))
def test_every_link_and_picture_of_a_page_leads_somewhere(page: str):
    folder = ROOT if page == "README.md" else ROOT / "docs"
    links = re.findall(r"\]\(([^)#\s]+)(?:#[\w-]+)?\)", PAGES[page])
    assert [link for link in links if "://" not in link and not (folder / link).exists()] == []


def test_every_picture_is_shown():
    shown = set(re.findall(r"!\[[^\]]+\]\((?:docs/)?([\w-]+\.png)\)", EVERYTHING))
    assert shown == {picture.name for picture in (ROOT / "docs").glob("*.png")}


@pytest.mark.parametrize("command", sorted(set(re.findall(r"manage\.py (\w+)", EVERYTHING))))
def test_every_command_they_name_is_there(command: str):
    assert command in get_commands()


def test_the_scenarios_are_as_many_as_it_says():
    assert "tells six stories" in README
    assert len(scenarios()) == 6
    assert set(re.findall(r"--scenario (\w+)", EVERYTHING)) <= set(scenarios())


def test_every_index_that_is_named_is_one():
    known = {index.name for model in apps.get_models() for index in (*model._meta.indexes, *model._meta.constraints)}
    named = {name for name in NAMED if re.fullmatch(r"(arrival|attempt|batch|delivery|entry)_[a-z_]+", name)}
    assert named
    assert named <= known


def test_the_demo_person_signs_in_as_it_says():
    assert f"sign in: {demo.EMAIL} / {demo.PASSWORD}\n" in README
