"""What a file does to the users of a brand, rule by rule."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django_q.models import OrmQ
from pytest_django import DjangoCaptureOnCommitCallbacks

from pinsync.profiles import tasks
from pinsync.profiles.importing import LEASE, run_import, start_import, stored, take_up
from pinsync.profiles.models import Import, Profile
from pinsync.workspaces.models import AuditEvent, Workspace
from tests.pinsync.profiles.conftest import NOW

Take = Callable[..., Import]
IDFA = "a3ea284d-3bd0-4346-84e5-5160320094ea"


def users() -> list[tuple[str | None, str, dict[str, Any]]]:
    return list(Profile.objects.order_by("id").values_list("external_id", "email", "attributes"))


def problems(run: Import) -> list[tuple[int, str]]:
    return list(run.problems.order_by("line").values_list("line", "reason"))


def test_columns_find_their_meaning_by_themselves(take: Take) -> None:
    run = take(f"User ID,E-Mail,Apple IDFA,google_advertising_id,Favourite colour\n1,ann@example.com,{IDFA},-,red\n")
    profile = Profile.objects.get()
    assert (run.state, run.created, run.finished_at) == ("done", 1, run.finished_at)
    assert (profile.external_id, profile.email, profile.idfa, profile.gaid) == ("1", "ann@example.com", IDFA, "-")
    assert (profile.email_record is None, profile.idfa_record is None, profile.gaid_record) == (False, False, None)
    assert profile.attributes == {"Favourite colour": "red"}
    assert (profile.created_at, profile.updated_at, profile.last_import) == (NOW, NOW, run)


def test_a_column_called_id_is_the_external_id_unless_there_is_a_better_one(take: Take) -> None:
    take("id,email\n7,ann@example.com\n")
    take("id,customer_id\n8,bob\n")
    assert users() == [("7", "ann@example.com", {}), ("bob", "", {"id": 8})]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_files_of_every_spreadsheet(take: Take, end: str, bom: str, delimiter: str) -> None:
    lines = ['"external_id"|"no;te,s"', '1|"a, b; c"', '2|"two\nlines ""quoted"""', "3|last"]
    take(bom + end.join(lines).replace("|", delimiter))
    assert users() == [
        ("1", "", {"no;te,s": "a, b; c"}),
        ("2", "", {"no;te,s": 'two\nlines "quoted"'}),
        ("3", "", {"no;te,s": "last"}),
    ]


def test_cells_become_values(take: Take) -> None:
    cells = {
        "true": True,
        "FALSE": False,
        "0": 0,
        "42": 42,
        "-1.50": -1.5,
        "34.10": 34.1,
        "007": "007",
        "1e5": "1e5",
        "+49123": "+49123",
        "-0": "-0",
        "1234567890123456": "1234567890123456",
        "12.": "12.",
        "２": "２",
        "2025-04-07": "2025-04-07",
        "2025-04-07T04:34:38Z": "2025-04-07T04:34:38Z",
        "2025-04-07T13:34:38+09:00": "2025-04-07T04:34:38Z",
        "2025-04-07 04:34": "2025-04-07T04:34:00Z",
        "2025-02-30T00:00:00": "2025-02-30T00:00:00",
        "\u00a0spaced\u200b": "spaced",
        "True story": "True story",
    }
    take("external_id,value\n" + "".join(f"{number},{cell}\n" for number, cell in enumerate(cells)))
    kept = [attributes["value"] for _id, _email, attributes in users()]
    assert kept == list(cells.values())
    assert [type(value) for value in kept] == [type(value) for value in cells.values()]


@pytest.mark.parametrize("rows_per_chunk", [1, 2, 100])
def test_later_cells_win_and_blank_ones_change_nothing(
    take: Take, monkeypatch: pytest.MonkeyPatch, rows_per_chunk: int
) -> None:
    monkeypatch.setattr("pinsync.profiles.importing.ROWS_PER_CHUNK", rows_per_chunk)
    run = take(
        "external_id,email,city,level\n"
        "1,ann@example.com,Berlin,gold\n"
        "1,,,silver\n"
        "2,bob@example.com,,\n"
        "1,n/a, \u200b,\n"
        "1,,Seoul,\n"
    )
    assert users() == [("1", "n/a", {"city": "Seoul", "level": "silver"}), ("2", "bob@example.com", {})]
    assert Profile.objects.get(external_id="1").email_record is None
    assert (run.rows, run.created, run.updated, run.rejected) == (5, 2, 3, 0)


