"""An import under way: how far it is, how long the rest takes, and how it is cancelled."""

import threading
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from pinsync.profiles import importing, tasks
from pinsync.profiles.importing import LEASE, cancel, run_import, start_import, stored, take_up
from pinsync.profiles.models import Import, Profile
from pinsync.progress import Progress
from pinsync.workspaces.models import AuditEvent, Member, Role, User, Workspace
from tests.pinsync.profiles.conftest import NOW

ROWS = b"external_id\n" + b"".join(b"%d\n" % n for n in range(10, 30))


@pytest.fixture
def erin(workspace: Workspace) -> User:
    user = User.objects.create_user("erin@example.com")
    Member.objects.create(workspace=workspace, user=user, role=Role.EDITOR)
    return user


@pytest.fixture
def started(workspace: Workspace, settings: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Import:
    settings.MEDIA_ROOT = tmp_path
    monkeypatch.setattr(importing, "ROWS_PER_CHUNK", 5)
    return start_import(workspace, "up.csv", SimpleUploadedFile("up.csv", ROWS), None, now=NOW)


def work(run: Import, **how: Any) -> Import:
    """Work on a run as a worker does, with an object of its own."""
    return run_import(Import.objects.get(pk=run.pk), BytesIO(ROWS), now=NOW, **how)


def test_the_time_left_is_told_once_it_means_something(started: Import) -> None:
    assert started.progress == Progress(0, None, None)
    run = work(started, seconds=0.0)
    assert (run.state, run.rows, run.bytes_done, run.bytes_total) == ("waiting", 5, 27, 72)
    assert 0 < run.worked_seconds < 2
    assert run.progress == Progress(5, 13, None)  # two digits of 5 × 72 / 27 = 13.3
    run.worked_seconds = 9.0
    assert run.progress == Progress(5, 13, pytest.approx((72 - 27) * 9 / 27))


def test_what_a_crash_undoes_is_no_work_and_what_was_saved_is(started: Import, monkeypatch: Any) -> None:
    saved = work(started, seconds=0.0).worked_seconds

    def crash(*_args: Any, **_how: Any) -> None:
        raise MemoryError

    with monkeypatch.context() as broken:
        broken.setattr(importing, "write", crash)
        with pytest.raises(MemoryError):
            work(started)
    started.refresh_from_db()
    assert (started.state, started.rows, started.worked_seconds) == ("running", 5, saved)
    run = run_import(started, BytesIO(ROWS), now=NOW + LEASE * 2)
    assert (run.state, run.rows, Profile.objects.count()) == ("done", 20, 20)
    assert run.worked_seconds > saved


def test_one_that_waits_is_not_read(started: Import, erin: User) -> None:
    place = stored(started)
    assert cancel(started, erin, now=NOW)
    assert (started.state, started.finished_at, started.path, place.exists()) == ("cancelled", NOW, "", False)
    tasks.continue_import(started.pk)
    assert take_up(NOW + timedelta(days=1)) == 0
    assert work(started).state == "cancelled"
    assert Profile.objects.count() == 0
    event = AuditEvent.objects.get(action="import.cancelled")
    assert (event.actor, event.target, event.detail) == (erin, "up.csv", {"run": started.pk, "rows": 0})


def test_a_worker_stops_and_what_was_taken_stays(started: Import, erin: User) -> None:
    def press(run: Import) -> None:
        if run.rows == 10:
            assert cancel(Import.objects.get(pk=run.pk), erin, now=NOW)

    run = work(started, after_chunk=press)
    assert (run.state, run.rows, run.taken, Profile.objects.count()) == ("cancelled", 10, 10, 10)
    assert AuditEvent.objects.get(action="import.cancelled").detail["rows"] == 10
    assert not cancel(run, erin, now=NOW)


def test_a_worker_that_read_to_the_end_says_nothing_else(started: Import, erin: User) -> None:
    run = work(started, after_chunk=lambda run: cancel(Import.objects.get(pk=run.pk), erin, now=NOW) and None)
    assert run.state == "cancelled"
    assert not importing.finish(run, Import.State.DONE, now=NOW)
    assert run.state == "cancelled"


def test_one_that_ended_is_left_alone(started: Import, erin: User) -> None:
    old = Import.objects.get(pk=started.pk)
    assert work(started).state == "done"
    assert not cancel(old, erin, now=NOW)
    assert (old.state, old.rows) == ("done", 20)
    assert not AuditEvent.objects.filter(action="import.cancelled").exists()


def test_users_being_made_up_are_the_simulators(workspace: Workspace, erin: User) -> None:
    run = Import.objects.create(workspace=workspace, name="made up", state=Import.State.RUNNING)
    assert not cancel(run, erin, now=NOW)
    assert run.state == "running"


def test_the_command_says_so(workspace: Workspace, erin: User, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "shop.csv"
    file.write_bytes(ROWS)
    monkeypatch.setattr(importing, "ROWS_PER_CHUNK", 5)
    monkeypatch.setattr(
        "pinsync.profiles.management.commands.import_profiles._draw",
        lambda run: cancel(Import.objects.get(pk=run.pk), erin, now=NOW) and None,
    )
    with pytest.raises(CommandError, match="Cancelled on its page: 5 rows were read"):
        call_command("import_profiles", file, workspace="brand")
    assert Import.objects.get().state == "cancelled"


@pytest.mark.django_db(transaction=True)
def test_two_who_press_at_once_while_a_worker_is_at_it(started: Import, erin: User) -> None:
    """One of them cancels; the chunk that the worker held meanwhile is not saved."""
    pressed: list[bool] = []
    reading, barrier = threading.Event(), threading.Barrier(2)

    def press() -> None:
        reading.wait(20)
        barrier.wait(20)
        pressed.append(cancel(Import.objects.get(pk=started.pk), erin, now=NOW))
        connection.close()

    people = [threading.Thread(target=press) for _ in range(2)]
    for person in people:
        person.start()

    def wait(run: Import) -> None:
        reading.set()
        for person in people:
            person.join(20)

    run = work(started, after_chunk=wait)
    assert sorted(pressed) == [False, True]
    assert (run.state, run.rows, Profile.objects.count()) == ("cancelled", 5, 5)
    assert AuditEvent.objects.filter(action="import.cancelled").count() == 1


def test_its_page_shows_it_survives_a_reload_and_cancels(started: Import, erin: User, client: Client) -> None:
    client.force_login(erin)
    page = f"/w/brand/imports/{started.pk}/"
    assert "Waiting for a worker" in client.get(page).content.decode()
    work(started, seconds=0.0)
    Import.objects.update(worked_seconds=60)
    for _reload in range(2):
        shown = client.get(page).content.decode()
        assert "<strong>5</strong> of about 13 rows read." in shown
        assert "About 100 s left." in shown
        assert 'hx-trigger="every 1s"' in shown
    listed = client.get("/w/brand/imports/").content.decode()
    assert "37 %, about 100 s left" in listed
    assert 'hx-select="#latest-imports"' in listed
    assert client.get(f"{page}cancel/").status_code == 405
    shown = client.post(f"{page}cancel/", follow=True).content.decode()
    assert "5 rows were taken before it was cancelled, and stay." in shown
    assert "every 1s" not in shown
    assert f"{page}cancel/" not in shown
    assert "hx-select" not in client.get("/w/brand/imports/").content.decode()
    assert "Nothing to cancel" in client.post(f"{page}cancel/", follow=True).content.decode()


def test_a_viewer_watches_and_an_outsider_sees_nothing(started: Import, workspace: Workspace, client: Client) -> None:
    bob = User.objects.create_user("bob@example.com")
    Member.objects.create(workspace=workspace, user=bob, role=Role.VIEWER)
    press = f"/w/brand/imports/{started.pk}/cancel/"
    client.force_login(bob)
    for path in ("", "progress/"):
        shown = client.get(f"/w/brand/imports/{started.pk}/{path}").content.decode()
        assert "Waiting for a worker" in shown
        assert press not in shown
    assert client.post(press).status_code == 403
    client.force_login(User.objects.create_user("charlie@example.com"))
    assert client.post(press).status_code == 404
    started.refresh_from_db()
    assert started.state == "waiting"
