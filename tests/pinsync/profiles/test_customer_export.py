"""The messy customer export that stands for all others, and what a correct import of it gives."""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db.models import Q

from pinsync.profiles.importing import run_import
from pinsync.profiles.matching import RECORD_COLUMNS
from pinsync.profiles.models import Import, Profile
from pinsync.workspaces.models import Workspace
from tests import material

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
EXPORT = material.CUSTOMERS

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(not EXPORT.exists(), reason=f"no {EXPORT}: name its folder in PINSYNC_TEST_DATA"),
]


def import_export(workspace: Workspace) -> Import:
    run = Import.objects.create(workspace=workspace, name=EXPORT.name)
    with EXPORT.open("rb") as file:
        return run_import(run, file, now=NOW)


def figures(workspace: Workspace, fields: str) -> dict[str, Any]:
    columns = [RECORD_COLUMNS[field] for field in fields.split(",")]
    profiles = Profile.objects.filter(workspace=workspace)
    nothing = profiles.filter(*(Q(**{column: None}) for column in columns)).count()
    records = {record for row in profiles.values_list(*columns) for record in row if record}
    return {
        "synced": profiles.count() - nothing,
        "not_synced": nothing,
        "distinct_records": len(records),
        "records_sha256": hashlib.sha256("\n".join(sorted(records)).encode()).hexdigest(),
    }


@pytest.mark.parametrize("rows_per_chunk", [10_000, 7])
def test_the_export_gives_exactly_the_expected_figures(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, rows_per_chunk: int
) -> None:
    monkeypatch.setattr("pinsync.profiles.importing.ROWS_PER_CHUNK", rows_per_chunk)
    run = import_export(workspace)
    expected = json.loads(material.EXPECTED.read_text())
    assert {
        "rows": run.rows,
        "rejected_rows": run.rejected,
        "profiles": Profile.objects.filter(workspace=workspace).count(),
        "match_fields": {fields: figures(workspace, fields) for fields in expected["match_fields"]},
    } == expected
    assert (run.state, run.created, run.updated) == ("done", 5000, 50)


def test_the_rejected_rows_are_listed_by_their_lines(workspace: Workspace) -> None:
    run = import_export(workspace)
    listed = list(run.problems.order_by("line").values_list("line", "reason"))
    assert [line for line, _reason in listed[:3]] == [169, 194, 1306]
    assert {reason for _line, reason in listed} == {"no_identifier"}


def test_importing_it_again_changes_no_figure(workspace: Workspace) -> None:
    import_export(workspace)
    before = figures(workspace, "email,idfa,gaid")
    again = import_export(workspace)
    assert (again.created, again.updated, again.rejected) == (0, 5050, 20)
    assert figures(workspace, "email,idfa,gaid") == before
