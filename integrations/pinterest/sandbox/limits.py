"""Pinterest's request limits: sliding windows per Pinterest user and category, over all of the user's tokens.

An app with trial access has one more window, for all of its people and categories together.
"""

import math
from bisect import bisect_right, insort
from collections.abc import Iterator
from dataclasses import dataclass

from . import facts
from .journal import Journal, Line, Room, journaled


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one Pinterest user may send; with trial access, how much the whole app."""

    records_per_request: int = facts.RECORDS_PER_REQUEST
    writes_per_second: int = facts.WRITES_PER_SECOND
    writes_per_minute: int = facts.WRITES_PER_MINUTE
    reads_per_minute: int = facts.READS_PER_MINUTE
    trial_calls: int | None = None  # None: the app has standard access
    trial_seconds: float = facts.TRIAL_SECONDS

    def windows(self, category: str) -> tuple[tuple[float, int], ...]:
        """Return (seconds, requests) of every window that holds for a category."""
        if category == "ads_write":
            return (1.0, self.writes_per_second), (60.0, self.writes_per_minute)
        return ((60.0, self.reads_per_minute),)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a request may pass, and the figures for its headers: those of the window with the least room."""

    allowed: bool
    limit: int
    remaining: int
    reset: int  # whole seconds until that window has more room
    retry_after: int  # whole seconds until a request would pass; 0 if this one did

    def headers(self) -> dict[str, str]:
        """Return the headers that every answer of the API carries."""
        headers = {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(self.reset),
        }
        return headers if self.allowed else headers | {"Retry-After": str(self.retry_after)}


class Windows(Room):
    """The requests that still count, by user and category, and those of the app. A refused one takes no room."""

    name = "windows"

    def __init__(self, limits: Limits, journal: Journal | None = None) -> None:
        super().__init__(journal)
        self.limits = limits
        self.arrivals: dict[tuple[str, str], list[float]] = {}
        self.of_app: list[float] = []

    def admit(
        self, user: str, category: str, arrived: float, *, day: float | None = None, count: bool = True
    ) -> Verdict:
        """Decide on a request that arrived at a moment of the monotonic clock; count it if it passes.

        A window reaches back from that moment, not including its far end: the 8th request in a second is refused,
        one exactly a second after the first passes. The app's window counts by `day`, a clock that may jump.
        """
        with self.lock:
            tables = [(self.arrivals.setdefault((user, category), []), arrived, self.limits.windows(category))]
            day = arrived if day is None else day
            if self.limits.trial_calls is not None:
                tables.append((self.of_app, day, ((self.limits.trial_seconds, self.limits.trial_calls),)))
            for times, moment, windows in tables:
                del times[: bisect_right(times, moment - max(seconds for seconds, _ in windows))]
            waits = [
                [_wait(times, moment, seconds, limit) for seconds, limit in windows]
                for times, moment, windows in tables
            ]
            if count and not any(map(any, waits)):
                self.take(user=user, category=category, at=arrived, day=day)
            verdicts = [_verdict(*table, wait) for table, wait in zip(tables, waits, strict=True)]
            return max(verdicts, key=lambda verdict: (verdict.retry_after, -verdict.remaining))

    @journaled
    def take(self, *, user: str, category: str, at: float, day: float) -> None:
        """Count a request that passes."""
        insort(self.arrivals.setdefault((user, category), []), at)
        if self.limits.trial_calls is not None:
            insort(self.of_app, day)

    @journaled
    def restore(self, *, arrivals: list[tuple[str, str, list[float]]], of_app: list[float]) -> None:
        """Put all back, as `dump` wrote it."""
        self.arrivals = {(user, category): times for user, category, times in arrivals}
        self.of_app = of_app

    def dump(self) -> Iterator[Line]:
        """Return all as one line."""
        arrivals = [(user, category, times) for (user, category), times in self.arrivals.items()]
        yield {"room": self.name, "do": "restore", "arrivals": arrivals, "of_app": self.of_app}

    def tidy(self, now: float, day: float) -> None:
        """Forget what counts no longer, and what lies ahead: a machine that was started anew has another `now`."""
        for (_, category), times in self.arrivals.items():
            longest = max(seconds for seconds, _ in self.limits.windows(category))
            times[:] = times[bisect_right(times, now - longest) : bisect_right(times, now)]
        del self.of_app[: bisect_right(self.of_app, day - self.limits.trial_seconds)]

    def used_of_app(self, day: float) -> int:
        """Return how many requests count in the app's window now."""
        with self.lock:
            return len(self.of_app) - bisect_right(self.of_app, day - self.limits.trial_seconds)

    def clear(self) -> None:
        """Forget every request."""
        with self.lock:
            self.arrivals.clear()
            self.of_app.clear()


def _wait(times: list[float], arrived: float, seconds: float, limit: int) -> float:
    """Return how long until a window has room; 0 if it has."""
    if len(times) - bisect_right(times, arrived - seconds) < limit:
        return 0.0
    return times[-limit] + seconds - arrived


def _verdict(times: list[float], arrived: float, windows: tuple[tuple[float, int], ...], waits: list[float]) -> Verdict:
    figures = []
    for (seconds, limit), wait in zip(windows, waits, strict=True):
        first = bisect_right(times, arrived - seconds)
        reset = times[first] + seconds - arrived if first < len(times) else seconds
        figures.append((-wait, limit - (len(times) - first), limit, reset))
    wait, remaining, limit, reset = min(figures)
    return Verdict(not wait, limit, max(0, remaining), _whole(reset), _whole(-wait) if wait else 0)


def _whole(seconds: float) -> int:
    return max(1, math.ceil(seconds))
