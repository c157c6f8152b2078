"""What holds for every test."""

from pathlib import Path
from typing import Any

import pytest
from django.db import connection

LARGE = 256 * 1024  # bytes of a table from which TRUNCATE is quicker, and the next test had better find it small


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
    """Begin with the tests that take long: one that begins last would hold up the end of the run alone."""
    items.sort(key=_takes_long, reverse=True)


def _takes_long(item: pytest.Item) -> bool:
    return any(item.get_closest_marker(name) is not None for name in ("processes", "browser"))
