"""What must come out: every intent once, the last one of each user and audience, in plain Python."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class Asked:
    """Users who entered a sync at one moment. No two have the same moment, so it names them."""

    place: int  # in the order of its audience
    audience_id: int
    sync_id: int
    operation: str
    entered_at: datetime
    profiles: range


@dataclass
class Model:
    """Everything that was asked, in order."""

    at: dict[datetime, Asked] = field(default_factory=dict)
    of: dict[int, list[Asked]] = field(default_factory=lambda: defaultdict(list))  # by audience
    users: int = 0

    def note(self, asked: Asked) -> None:
        self.at[asked.entered_at] = asked
        self.of[asked.audience_id].append(asked)
        self.users += len(asked.profiles)

    def last(self, audience_id: int) -> dict[int, Asked]:
        """Return what was last asked for each profile."""
        return {profile: asked for asked in self.of[audience_id] for profile in asked.profiles}

    def undone(self, asked: Asked, profile: int) -> bool:
        """Return whether the opposite was asked for this user later."""
        later = self.of[asked.audience_id][asked.place + 1 :]
        return any(profile in other.profiles for other in later if other.operation != asked.operation)

    def history(self, audience_id: int, profile: int) -> Iterator[Asked]:
        """Return what was asked for one user and audience, in order."""
        return (asked for asked in self.of[audience_id] if profile in asked.profiles)