@pytest.mark.parametrize("rows_per_chunk", [1, 3, 100])
def test_rows_without_an_id_go_by_the_address_as_it_is_then(
    take: Take, monkeypatch: pytest.MonkeyPatch, rows_per_chunk: int
) -> None:
    monkeypatch.setattr("pinsync.profiles.importing.ROWS_PER_CHUNK", rows_per_chunk)
    take(
        "external_id,email,n\n"
        "a,x@example.com,1\n"
        "b, X@EXAMPLE.COM ,1\n"
        ",x@example.com,2\n"  # the oldest of two: a
        "a,y@example.com,\n"
        ",x@example.com,3\n"  # a has moved on: b
        ",z@example.com,4\n"  # nobody: a new user without an ID
        ",Z@example.com,5\n"
        "c,z@example.com,6\n"  # an ID of its own never takes over a user without one
        "b,gone@example.com,\n"
        ",x@example.com,7\n"
    )
    assert users() == [
        ("a", "y@example.com", {"n": 2}),
        ("b", "gone@example.com", {"n": 3}),
        (None, "Z@example.com", {"n": 5}),
        ("c", "z@example.com", {"n": 6}),
        (None, "x@example.com", {"n": 7}),
    ]


def test_attributes_merge_key_by_key_under_any_name(take: Take) -> None:
    take('external_id,나이,"say ""hi"""\n1,30,a\n')
    take('external_id,"say ""hi""",b.c\n1,b,c\n')
    assert users() == [("1", "", {"나이": 30, 'say "hi"': "b", "b.c": "c"})]


def test_other_workspaces_keep_their_users(take: Take, workspace: Workspace) -> None:
    other = Workspace.objects.create(name="Other", slug="other")
    for email in ("ann@example.com", ""):
        Profile.objects.create(
            workspace=other, external_id=email or "1", email=email, created_at=NOW, updated_at=NOW, attributes={"a": 1}
        )
    take("external_id,email,a\n1,ann@example.com,2\n")
    assert set(Profile.objects.filter(workspace=other).values_list("attributes__a", flat=True)) == {1}
    assert Profile.objects.get(workspace=workspace).attributes == {"a": 2}


def test_a_bad_row_is_listed_by_its_line_and_stops_nothing(take: Take) -> None:
    run = take(
        "external_id,email,note\n"  # 1
        '1,,"two\nlines"\n'  # 2 and 3
        "2,,short\n"  # 4
        "3,\n"  # 5
        "4,,a,b\n"  # 6
        ",,nobody\n"  # 7
        ",n/a,nobody\n"  # 8
        "5,,nul\0\n"  # 9
        f"{'x' * 201},,\n"  # 10
        f"6,,{'x' * 2001}\n"  # 11
        "\n"  # 12
        '7,,"open\n'  # 13
        '8,,"closed"\n'  # 14
        f"9,,{'x' * 200_000}\n"  # 15
        '10,,"broken" quotes\n'  # 16
        "11,,last\n"
    )
    assert problems(run) == [
        (5, "cells"),
        (6, "cells"),
        (7, "no_identifier"),
        (8, "unusable_email"),
        (9, "nul"),
        (10, "too_long"),
        (11, "too_long"),
        (13, "quote_open"),
        (15, "line_too_long"),
        (16, "quote_open"),
    ]
    assert [external_id for external_id, _email, _attributes in users()] == ["1", "2", "8", "11"]
    assert (run.rows, run.created, run.rejected, run.state) == (14, 4, 10, "done")
    assert run.problems.get(line=5).sentence == "2 cells instead of 3."


def test_a_quote_that_is_never_closed_costs_one_line(take: Take) -> None:
    run = take("external_id,note\n" + '0,"open\n' + "".join(f"{n},x\n" for n in range(1, 1000)))
    assert (problems(run), run.created) == ([(2, "quote_open")], 999)


