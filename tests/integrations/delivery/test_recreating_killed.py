"""Processes die, or are many at once, while a deleted audience is made anew: it is made once, and nobody is lost."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from django.db import connection as database
from django.utils import timezone

from integrations import creating, upkeep
from integrations.delivery import claiming, recreating, sending
from integrations.delivery.limits import limits_of
from integrations.models import Audience, Batch, Recreation
from pinsync.profiles.models import Profile
from pinsync.workspaces.models import AuditEvent
from tests.helpers import (
    break_it,
    deliver,
    figures,
    later,
    let_in,
    mend,
    people,
    records_at,
    records_of,
    resume_creations,
    sync_to,
)
from tests.workers import ROOT, database_url, until

pytestmark = [pytest.mark.processes, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def gone(audience, sandbox, workspace):
    """Forty users were synced before the audience was deleted; the partner may still be told so."""
    sync = sync_to(audience)
    let_in(sync, people(workspace, 40))
    deliver()
    break_it(sandbox, "delete_audience", audience_id=audience.external_id)
    Audience.objects.update(state="gone", failure="audience_gone")
    audience.refresh_from_db()
    return sync


@pytest.fixture
def start(settings):
    """Run some lines in a process of their own, as a worker would."""
    started = []

    def start(lines: str) -> subprocess.Popen:
        env = os.environ | {
            "DATABASE_URL": database_url(),
            "PINTEREST_API_URL": settings.PINTEREST_API_URL,
            "PINTEREST_OAUTH_URL": settings.PINTEREST_OAUTH_URL,
            "SECRET_KEY": settings.SECRET_KEY,
            "PINSYNC_TOKEN_KEYS": ",".join(settings.TOKEN_KEYS),
            "PINSYNC_USERS_PER_REQUEST": "5",
        }
        begin = "import os, signal\nfrom django.db import transaction\nfrom django.utils import timezone\n"
        begin += "from integrations import upkeep\nfrom integrations.delivery import recreating\n"
        process = subprocess.Popen([sys.executable, ROOT / "manage.py", "shell", "-v0", "-c", begin + lines], env=env)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def back(sandbox, audience) -> set[str]:
    """Return the users in the new list; one record in it stands for nobody."""
    audience.refresh_from_db()
    found = records_at(sandbox.world, audience)
    assert len(found - records_of(Profile.objects.all())) == 1
    return found & records_of(Profile.objects.all())


def made(sandbox, audience) -> tuple[int, int]:
    world = sandbox.world
    lists = sum(one.name == audience.name for one in world.customer_lists.values())
    return lists, sum(one.name == audience.name for one in world.audiences.values())


@pytest.mark.parametrize(("path", "at_the_partner"), [("/customer_lists", (1, 0)), ("/audiences", (1, 1))])
def test_a_process_killed_in_the_middle_of_a_creation(gone, audience, sandbox, start, workspace, path, at_the_partner):
    assert creating.recreate(audience, None, timezone.now())
    break_it(sandbox, "latency", ms=3000, path=path)  # done there, and not yet known here
    process = start("upkeep.keep(timezone.now())")
    until(lambda: made(sandbox, audience) == at_the_partner, 40)
    process.send_signal(signal.SIGKILL)
    assert process.wait(5) == -signal.SIGKILL
    mend(sandbox)
    assert Audience.objects.get(pk=audience.pk).state == "creating"
    assert resume_creations(timezone.now()) == 0  # its lease is not over
    assert resume_creations(later(minutes=4)) == 1
    upkeep.keep(timezone.now())
    deliver()
    assert made(sandbox, audience) == (1, 1)
    assert back(sandbox, audience) == records_of(workspace.profiles.all())
    assert figures(gone) == {"entered": 40, "synced": 40, "not_synced": 0, "pending": 0, "errored": 0}


def test_a_process_killed_in_the_middle_of_sending_again(gone, audience, sandbox, start, workspace):
    assert creating.recreate(audience, None, timezone.now())
    assert resume_creations(timezone.now()) == 1
    process = start(
        "portions = recreating.portions(timezone.now())\n"
        "next(portions)()\n"
        "with transaction.atomic():\n"
        "    assert next(portions)() == 10\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert process.wait(40) == -signal.SIGKILL
    assert Recreation.objects.get().sent_again == 10
    assert figures(gone) == {"entered": 40, "synced": 30, "not_synced": 0, "pending": 10, "errored": 0}
    upkeep.keep(timezone.now())
    assert Recreation.objects.get().sent_again == 40
    deliver()
    assert back(sandbox, audience) == records_of(workspace.profiles.all())
    assert figures(gone) == {"entered": 40, "synced": 40, "not_synced": 0, "pending": 0, "errored": 0}


def together(number: int, work) -> list:
    """Do the same in some threads at the same time; return what each got."""
    barrier, found = threading.Barrier(number), []

    def run() -> None:
        barrier.wait()
        try:
            found.append(work())
        finally:
            database.close()

    threads = [threading.Thread(target=run) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(found) == number
    return found


def test_people_who_press_at_once_make_one(gone, audience, sandbox):
    pressed = together(4, lambda: creating.recreate(Audience.objects.get(pk=audience.pk), None, timezone.now()))
    assert sorted(pressed) == [False, False, False, True]
    assert Recreation.objects.count() == AuditEvent.objects.filter(action="audience.recreated").count() == 1
    now = timezone.now()
    together(3, lambda: upkeep.keep(now))
    assert made(sandbox, audience) == (1, 1)


def test_many_who_send_again_at_once_move_everybody_once(gone, audience, sandbox, settings, workspace):
    settings.USERS_PER_REQUEST = 3
    assert creating.recreate(audience, None, timezone.now())
    assert resume_creations(timezone.now()) == 1
    now = timezone.now()
    moved = together(3, lambda: sum(portion() for portion in recreating.portions(now)))
    assert sum(moved) == 40
    assert figures(gone) == {"entered": 40, "synced": 0, "not_synced": 0, "pending": 40, "errored": 0}
    assert sum(Batch.objects.filter(settled_at=None).values_list("users", flat=True)) == 40
    settings.USERS_PER_REQUEST = 0
    deliver()
    assert back(sandbox, audience) == records_of(workspace.profiles.all())


def test_a_late_no_from_the_old_one_does_not_make_the_new_one_gone(gone, audience, sandbox, workspace):
    let_in(gone, people(workspace, 1, name="late"))
    claim = claiming.claim(audience.pk, "add", limits=limits_of("pinterest"), fresh=True, now=timezone.now())
    break_it(sandbox, "latency", ms=1500, path="/customer_lists/")
    answers = []

    def slow() -> None:
        answers.append(sending.send(claim.batch, claim.records))
        database.close()

    thread = threading.Thread(target=slow)
    thread.start()
    time.sleep(0.5)  # it was refused there by now, and does not know
    assert creating.recreate(audience, None, timezone.now())
    assert resume_creations(timezone.now()) == 1
    thread.join(20)
    assert answers == [False]
    assert Audience.objects.get(pk=audience.pk).state == "ready"
    mend(sandbox)
    upkeep.keep(timezone.now())
    deliver()
    assert back(sandbox, audience) == records_of(workspace.profiles.all())
