"""Pinterest's request limits: sliding windows per Pinterest user and category, over all of the user's tokens."""

import math
import threading
from bisect import bisect_right, insort
from dataclasses import dataclass

from . import facts


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one Pinterest user may send."""

    records_per_request: int = facts.RECORDS_PER_REQUEST
    writes_per_second: int = facts.WRITES_PER_SECOND
    writes_per_minute: int = facts.WRITES_PER_MINUTE
    reads_per_minute: int = facts.READS_PER_MINUTE

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


class Windows:
    """The requests of the last minute, by user and category. A refused request takes no room."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.lock = threading.Lock()
        self.arrivals: dict[tuple[str, str], list[float]] = {}

    def admit(self, user: str, category: str, arrived: float, *, count: bool = True) -> Verdict:
        """Decide on a request that arrived at a moment of the monotonic clock; count it if it passes.

        A window reaches back from that moment, not including its far end: the 8th request in a second is refused,
        one exactly a second after the first passes.
        """
        with self.lock:
            times = self.arrivals.setdefault((user, category), [])
            windows = self.limits.windows(category)
            longest = max(seconds for seconds, _ in windows)
            del times[: bisect_right(times, arrived - longest)]
            waits = [_wait(times, arrived, seconds, limit) for seconds, limit in windows]
            if count and not any(waits):
                insort(times, arrived)
            return _verdict(times, arrived, windows, waits)

    def clear(self) -> None:
        """Forget every request."""
        with self.lock:
            self.arrivals.clear()


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
