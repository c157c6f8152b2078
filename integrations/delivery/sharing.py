"""Which partner users a process serves where several processes deliver at once.

Any of them may serve anybody: lanes, leases and the pace keep that right. But two that claim from the same lanes mostly
find each other there, and looking costs. So each keeps to its share, and to what others leave lying.
"""

import uuid
from collections.abc import Sequence

from integrations.delivery import seats
from integrations.delivery.lanes import DueLane

LEFT_LYING = 1.0  # seconds that nobody has served a partner user of whom something is due: whose share it is, is away


class Share:
    """The partner users of one process, by the seat that it holds among those that are taken."""

    def __init__(self, seat: uuid.UUID) -> None:
        self._seat = seat
        self._place, self._of = 0, 1
        self._seen: dict[str, tuple[float, float]] = {}  # by turn of others: when last served, and since when we know

    def look_around(self) -> None:
        """Find out how many deliver now."""
        holders = seats.taken()
        if self._seat in holders:
            self._place, self._of = holders.index(self._seat), len(holders)

    def of(self, lanes: Sequence[DueLane], now: float) -> list[DueLane]:
        """Return the lanes to serve, of all that are due, in their order; `now` is monotonic."""
        if self._of == 1:
            self._seen = {}
            return list(lanes)
        served: dict[str, float] = {}
        for lane in lanes:
            served[lane.turn] = max(served.get(lane.turn, 0.0), lane.served_at)
        known = self._seen
        self._seen = {
            turn: known[turn] if turn in known and known[turn][0] == at else (at, now) for turn, at in served.items()
        }
        return [
            lane
            for lane in lanes
            if lane.pace_id % self._of == self._place or now - self._seen[lane.turn][1] > LEFT_LYING
        ]
