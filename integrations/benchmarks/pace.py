"""Whether the sandbox saw more than the partner allows: by the arrival of every write request, by partner user."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

WINDOWS = ((1.0, 7), (60.0, 400))  # seconds, requests


def most_in(times: Sequence[float], seconds: float) -> int:
    """Return the most of these sorted moments that lie in any window, which does not include its far end."""
    most = 0
    first = 0
    for last, moment in enumerate(times):
        while times[first] <= moment - seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


def too_early(times: Sequence[float], seconds: float, limit: int) -> list[float]:
    """Return those of these sorted moments that were one too many for the window that they end."""
    return [
        moment
        for last, moment in enumerate(times)
        if last + 1 - bisect_right(times, moment - seconds, 0, last + 1) > limit
    ]


def kept(log: Iterable[dict[str, Any]], began: float) -> dict[str, dict[str, Any]]:
    """Return what the request log says about the pace of each partner user; moments in seconds since `began`."""
    writes = defaultdict(list)
    for line in log:
        if line["category"] == "ads_write" and line["pinterest_user"]:
            writes[line["pinterest_user"]].append(line)
    return {user: _of_user(lines, began) for user, lines in sorted(writes.items())}


def _of_user(lines: Sequence[dict[str, Any]], began: float) -> dict[str, Any]:
    times = sorted(line["time"] for line in lines)
    refused = [line for line in lines if line["status"] == 429]
    early = [too_early(times, *window) for window in WINDOWS]
    return {
        "requests": len(times),
        "most_in_1_s": most_in(times, WINDOWS[0][0]),
        "most_in_60_s": most_in(times, WINDOWS[1][0]),
        "violations_1_s": len(early[0]),
        "violations_60_s": len(early[1]),
        "violations_at": [round(moment - began, 3) for moment in sorted({*early[0], *early[1]})[:20]],
        "refused_429": len(refused),
        "refused_429_of_our_own_making": sum(line["fault"] is None for line in refused),
    }
