import pytest

from pinsync.workspaces.models import Workspace


@pytest.fixture
def workspace(db: None) -> Workspace:
    return Workspace.objects.create(name="Brand", slug="brand")
