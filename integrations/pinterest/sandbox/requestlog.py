"""The log of requests: what came in over the API, when, and what was answered. Never what was in it."""

from collections import deque
from dataclasses import asdict, dataclass
from typing import Any

KEPT_REQUESTS = 200_000
OLDEST_EPOCH = 1e9  # a `since` above this is a moment, below it a number of seconds back from now


@dataclass(slots=True)
class LoggedRequest:
    """One request of the API. `time` is when it arrived, in real seconds since 1970."""

    time: float
    method: str
    path: str
    pinterest_user: str | None = None
    category: str | None = None
    operation: str | None = None
    records: int | None = None
    status: int = 0
    duration_ms: float = 0.0
    fault: str | None = None  # the fault that shaped the answer
    customer_list_id: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it as a program reads it."""
        return asdict(self)


class RequestLog:
    """The latest requests. Not journaled: it starts empty with every process."""

    def __init__(self) -> None:
        self.requests: deque[LoggedRequest] = deque(maxlen=KEPT_REQUESTS)

    def since(self, seconds: float, now: float) -> list[LoggedRequest]:
        """Return the requests since a moment, or of the last so many seconds, by time of arrival."""
        start = seconds if seconds >= OLDEST_EPOCH else now - seconds
        return sorted((request for request in self._copy() if request.time >= start), key=_time)

    def latest(self, count: int) -> list[LoggedRequest]:
        """Return the latest requests, newest first."""
        return sorted(self._copy(), key=_time, reverse=True)[:count]

    def _copy(self) -> list[LoggedRequest]:
        return list(self.requests)


def _time(request: LoggedRequest) -> float:
    return request.time
