"""What every page costs with a long past behind it and users pending: server time, queries, bytes."""

import gzip
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlencode

from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from canvas.analytics.batch_list import OUTCOMES
from canvas.analytics.periods import PERIODS, written
from canvas.analytics.users import STATES, Wanted, users
from canvas.benchmarks import pages_past
from canvas.benchmarks.launch import Counter
from canvas.benchmarks.pages_past import Scene
from integrations.benchmarks import crowd
from integrations.benchmarks.processes import NotReady

LIMIT_MS = 100.0
LIMIT_QUERIES = 15
FURTHER = 3  # pages of a list that are turned before one is measured


def measure(folder: Path, *, number: int, looks: int) -> dict[str, Any]:
    """Build the past, and ask every page `looks` times after once to warm up.

    Raises NotReady when one does not answer with 200.
    """
    started = time.monotonic()
    scene = pages_past.build(number, timezone.now())
    built = time.monotonic() - started
    client = Client(HTTP_HOST="127.0.0.1")
    client.force_login(crowd.admin_of(scene.workspace))
    found = {name: _look(client, address, looks) for name, address in _pages(scene)}
    return {
        "mode": "pages",
        "database": connection.vendor,
        "users": number,
        "looks": looks,
        "built_in_seconds": round(built, 1),
        "limit_ms": LIMIT_MS,
        "limit_queries": LIMIT_QUERIES,
        "pages": found,
        "slowest": max(found, key=lambda name: found[name]["ms"]),
        "highest_share_of_limit_ms": max(page["share_of_limit_ms"] for page in found.values()),
        "most_queries": max(found, key=lambda name: found[name]["queries"]),
        "highest_share_of_limit_queries": max(page["share_of_limit_queries"] for page in found.values()),
    }


def _pages(scene: Scene) -> Iterator[tuple[str, str]]:
    """Yield the pages by name."""
    here = {"workspace": scene.workspace.slug}
    for name in ("home", "members", "audit", "api_keys", "settings"):
        yield name, reverse(f"workspaces:{name}", kwargs=here)
    for name in ("list", "import", "segments"):
        yield f"profiles_{name}", reverse(f"profiles:{name}", kwargs=here)
    one = here | {"profile": scene.profile.pk}
    yield "profile", reverse("profiles:detail", kwargs=one)
    yield "profile_everything", reverse("canvas:person", kwargs=one)
    yield "partners", reverse("integrations:partners", kwargs=here)
    yield "partner", reverse("integrations:partner", kwargs=here | {"partner": crowd.PARTNER})
    yield "canvas_list", reverse("canvas:list", kwargs=here)
    canvas = here | {"canvas": scene.canvas.pk}
    for name in ("detail", "analytics", "analytics_live", "cards_live"):
        yield f"canvas_{name}", reverse(f"canvas:{name}", kwargs=canvas)
    yield from _step_pages(scene, canvas | {"step": scene.step.pk})
    yield "batch", reverse("canvas:batch", kwargs=here | {"batch": scene.batch.pk})


def _step_pages(scene: Scene, step: dict[str, Any]) -> Iterator[tuple[str, str]]:
    analytics, live = reverse("canvas:step_analytics", kwargs=step), reverse("canvas:step_live", kwargs=step)
    for period in PERIODS:
        yield f"step_{period}", f"{analytics}?period={period}"
    yield "step_table", f"{analytics}?period=all&view=table"
    yield "step_live", live
    people = reverse("canvas:users", kwargs=step)
    for state in STATES:
        yield f"users_{state}", f"{people}?state={state}"
        yield f"users_{state}_further", f"{people}?{urlencode({'state': state, 'after': _further(scene, state)})}"
    since = written(timezone.now() - timedelta(days=30))
    yield "users_of_a_month", f"{people}?{urlencode({'state': 'synced', 'from': since})}"
    yield "users_of_a_batch", f"{people}?batch={scene.batch.pk}"
    listed = reverse("canvas:batches", kwargs=step)
    for outcome in OUTCOMES:
        yield f"batches_{outcome or 'all'}", f"{listed}?outcome={outcome}"
    yield "retry", reverse("canvas:retry_step", kwargs=step)


def _further(scene: Scene, state: str) -> str:
    """Return where a list goes on after a few pages; the beginning where it is shorter."""
    after = ""
    for _ in range(FURTHER):
        after = users(scene.step, Wanted(state), after=after).older or after
    return after


def _look(client: Client, address: str, looks: int) -> dict[str, float]:
    """Return the median of a page's milliseconds, its queries and bytes."""
    costs: list[float] = []
    cpu: list[float] = []
    counter, content = Counter(), b""
    for look in range(looks + 1):
        counter = Counter()
        with connection.execute_wrapper(counter):
            started, began = time.perf_counter(), time.thread_time()
            answer = client.get(address)
            cost, work = time.perf_counter() - started, time.thread_time() - began
        if answer.status_code != 200:
            raise NotReady(f"{address} answered {answer.status_code}.")
        content = answer.content
        if look:
            costs.append(cost * 1000)
            cpu.append(work * 1000)
    ms = median(costs)
    return {
        "ms": round(ms, 1),
        "cpu_ms": round(median(cpu), 1),  # of this process: what a busy machine does not stretch
        "share_of_limit_ms": round(ms / LIMIT_MS, 3),
        "queries": counter.queries,
        "share_of_limit_queries": round(counter.queries / LIMIT_QUERIES, 3),
        "gzip_bytes": len(gzip.compress(content)),
    }
