"""How long a launch takes: from the button until everybody in the target audience has entered and is counted."""

import os
import time
from collections.abc import Callable
from typing import Any

from django.db import connection
from django.utils import timezone
from django.utils.module_loading import import_string

from canvas import building, editing, launching
from canvas.models import Canvas, Entry, Move, Step, StepTotals
from integrations.benchmarks import crowd, crowd_sql
from integrations.benchmarks.meter import peak_mb
from integrations.benchmarks.processes import NotReady
from integrations.models import Arrival, Delivery, Operation, SyncTotals

LIMIT_SECONDS = 15.0  # for a million users
USELESS_EVERY = 50  # of the users: nothing the step could match them on, so that both ways out are walked
RINGS = 3  # of the doorbell; one is enough unless something is wrong


class Counter:
    """Counts statements; give it to `connection.execute_wrapper`."""

    def __init__(self) -> None:
        self.queries = 0

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        self.queries += 1
        return execute(sql, params, many, context)


def measure(users: int) -> dict[str, Any]:
    """Launch a Canvas with one Audience Sync step on `users` profiles, and do in this process what a worker would.

    Raises NotReady when users are left outside.
    """
    canvas, step = _canvas(users)
    before = peak_mb(os.getpid())
    counter = Counter()
    started = time.monotonic()
    launching.launch(canvas, crowd.admin_of(canvas.workspace), timezone.now())
    with connection.execute_wrapper(counter):
        for _ in range(RINGS):
            import_string(launching.RING)()
            canvas.refresh_from_db(fields=["enter_at"])
            if canvas.enter_at is None:
                break
        else:
            raise NotReady("The launch did not end.")
    seconds = time.monotonic() - started
    portions = Move.objects.filter(canvas=canvas, kind=Move.Kind.ENTER).count()
    useless = users // USELESS_EVERY
    figures = _figures(canvas, step)
    return {
        "users": users,
        "seconds": round(seconds, 2),
        "limit_seconds": LIMIT_SECONDS,
        "share_of_limit": round(seconds / LIMIT_SECONDS, 4),
        "users_per_second": round(users / seconds),
        "portions": portions,
        "queries": counter.queries,
        "queries_per_portion": round(counter.queries / portions, 1),
        "peak_mb_before": round(before or 0.0, 1),
        "peak_mb": round(peak_mb(os.getpid()) or 0.0, 1),
        **figures,
        "as_expected": figures == _expected(users, useless),
    }


def _canvas(users: int) -> tuple[Canvas, Step]:
    now = timezone.now()
    workspace = crowd.workspace("Launch")
    crowd_sql.fill_fast(workspace, users, now, useless_every=USELESS_EVERY)
    audience = crowd.audience_without_partner(crowd.account_without_partner(workspace, now), 1, now)
    canvas = editing.create(Canvas(workspace=workspace, name="Launch"), crowd.admin_of(workspace), now)
    return canvas, building.add_sync(canvas, audience, Operation.ADD, crowd.EMAIL)


def _figures(canvas: Canvas, step: Step) -> dict[str, int]:
    """Return what is counted, and beside it the rows themselves."""
    journey = StepTotals.objects.get(step=step)
    sync = SyncTotals.objects.get(sync=step.sync)
    return {
        "step_entered": journey.entered,
        "step_exited": journey.exited,
        "entered": sync.entered,
        "pending": sync.pending,
        "not_synced": sync.not_synced,
        "entry_rows": Entry.objects.filter(canvas=canvas).count(),
        "pending_rows": Arrival.objects.filter(sync=step.sync).count(),
        "not_synced_rows": Delivery.objects.filter(sync=step.sync).count(),
    }


def _expected(users: int, useless: int) -> dict[str, int]:
    everybody = dict.fromkeys(("step_entered", "step_exited", "entered", "entry_rows"), users)
    return (
        everybody
        | dict.fromkeys(("pending", "pending_rows"), users - useless)
        | dict.fromkeys(("not_synced", "not_synced_rows"), useless)
    )
