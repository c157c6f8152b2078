"""What the tests of profiles share: a workspace, and short ways to put users into it."""

from collections.abc import Callable
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import pytest

from pinsync.profiles.importing import run_import
from pinsync.profiles.models import Import, Profile
from pinsync.profiles.rows import make_row
from pinsync.profiles.upserting import write
from pinsync.workspaces.models import Workspace

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def workspace(db: None) -> Workspace:
    return Workspace.objects.create(name="Brand", slug="brand")


@pytest.fixture
def add(workspace: Workspace) -> Callable[..., Profile]:
    """Add one user through the door that all of them use; keyword arguments are attributes."""

    def add(external_id: str, email: str = "", idfa: str = "", gaid: str = "", **attributes: Any) -> Profile:
        write(workspace, [make_row(external_id, email, idfa, gaid, attributes)], run=None, now=NOW)
        return Profile.objects.get(workspace=workspace, external_id=external_id)

    return add


@pytest.fixture
def take(workspace: Workspace) -> Callable[..., Import]:
    """Import the text or bytes of a file."""

    def take(content: str | bytes, *, now: datetime = NOW) -> Import:
        run = Import.objects.create(workspace=workspace, name="test.csv")
        return run_import(run, BytesIO(content.encode() if isinstance(content, str) else content), now=now)

    return take
