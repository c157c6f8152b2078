"""A token refreshed by real processes: eight at once, and one that is killed between the answer and the save."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.core import mail
from django.db import connection as database
from django.db import transaction
from django.utils import timezone

from integrations import registry, telling, tokens
from integrations.errors import NeedsReconnect
from integrations.models import Connection
from integrations.pinterest.sandbox.tokens import digest
from pinsync.workspaces.models import Member, Role, User
from tests.helpers import break_it, deliver, figures, let_in, mend, people, sync_to
from tests.workers import ROOT, environment, until

pytestmark = [pytest.mark.processes, pytest.mark.django_db(transaction=True)]
REFRESH = """
import sys
import django
django.setup()
from django.utils import timezone
from integrations import tokens
from integrations.errors import PartnerError
from integrations.models import Connection
connection = Connection.objects.get(pk=int(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
try:
    print(tokens.refresh(connection, timezone.now()).generation)
except PartnerError as problem:
    print(problem.code)
"""


@pytest.fixture
def start(connection) -> Iterator[Callable[[], subprocess.Popen]]:
    """Start a process that has read the connection and refreshes its token when told."""
    started = []

    def start() -> subprocess.Popen:
        command = [sys.executable, "-c", REFRESH, str(connection.pk)]
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment() | {"DJANGO_SETTINGS_MODULE": "pinsync.settings"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def fresh() -> Connection:
    return Connection.objects.get()


def grant(sandbox):
    (found,) = sandbox.tokens.grants.values()
    return found


def refreshes(sandbox) -> int:
    return sum(each.path.endswith("/oauth/token") for each in sandbox.log.requests)


def works(connection) -> bool:
    me = tokens.with_token(connection, registry.partner("pinterest").me, timezone.now())
    return me.name == "maple_and_moss"


def test_eight_processes_at_once_refresh_once_and_the_rotated_token_is_kept(start, connection, sandbox):
    processes = [start() for _ in range(8)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate(timeout=30)[0].strip() for process in processes]
    assert refreshes(sandbox) == 1
    assert str(connection.generation + 1) in said
    # Who came while it was being refreshed tries again later; who came after it got what was saved.
    assert set(said) <= {str(connection.generation + 1), "partner_unavailable"}
    found = fresh()
    assert found.generation == connection.generation + 1
    assert found.refresh_token != connection.refresh_token
    assert digest(found.refresh_token) == grant(sandbox).refresh
    assert works(found)
    assert refreshes(sandbox) == 1


def killed_between_answer_and_save(start, connection, sandbox) -> None:
    """Kill a process that has Pinterest's answer to a refresh and waits for the database to save it."""
    break_it(sandbox, "latency", ms=1500, path="/oauth/token")
    before = grant(sandbox).refresh
    process = start()
    assert process.stdout.readline() == "ready\n"
    process.stdin.write("go\n")
    process.stdin.flush()
    until(lambda: grant(sandbox).refresh != before, 10)  # Pinterest has rotated, its answer is on the way
    with transaction.atomic():
        Connection.objects.filter(pk=connection.pk).update(looked_at=timezone.now())  # nobody else can write the row
        until(lambda: refreshes(sandbox) == 1, 10)  # answered
        time.sleep(0.5)
        process.kill()
        process.wait(5)
        if database.vendor == "postgresql":  # the server would still do what it was asked, as if in the last moment
            with database.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE 'UPDATE%'"
                )
    mend(sandbox)
    assert fresh().refresh_token == connection.refresh_token  # what Pinterest gave is lost
    assert digest(connection.refresh_token) != grant(sandbox).refresh


def test_a_process_killed_right_after_the_answer_leaves_a_refresh_that_the_next_one_makes_good(
    start, connection, sandbox
):
    killed_between_answer_and_save(start, connection, sandbox)
    now = timezone.now()
    assert tokens.refresh(fresh(), now + tokens.LEASE + timedelta(seconds=1)).state == "connected"
    assert refreshes(sandbox) == 2
    assert digest(fresh().refresh_token) == grant(sandbox).refresh
    assert works(fresh())


def test_where_the_former_token_is_dead_at_once_everybody_waits_for_a_reconnect(
    start, connection, audience, workspace, sandbox, monkeypatch
):
    """The worst that can be: a letter, and nobody is lost."""
    alice = User.objects.create_user("alice@example.com")
    Member.objects.create(workspace=workspace, user=alice, role=Role.ADMIN)
    sync = sync_to(audience)
    let_in(sync, people(workspace, 3))
    monkeypatch.setattr(sandbox.tokens, "strict", True)
    killed_between_answer_and_save(start, connection, sandbox)
    later = timezone.now() + tokens.LEASE + timedelta(seconds=1)
    with pytest.raises(NeedsReconnect):
        tokens.refresh(fresh(), later)
    assert (fresh().state, fresh().broken_code) == ("broken", "invalid_token")
    assert telling.tell_of_breaks(later) == 1
    assert [sent.to for sent in mail.outbox] == [["alice@example.com"]]
    deliver()
    assert figures(sync) == {"entered": 3, "synced": 0, "not_synced": 0, "pending": 3, "errored": 0}
    renewed = sandbox.tokens.grant(connection.partner_user_id, fresh().scopes or SCOPES, sandbox.clock.now())
    Connection.objects.update(
        state="connected", access_token=renewed.access, refresh_token=renewed.refresh, generation=9, broken_code=""
    )
    deliver()
    assert figures(sync)["synced"] == 3


SCOPES = ["user_accounts:read", "ads:read", "ads:write"]