def test_a_quote_open_in_the_last_line_costs_that_line(take: Take) -> None:
    run = take('external_id,note\n1,x\n2,"open')
    assert (problems(run), run.created) == ([(3, "quote_open")], 1)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf\r\n\n", "empty"),
        (b"\x89PNG\r\n\x1a\n\0\0", "binary"),
        (b"%PDF-1.7", "binary"),
        (b"\0\1\2\3", "binary"),
        (b"external_id\0\0\1\n1\n", "binary"),
        (b"PK\x03\x04 an xlsx", "spreadsheet"),
        (b"\xd0\xcf\x11\xe0 an xls", "spreadsheet"),
        ("external_id,email\n1,x\n".encode("utf-16"), "utf16"),
        ("external_id,email\n1,x\n".encode("utf-16-le"), "utf16"),
        ("external_id,name\n1,ok\n2,Müller\n".encode("latin-1"), "not_utf8"),
        ("external_id,name\n1,이름\n".encode("cp949"), "not_utf8"),
        (b"external_id,name\n1,cut \xf0\x9f", "not_utf8"),
        (b"  <!doctype html><p>Sign in", "markup"),
        (b'{"external_id": 1}', "json"),
        (b'[["external_id"]]', "json"),
        (b"Just some words\nand more\n", "no_identifying_column"),
        (b"name,idfa\nAnn,x\n", "no_identifying_column"),
        (b"external_id,,email\n", "header_empty_name"),
        (b"external_id,a,A \n", "header_duplicate"),
        (b"external_id,email,E-Mail Address\n", "header_same_meaning"),
        (b'"external_id,email\n1,2\n', "header_unreadable"),
        (b"external_id," + b"x" * 101 + b"\n", "header_long_name"),
        (b"external_id," + b",".join(b"a%d" % n for n in range(300)) + b"\n", "header_too_wide"),
    ],
)
def test_a_file_that_cannot_be_imported_is_refused_with_a_sentence(take: Take, content: bytes, reason: str) -> None:
    run = take(content)
    assert (run.state, run.error, run.rows, run.finished_at) == ("failed", reason, 0, NOW)
    assert run.error_sentence.endswith(".")
    assert "{" not in run.error_sentence
    assert not Profile.objects.exists()


def test_a_file_that_is_not_utf8_far_down_imports_nothing(take: Take) -> None:
    run = take(b"external_id\n" + b"".join(b"%d\n" % n for n in range(300_000)) + b"\xff\n")
    assert (run.error, run.error_values, Profile.objects.count()) == ("not_utf8", {"line": 300_002}, 0)


def test_a_header_alone_imports_nothing_and_is_no_mistake(take: Take) -> None:
    run = take("external_id,email\n")
    assert (run.state, run.rows) == ("done", 0)


class Power(Exception):
    """It went off."""


