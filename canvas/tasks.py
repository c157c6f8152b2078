"""Doors for the workers: ids at most, one domain call, safe to run twice."""

from django.utils import timezone

from canvas import journeys, repeating, schedules, simulator
from canvas.scenarios import running


def tick() -> None:
    """Let in who is due and send on whose wait is over. Called on every tick of a worker."""
    now = timezone.now()
    schedules.enter_due(now)
    journeys.advance_due(now)
    simulator.advance_due(now)
    running.advance_due(now)
    repeating.forget(now)


def enter_due() -> None:
    """Let in who is due now; rung by a launch, so that nobody waits for the tick."""
    schedules.enter_due(timezone.now())


def simulate() -> None:
    """Go on with the simulator's runs; rung by a new one."""
    simulator.advance_due(timezone.now())


def tell() -> None:
    """Go on with the scenarios that are being told; rung by a new one."""
    running.advance_due(timezone.now())
