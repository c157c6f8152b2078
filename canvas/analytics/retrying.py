"""Errored users of a step get another chance: one, or all with a reason."""

from datetime import datetime

from canvas.models import Step
from integrations import retrying
from integrations.delivery.retrying import errored_of_sync
from integrations.models import Delivery
from pinsync.workspaces.models import User


def errored(step: Step, why: str) -> int:
    """Return how many users of a step are errored (for a reason), from the counters."""
    return errored_of_sync(step.sync, why).figure() if step.sync else 0


def would_retry(step: Step, why: str) -> int:
    """Return how many of them Retry would take. See integrations.retrying."""
    return retrying.would_retry(errored_of_sync(step.sync, why)) if step.sync else 0


def retry_step(step: Step, why: str, user: User, now: datetime) -> int | None:
    """Retry a step's errored users (with a reason); return how many are pending again, None when a worker does it."""
    return retrying.retry(errored_of_sync(step.sync, why), step.name, user, now) if step.sync else 0


def shown(step: Step, now: datetime) -> list[retrying.Shown]:
    """Return the retries of many users that are under way for a step, and those that ended a moment ago."""
    return retrying.shown_of_sync(step.sync, now) if step.sync else []


def retry_user(step: Step, delivery: Delivery, user: User, now: datetime) -> bool:
    """Retry one errored user; return whether they are pending again."""
    return retrying.retry_user(delivery, step.name, user, now)