@pytest.mark.django_db(transaction=True)
def test_a_run_that_was_cut_off_goes_on_behind_its_last_whole_chunk(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pinsync.profiles.importing.ROWS_PER_CHUNK", 3)
    lines = ["external_id,note", *(f'{n},"a\nb"' for n in range(4)), "bad", *(f"{n},x" for n in range(4, 9)), "0,again"]
    content = "\n".join(lines).encode()
    run = Import.objects.create(workspace=workspace, name="cut.csv")

    def cut(run: Import) -> None:
        if run.rows >= 6:
            raise Power

    with pytest.raises(Power):
        run_import(run, BytesIO(content), now=NOW, after_chunk=cut)
    assert (Profile.objects.count(), Import.objects.get().rows, Import.objects.get().state) == (5, 6, "running")

    someone_else = run_import(Import.objects.get(), BytesIO(content), now=NOW + timedelta(seconds=1))
    assert someone_else.rows == 6  # the lease still holds

    done = run_import(Import.objects.get(), BytesIO(content), now=NOW + LEASE * 2)
    assert (done.state, done.rows, done.created, done.updated, done.rejected) == ("done", 11, 9, 1, 1)
    assert problems(done) == [(10, "cells")]
    assert done.bytes_done == done.bytes_total == len(content)
    assert Profile.objects.get(external_id="0").attributes == {"note": "again"}


@pytest.mark.django_db(transaction=True)
def test_two_imports_of_the_same_users_at_once_make_them_once(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pinsync.profiles.importing.ROWS_PER_CHUNK", 50)
    lines = [f"{n},user{n}@example.com" for n in range(400)] + [f",only{n}@example.com" for n in range(100)]

    def work(order: int) -> Import:
        run = Import.objects.create(workspace=workspace, name="race.csv")
        content = "\n".join(["external_id,email", *lines[::order]]).encode()
        try:
            return run_import(run, BytesIO(content), now=NOW)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(work, (1, -1)))
    assert [(run.state, run.rows, run.rejected) for run in runs] == [("done", 500, 0)] * 2
    assert (sum(run.created for run in runs), Profile.objects.count()) == (500, 500)


def test_wide_rows_make_smaller_chunks(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pinsync.profiles.importing.BYTES_PER_CHUNK", 100)
    rows_after: list[int] = []
    run = Import.objects.create(workspace=workspace, name="wide.csv")
    content = ("external_id,note\n" + "".join(f"{n},{'x' * 60}\n" for n in range(5))).encode()
    run_import(run, BytesIO(content), now=NOW, after_chunk=lambda one: rows_after.append(one.rows))
    assert rows_after == [2, 4, 5]


def test_a_run_works_for_a_while_and_lets_go(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pinsync.profiles.importing.ROWS_PER_CHUNK", 1)
    content = b"external_id\n1\n2\n3\n"
    run = Import.objects.create(workspace=workspace, name="slices.csv")
    states = []
    for _turn in range(4):
        run = run_import(run, BytesIO(content), now=NOW, seconds=0.0)
        states.append((run.state, run.rows))
    assert states == [("waiting", 1), ("waiting", 2), ("waiting", 3), ("done", 3)]


def test_a_finished_run_is_left_alone(take: Take) -> None:
    run = take("external_id\n1\n")
    again = run_import(run, BytesIO(b"external_id\n2\n"), now=NOW + timedelta(days=1))
    assert (again.state, again.rows, Profile.objects.count()) == ("done", 1, 1)


@pytest.fixture
def uploads(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def started(
    workspace: Workspace, uploads: None, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> Import:
    with django_capture_on_commit_callbacks(execute=True):
        return start_import(workspace, "up.csv", SimpleUploadedFile("up.csv", b"external_id\n1\n2\n"), None, now=NOW)


def test_an_upload_waits_in_a_private_file_and_rings_a_worker(started: Import) -> None:
    assert (started.state, started.bytes_total, OrmQ.objects.count()) == ("waiting", 16, 1)
    assert os.stat(stored(started)).st_mode & 0o777 == 0o600
    assert [event.action for event in AuditEvent.objects.all()] == ["import.started"]


def test_the_task_imports_and_deletes_the_file_and_may_run_twice(started: Import) -> None:
    place = stored(started)
    tasks.continue_import(started.pk)
    tasks.continue_import(started.pk)
    started.refresh_from_db()
    assert (started.state, started.rows, started.path, place.exists()) == ("done", 2, "", False)


def test_a_file_that_is_gone_is_said_so(started: Import) -> None:
    stored(started).unlink()
    tasks.continue_import(started.pk)
    started.refresh_from_db()
    assert (started.state, started.error) == ("failed", "file_gone")


def test_runs_left_lying_are_taken_up_once(
    started: Import, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        assert take_up(NOW + LEASE / 2) == 0  # its doorbell was just rung
        assert take_up(NOW + LEASE * 2) == 1
        assert take_up(NOW + LEASE * 2) == 0
    Import.objects.update(state=Import.State.RUNNING, lease_until=NOW)
    with django_capture_on_commit_callbacks(execute=True):
        assert take_up(NOW + timedelta(seconds=1)) == 1
    assert OrmQ.objects.count() == 3


def test_names_and_reasons_carry_nothing_of_a_user(take: Take) -> None:
    run = take("external_id,email\n,ann@@example.com\n")
    problem = run.problems.get()
    assert "ann" not in f"{problem}{problem.sentence}{problem.values}{run}"
