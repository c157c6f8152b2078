"""What claiming, settling and showing cost with a short and with a long past behind them, in the same run."""

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from integrations.benchmarks import crowd, crowd_sql, past
from integrations.benchmarks.journey import Journey
from integrations.benchmarks.plans import Plans
from integrations.benchmarks.processes import NotReady
from integrations.delivery import claiming, lanes, settling, tidying
from integrations.delivery.asking import Request
from integrations.delivery.entering import enter
from integrations.delivery.limits import limits_of
from integrations.delivery.pacing import pace_of
from integrations.models import Audience, AudienceSync, Pace
from pinsync.profiles.models import Profile

SHORT = 100_000
ROUNDS = 30
LOOKS = 9
LIMIT = 1.5
PAGE_MS = 100.0
STEPS = 4  # sync steps of the Canvas whose pages are looked at; the past belongs to the first


def measure(folder: Path, *, deliveries: int) -> dict[str, Any]:
    """Measure with a short past, write the long one, and measure again."""
    people = max(deliveries // 10, SHORT)
    pages, client, syncs = _canvas(people)
    first = Profile.objects.order_by("pk").values_list("pk", flat=True)[0]
    profiles = range(first, first + people)
    past.write(syncs[0], profiles, SHORT, timezone.now())
    short = _costs(pages, client, syncs, profiles)
    started = time.monotonic()
    past.write(syncs[0], profiles, deliveries - SHORT, timezone.now())
    written_in = time.monotonic() - started
    long = _costs(pages, client, syncs, profiles)
    plans = _plans(pages, client, syncs[0], profiles)
    ratio = {name: round(long[name] / short[name], 2) for name in short}
    return {
        "mode": "history",
        "database": connection.vendor,
        "deliveries": deliveries,
        "baseline_deliveries": SHORT,
        "profiles": people,
        "written_in_seconds": round(written_in, 1),
        "ms_with_baseline": short,
        "ms_with_history": long,
        "ratio": ratio,
        "highest_ratio": max(ratio.values()),
        "limit": LIMIT,
        "slowest_page_ms": max(cost for name, cost in long.items() if name.startswith("page")),
        "page_limit_ms": PAGE_MS,
        "reads_of_whole_tables": {name: found.whole_tables() for name, found in plans.items()},
        "plans": {name: found.of_large_tables() for name, found in plans.items()},
    }


def _canvas(people: int) -> tuple[dict[str, str], Client, list[AudienceSync]]:
    """Make a Canvas; return its pages and the syncs of its steps."""
    now = timezone.now()
    workspace = crowd.workspace("History")
    crowd_sql.fill_fast(workspace, people, now)
    account = crowd.account_without_partner(workspace, now)
    journey = Journey(workspace, "History")
    syncs = [
        journey.add_sync(crowd.audience_without_partner(account, number, now), "add", crowd.EMAIL)
        for number in range(1, STEPS + 1)
    ]
    return _pages(journey), journey.client, syncs


def _pages(journey: Journey) -> dict[str, str]:
    """Return the addresses of the pages that show the figures, by name."""
    page, step = journey.page, journey.steps()[0]
    return {
        "page_canvas": page,
        "page_analytics": f"{page}analytics/",
        "page_step": f"{page}steps/{step}/analytics/",
        "page_users": f"{page}steps/{step}/users/",
    }


def _costs(pages: dict[str, str], client: Client, syncs: list[AudienceSync], profiles: range) -> dict[str, float]:
    """Return the median milliseconds of each thing."""
    found = _delivery(syncs[0], profiles, "")
    opposite = crowd.sync(Audience.objects.get(syncs=syncs[0]), "remove", crowd.EMAIL)
    _let_in(opposite, range(profiles.stop - 1, profiles.stop))  # somebody waits to be removed: order has to be kept
    found |= _delivery(syncs[0], profiles, "_among_opposites")
    _deliver_all(opposite)
    for name, url in pages.items():
        found[name] = _look(client, url)
    return found


def _plans(pages: dict[str, str], client: Client, sync: AudienceSync, profiles: range) -> dict[str, Plans]:
    """Return how the database goes about each thing."""
    users, now, pace = limits_of(sync.partner).users, timezone.now(), _pace(sync)
    opposite = crowd.sync(Audience.objects.get(syncs=sync), "remove", crowd.EMAIL)
    for one in (sync, opposite):
        _let_in(one, range(profiles.start, profiles.start + users))
    found: dict[str, Plans] = {name: Plans() for name in ("look", "claim", "settle", *pages)}
    with connection.execute_wrapper(found["look"]):
        lanes.due_lanes(now=now, flushed_at=now, full=users)
    for one in (sync, opposite):
        with connection.execute_wrapper(found["claim"]):
            claim = claiming.claim(
                one.audience_id or 0, one.operation, limits=limits_of(one.partner), fresh=True, now=now
            )
        if claim is not None:
            with connection.execute_wrapper(found["settle"]):
                settling.settle(claim.batch, settling.Answer.to(Request(pace, now, now, 200)))
    for name, url in pages.items():
        with connection.execute_wrapper(found[name]):
            client.get(url)
    return found


def _delivery(sync: AudienceSync, profiles: range, suffix: str) -> dict[str, float]:
    users = limits_of(sync.partner).users
    tidying.tidy()  # as every tick does: what was claimed before has left dead rows in the waiting table
    _let_in(sync, range(profiles.start, profiles.start + min(users * ROUNDS, len(profiles) - 1)))
    costs: dict[str, list[float]] = {f"{name}{suffix}": [] for name in ("look", "claim", "settle")}
    pace = _pace(sync)
    while True:
        now = timezone.now()
        _timed(costs[f"look{suffix}"], lambda: lanes.due_lanes(now=now, flushed_at=now, full=users))  # noqa: B023
        claim = _timed(
            costs[f"claim{suffix}"],
            lambda: claiming.claim(
                sync.audience_id or 0,
                sync.operation,
                limits=limits_of(sync.partner),
                fresh=True,
                now=now,  # noqa: B023
            ),
        )
        if claim is None:
            break
        answer = settling.Answer.to(Request(pace, now, timezone.now(), 200))
        _timed(costs[f"settle{suffix}"], lambda: settling.settle(claim.batch, answer))  # noqa: B023
    return {name: round(median(of_one[2:-1]), 3) for name, of_one in costs.items()}


def _deliver_all(sync: AudienceSync) -> None:
    limits, now, pace = limits_of(sync.partner), timezone.now(), _pace(sync)
    while claim := claiming.claim(sync.audience_id or 0, sync.operation, limits=limits, fresh=True, now=now):
        settling.settle(claim.batch, settling.Answer.to(Request(pace, now, now, 200)))


def _pace(sync: AudienceSync) -> Pace:
    assert sync.ad_account is not None
    return pace_of(sync.ad_account.connection)


def _let_in(sync: AudienceSync, profiles: range) -> None:
    with transaction.atomic():
        enter(sync, Profile.objects.filter(pk__gte=profiles.start, pk__lt=profiles.stop), now=timezone.now())


def _look(client: Client, url: str) -> float:
    costs: list[float] = []
    for _ in range(LOOKS):
        answer = _timed(costs, lambda: client.get(url))
        if answer.status_code != 200:
            raise NotReady(f"A page answered {answer.status_code}.")
    return round(median(costs[1:]), 2)


def _timed(costs: list[float], work: Callable[[], Any]) -> Any:
    started = time.perf_counter()
    found = work()
    costs.append((time.perf_counter() - started) * 1000)
    return found
