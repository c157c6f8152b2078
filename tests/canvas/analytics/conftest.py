"""A launched Canvas in which users ended in every way there is."""

import pytest

from canvas import journeys
from canvas.models import Step
from tests.canvas.analytics.sending import errored, settle, waiting
from tests.canvas.conftest import NOON, make_profile, people


@pytest.fixture
def step(running) -> Step:
    return Step.objects.select_related("sync__audience", "canvas__workspace").get(canvas=running)


@pytest.fixture
def launched(running, workspace, step):
    """Seven users: two synced, one errored, one in a batch that is tried again, two before it, one not synced."""
    make_profile(workspace, "blank").save()
    people(workspace, 6)
    journeys.enter(running, workspace.profiles.all(), source="launch", now=NOON)
    settle(step.sync, 2, now=NOON)
    errored(step.sync, 1, now=NOON, reason="record_refused")
    waiting(step.sync, 1, now=NOON, reason="partner_unavailable")
    return running
