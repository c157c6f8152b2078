"""What README.md says is so: every setting, file and command it names."""

import re
from pathlib import Path

import pytest
from django.core.management import get_commands

from pinsync import demo

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
NAMED = set(re.findall(r"`([^`\n]+)`", README))
# Read by the Procfile alone.
NOT_IN_SETTINGS = {"BIND"}


def test_the_table_of_settings_is_whole():
    read = set(re.findall(r'env_\w+\(\s*[\'"](\w+)[\'"]', (ROOT / "pinsync" / "settings.py").read_text()))
    table = set(re.findall(r"^\| `([A-Z_]+)` \|", README, re.MULTILINE))
    assert table - NOT_IN_SETTINGS == read


def test_the_procfile_reads_what_the_table_says():
    variables = set(re.findall(r"\$\{(\w+)", (ROOT / "Procfile").read_text()))
    assert variables == {"BIND", "PORT", "SANDBOX_PORT"}


@pytest.mark.parametrize("path", sorted(name for name in NAMED if re.fullmatch(r"[\w./-]+/[\w.-]+|\w+\.(in|md)", name)))
def test_every_file_it_names_is_there(path: str):
    assert (ROOT / path).exists()


@pytest.mark.parametrize("command", sorted(set(re.findall(r"manage\.py (\w+)", README))))
def test_every_command_it_names_is_there(command: str):
    assert command in get_commands()


def test_the_demo_person_signs_in_as_it_says():
    assert f"sign in: {demo.EMAIL} / {demo.PASSWORD}\n" in README
