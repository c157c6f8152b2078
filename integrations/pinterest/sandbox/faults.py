"""The faults that are active now."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from .clock import Clock
from .journal import Journal, Line, Room, journaled


@dataclass(frozen=True, slots=True)
class Fault:
    """An active fault. `until` is real time, not the sandbox's, so that a jump does not end an outage."""

    id: int
    name: str
    parameters: dict[str, Any]
    until: float | None = None
    left: int | None = None  # answers it still spoils

    def meets(self, path: str) -> bool:
        """Return whether it concerns a request to this path."""
        return not self.parameters.get("path") or self.parameters["path"] in path

    def as_json(self, now: float) -> dict[str, Any]:
        """Describe it to a program."""
        left = None if self.until is None else round(self.until - now, 1)
        return {
            "id": self.id,
            "fault": self.name,
            "parameters": self.parameters,
            "seconds_left": left,
            "count_left": self.left,
        }


class Faults(Room):
    """The active faults, in the order in which they were asked for."""

    name = "faults"

    def __init__(self, journal: Journal | None, clock: Clock) -> None:
        super().__init__(journal)
        self.clock = clock
        self.faults: tuple[Fault, ...] = ()
        self.last_id = 0

    def add(self, name: str, parameters: dict[str, Any]) -> Fault:
        """Start a fault."""
        seconds = parameters.get("seconds")
        until = None if seconds is None else self.clock.time() + seconds
        with self.lock:
            fault = Fault(self.last_id + 1, name, parameters, until, parameters.get("count"))
            self.become(faults=[asdict(known) for known in (*self.active(), fault)])
        return fault

    def active(self, name: str | None = None) -> list[Fault]:
        """Return the faults that have not ended, all of them or those of one name."""
        if not self.faults:
            return []
        now = self.clock.time()
        return [
            fault
            for fault in self.faults
            if name in (None, fault.name)
            and (fault.until is None or fault.until > now)
            and (fault.left is None or fault.left > 0)
        ]

    def first(self, name: str, path: str = "") -> Fault | None:
        """Return the oldest active fault of a name that concerns a path."""
        return next((fault for fault in self.active(name) if fault.meets(path)), None)

    def take(self, name: str, path: str) -> Fault | None:
        """Use up one answer of a counting fault, and return it if there was one."""
        with self.lock:
            taken = self.first(name, path)
            if not taken:
                return None
            self.become(
                faults=[
                    asdict(fault) | ({"left": (fault.left or 0) - 1} if fault is taken else {})
                    for fault in self.active()
                ]
            )
            return taken

    def clear(self, *, id: int | None = None, name: str | None = None) -> int:
        """End faults: one, those of a name, or all. Return how many."""
        with self.lock:
            before = self.active()
            kept = [fault for fault in before if (id is not None and fault.id != id) or (name and fault.name != name)]
            self.become(faults=[asdict(fault) for fault in kept])
            return len(before) - len(kept)

    @journaled
    def become(self, *, faults: list[dict[str, Any]]) -> None:
        """Replace the active faults."""
        self.faults = tuple(Fault(**fields) for fields in faults)
        self.last_id = max((self.last_id, *(fault.id for fault in self.faults)))

    def dump(self) -> Iterator[Line]:
        """Return the active faults as one line."""
        yield {"room": self.name, "do": "become", "faults": [asdict(fault) for fault in self.active()]}
