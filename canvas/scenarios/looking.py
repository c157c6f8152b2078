"""What several scenarios wait for and check: our figures, the partner's own, and the log of requests."""

import math

from canvas import launching
from canvas.analytics import figures_of
from canvas.analytics.figures import Metrics, StepFigures
from canvas.models import Canvas
from canvas.scenarios.base import Eye, Look, Stage
from integrations.models import Batch, Operation, SyncReason
from integrations.reasons import NO_USABLE_FIELD


def step_of(canvas: Canvas) -> StepFigures:
    """Return the one sync step of a scenario's Canvas. Raises WrongState where somebody took it away."""
    found = [step for step in figures_of(canvas) if step.step.sync is not None]
    if not found:
        raise launching.WrongState
    return found[0]


def metrics_of(canvas: Canvas) -> Metrics:
    """Return the figures of that step."""
    return step_of(canvas).metrics


def coming_to(stage: Stage) -> int:
    """Return how many users were sent to the latest Canvas."""
    return int(stage.memory.get("coming", {}).get(str(stage.run.canvas_id), 0))


def everybody_entered(stage: Stage) -> Look:
    found, coming = metrics_of(stage.canvas), coming_to(stage)
    return Look(found.entered == coming, {"entered": found.entered, "users": coming})


def nobody_pending(stage: Stage) -> Look:
    """Hold when everybody who was sent has entered and nobody waits."""
    found = metrics_of(stage.canvas)
    return Look(
        found.entered == coming_to(stage) and not found.pending, {"synced": found.synced, "pending": found.pending}
    )


def accounted_for(stage: Stage) -> Look:
    """Hold when all who came are in one of the four states."""
    found, coming = metrics_of(stage.canvas), coming_to(stage)
    whole = found.synced + found.not_synced + found.pending + found.errored
    return Look(
        found.entered == coming == whole,
        {
            "entered": found.entered,
            "synced": found.synced,
            "not_synced": found.not_synced,
            "pending": found.pending,
            "errored": found.errored,
        },
    )


def synced_as_expected(*, synced: tuple[str, ...] = ("reachable",), not_synced: str = "") -> Eye:
    """Return a look at whether so many are synced, so many not, and nobody else is left; by remembered figures."""

    def look(stage: Stage) -> Look:
        found = metrics_of(stage.canvas)
        wanted = sum(int(stage.memory[name]) for name in synced), int(stage.memory[not_synced]) if not_synced else 0
        holds = (found.synced, found.not_synced, found.errored, found.pending) == (*wanted, 0, 0)
        return Look(
            holds,
            {
                "synced": found.synced,
                "wanted": wanted[0],
                "not_synced": found.not_synced,
                "pending": found.pending,
                "errored": found.errored,
            },
        )

    return look


def nobody_lost(stage: Stage) -> Look:
    """Hold while nobody is errored and whoever can be sent waits or is synced."""
    found = metrics_of(stage.canvas)
    return Look(
        found.errored == 0 and found.pending > 0,
        {"pending": found.pending, "synced": found.synced, "errored": found.errored},
    )


def reason_is_said(stage: Stage) -> Look:
    """Hold when whoever is not synced is so for the lack of a usable value."""
    step = step_of(stage.canvas)
    counted = SyncReason.objects.filter(sync=step.step.sync_id, reason=NO_USABLE_FIELD)
    users = sum(counted.values_list("users", flat=True))
    return Look(users == step.metrics.not_synced, {"users": users, "not_synced": step.metrics.not_synced})


def both_agree(stage: Stage) -> Look:
    """Hold when the partner holds as many as we say: who was added, less who was removed, one record each."""
    said = 0
    for canvas in Canvas.objects.filter(pk__in=stage.memory["canvases"]):
        for step in figures_of(canvas):
            if step.step.sync is not None:
                sign = 1 if step.step.sync.operation == Operation.ADD else -1
                said += sign * step.metrics.synced
    held = held_by(stage)
    return Look(held == said, {"said": said, "held": "–" if held is None else held, "partner": stage.partner.name})


def held_by(stage: Stage) -> int | None:
    """Return how many users' records the partner holds; None when there is no such audience."""
    audience = stage.audience
    if not audience.external_id:
        return None
    found = stage.ground.records(audience.external_id)
    return None if found is None else found - stage.partner.placeholders


def request_failed(stage: Stage) -> Look:
    """Hold when a request for the story's audience was refused, and is to be repeated."""
    failed = Batch.objects.filter(audience=stage.memory["audience"], settled_at=None, reason__gt="")
    attempts = sum(failed.values_list("attempts", flat=True))
    pending = metrics_of(stage.canvas).pending
    return Look(attempts > 0, {"attempts": attempts, "pending": pending, "partner": stage.partner.name})


def within_the_pace(stage: Stage) -> Look:
    """Hold when the partner saw no second with more writes than it allows, and refused none for their number."""
    since, person = stage.run.started_at.timestamp(), stage.connection.partner_user_id
    lines = [line for line in stage.ground.requests(since) if line.get("user") == person and line["ads_write"]]
    times = sorted(float(line["time"]) for line in lines)
    most, first = 0, 0
    for place, time in enumerate(times):
        while times[first] <= time - 1:
            first += 1
        most = max(most, place - first + 1)
    refused = sum(line["status"] == 429 for line in lines)
    limit = math.ceil(1 / stage.partner.seconds_between_writes)
    holds = bool(lines) and most <= limit and not refused
    return Look(holds, {"most": most, "limit": limit, "requests": len(lines), "refused": refused})
