"""What holds for every test."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import override_settings

LARGE = 256 * 1024  # bytes of a table from which TRUNCATE is quicker, and the next test had better find it small


@pytest.fixture(scope="session", autouse=True)
def _nothing_slow_on_purpose() -> Iterator[None]:
    """Do without what is made to be slow, or to be done once in the life of a process, and is done in every test here.

    A password's hash takes half a second. Every test's first request makes the middleware anew, and WhiteNoise would
    open every static file; like this it looks for the one that is asked for. Processes of their own, as in tests that
    start some, have neither.
    """
    with override_settings(
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        WHITENOISE_AUTOREFRESH=True,
    ):
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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that take long: one that begins last would hold up the end of the run alone.

    They mostly wait. Of several processes that run tests, which get equal runs of the list to begin with, half begin
    with those and the others with the many that compute, so that the machine always has something to do and nobody
    has to wait for all others.
    """
    long, short = [], []
    for item in items:
        (long if _takes_long(item) else short).append(item)
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    share, waiting = len(items) // processes, max(processes // 2, 1)
    if len(long) > share:
        waiting = 1  # hardly any others were chosen
    items.clear()
    for n in range(waiting):
        begun = long[n::waiting]
        computing = 2 * share - len(begun)  # its own, and the share of the one that begins with them
        items += begun + short[:computing]
        del short[:computing]
    items += short


def _takes_long(item: pytest.Item) -> bool:
    return any(item.get_closest_marker(name) is not None for name in ("processes", "browser"))
