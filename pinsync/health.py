"""Two pages for load balancers and supervisors: are we alive, and may requests come. Figures only, nothing of anybody.

Apps hand in what they want to be asked (`register`), so that this module need not know them.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

log = logging.getLogger("pinsync.health")


@dataclass(frozen=True)
class Finding:
    """Whether all is well, and the figures that say so."""

    ok: bool
    figures: dict[str, float | int | None] = field(default_factory=dict)


Check = Callable[[datetime], Finding]
_checks: dict[str, tuple[int, Check]] = {}


def register(name: str, check: Check, *, order: int = 100) -> None:
    """Ask `check(now)` on every look at readiness, lowest order first. It must be cheap, whatever the tables hold."""
    _checks[name] = (order, check)


@require_safe
@never_cache
def alive(request: HttpRequest) -> HttpResponse:
    """Answer without touching anything: a slow database is no reason to restart this process."""
    return JsonResponse({"status": "ok"})


@require_safe
@never_cache
def ready(request: HttpRequest) -> HttpResponse:
    """Answer 200 once the database is there and its tables are those of this version, else 503.

    What else is wrong is told, as `degraded`, but is no reason to turn people away: a worker that is down is not mended
    by taking the pages down, too. With `?strict=true`, for a monitor, it is a 503 as well.
    """
    findings: dict[str, Finding] = {}
    try:
        findings["database"] = Finding(ok=True)
        executor = MigrationExecutor(connection)
        waiting = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
        findings["migrations"] = Finding(ok=not waiting, figures={"waiting": waiting})
        may_serve = not waiting
        if may_serve:
            now = timezone.now()
            for name, (_order, check) in sorted(_checks.items(), key=lambda item: item[1][0]):
                findings[name] = check(now)
    except DatabaseError as error:
        log.warning("database away", extra={"problem": type(error).__name__})
        findings, may_serve = {"database": Finding(ok=False)}, False
    well = all(finding.ok for finding in findings.values())
    strict = request.GET.get("strict") == "true"
    return JsonResponse(
        {
            "status": "ok" if well else "degraded" if may_serve else "not ready",
            "checks": {name: {"ok": finding.ok} | finding.figures for name, finding in findings.items()},
        },
        status=200 if well or (may_serve and not strict) else 503,
    )
