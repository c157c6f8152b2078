"""`manage.py import_profiles`, as a person or a script uses it."""

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from pinsync.workspaces.models import Workspace


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "customers.csv"
    path.write_text("external_id,email\n1,ann@example.com\n2,bob@example.com\n1,\n,\n")
    return path


def run(*arguments: object) -> str:
    out = StringIO()
    call_command("import_profiles", *map(str, arguments), stdout=out)
    return out.getvalue()


def test_it_says_what_became_of_the_rows(workspace: Workspace, file: Path) -> None:
    assert run("--workspace", "brand", file).splitlines() == [
        "4 rows: 2 made a profile, 1 met one, 1 rejected.",
        "  line 5: Neither an external ID nor an e-mail address says whom this is about.",
    ]


def test_it_says_so_in_json(workspace: Workspace, file: Path) -> None:
    answer = json.loads(run("--workspace", "brand", file, "--json"))
    assert answer.pop("import_id") > 0
    assert answer == {"state": "done", "error": "", "rows": 4, "created": 2, "updated": 1, "rejected": 1}


def test_mistakes_are_sentences(workspace: Workspace, file: Path, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="There is no workspace “nobody”"):
        run("--workspace", "nobody", file)
    with pytest.raises(CommandError, match="cannot be read: No such file"):
        run("--workspace", "brand", tmp_path / "none.csv")
    file.write_text("<html>")
    with pytest.raises(CommandError, match="This is HTML or XML, not CSV"):
        run("--workspace", "brand", file, "--json")
