"""What holds for every test."""

import fcntl
import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import override_settings

PROCESSES = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))  # that run tests
LANES = 3  # kinds of tests that mostly wait
STEP_BACK = 3  # by so much nicer is each than the one before it
SELDOM = (20_000, 10, 50)  # garbage is looked for; as often as by default, among all that was imported, it took 7 %
LARGE = 256 * 1024  # bytes of a table from which TRUNCATE is quicker, and the next test had better find it small


@pytest.fixture(scope="session", autouse=True)
def _nothing_slow_on_purpose() -> Iterator[None]:
    """Do without what is made to be slow, or to be done once in the life of a process, and is done in every test here.

    A password's hash takes half a second. Every test's first request makes the middleware anew, and WhiteNoise would
    open every static file; like this it looks for the one that is asked for. Garbage is looked for less often, and not
    among what was imported. Processes of their own, as in tests that start some, have none of this but the last.
    """
    with override_settings(
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        WHITENOISE_AUTOREFRESH=True,
    ):
        gc.set_threshold(*SELDOM)
        gc.freeze()
        yield


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """Make the test database one that can be thrown away.

    What a killed run left of SQLite's is forgotten: Django removes the file, but not its journals. PostgreSQL need not
    wait for the disk at every commit; what the tests break is processes, not the machine.
    """
    if connection.vendor == "sqlite":
        name = connection.settings_dict["TEST"]["NAME"]
        for journal in ("-wal", "-shm"):
            Path(f"{name}{journal}").unlink(missing_ok=True)
    else:
        options = connection.settings_dict["OPTIONS"]
        options["options"] = f"{options.get('options', '')} -c synchronous_commit=off".strip()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> None:
    """Empty PostgreSQL's tables after a test by deleting: TRUNCATE makes new files for every table and its indexes.

    That took longer than most tests. The tables are locked first, as TRUNCATE would lock them: nothing that a killed
    process was about to commit is left for the next test. Foreign keys are looked at when all are empty.
    """
    if connection.vendor == "postgresql":
        connection.ops.sql_flush = _deletes  # type: ignore[method-assign]


def _deletes(style: Any, tables: list[str], **kwargs: object) -> list[str]:
    names = ", ".join(f"'{name}'" for name in tables)
    return [
        f"LOCK TABLE {', '.join(map(connection.ops.quote_name, tables))}",
        f"""DO $$ DECLARE name text; BEGIN
            FOREACH name IN ARRAY ARRAY[{names}] LOOP
                IF pg_relation_size(quote_ident(name)::regclass) > {LARGE} THEN
                    EXECUTE format('TRUNCATE %I CASCADE', name);
                END IF;
            END LOOP;
            FOREACH name IN ARRAY ARRAY[{names}] LOOP EXECUTE format('DELETE FROM %I', name); END LOOP;
        END $$""",
    ]


def pytest_sessionstart() -> None:
    """Let the processes that begin with other tests step back for the one that begins with those that judge times."""
    if PROCESSES > 2:
        os.nice(STEP_BACK * int(os.environ["PYTEST_XDIST_WORKER"].removeprefix("gw")))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each of the processes that run the tests the kind that it begins with.

    Most of the time tests wait: for a tick, for a turn at Pinterest's pace, for processes. So more of them run side by
    side than there are cores, but not just any: those that judge times in one lane, others that start processes in
    another, those that talk to a sandbox in real time in a third, and what computes in the rest. Each process gets an
    equal run of the list, which is filled up with what computes, and who is done takes over from who is not.
    """
    lanes: list[list[pytest.Item]] = [[] for _ in range(max(min(LANES, PROCESSES - 1), 1))]
    computing = []
    for item in items:
        lane = _lane(item)
        (computing if lane is None else lanes[lane % len(lanes)]).append(item)
    left = len(items)
    items.clear()
    for n, lane_ in enumerate(lanes):
        share = left // (PROCESSES - n)  # as xdist deals them out
        room = max(share - len(lane_), 0)
        items += lane_ + computing[:room]
        left -= share
        del computing[:room]
    items += computing


def _lane(item: pytest.Item) -> int | None:
    if item.get_closest_marker("timed") is not None:
        return 0
    if item.get_closest_marker("processes") is not None:
        return 1
    return 2 if "listening" in getattr(item, "fixturenames", ()) else None


@pytest.fixture(autouse=True)
def _in_turn(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let no two tests judge times at once, whoever has taken over from whom."""
    if PROCESSES == 1 or request.node.get_closest_marker("timed") is None:
        yield
        return
    with (tmp_path_factory.getbasetemp().parent / "timed.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        yield
