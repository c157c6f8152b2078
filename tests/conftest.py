"""What holds for every test."""

from pathlib import Path

import pytest
from django.db import connection


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """Forget what a killed run left of SQLite's test database: Django removes the file, but not its journals."""
    if connection.vendor == "sqlite":
        name = connection.settings_dict["TEST"]["NAME"]
        for journal in ("-wal", "-shm"):
            Path(f"{name}{journal}").unlink(missing_ok=True)
