"""What a run proves beside its users: that the pace was kept, and that everything was broken that can be."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

LONG_ENOUGH = 600.0  # seconds of chaos by which each kind of breakage has come several times

OVER_THE_LIMIT = (
    ("violations_1_s", "requests too many in a second"),
    ("violations_60_s", "requests too many in a minute"),
    # A 429 that no fault made is the sandbox's word, though its log may have died with it before it was read.
    ("refused_429_of_our_own_making", "requests refused as too many"),
)


def too_fast(pace: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield a sentence for every partner user of whom the sandbox saw more than the partner allows (pace.kept)."""
    for user, seen in pace.items():
        found = [f"{seen[figure]} {what}" for figure, what in OVER_THE_LIMIT if seen[figure]]
        if found:
            moments = ", ".join(map(str, seen["violations_at"]))
            yield f"partner user {user}: {'; '.join(found)}" + (f" (at {moments} s)" if moments else "")


def never_hit(kinds: Collection[str], done: Mapping[str, int]) -> list[str]:
    """Return the kinds of breakage that the run says nothing about."""
    return sorted(kind for kind in kinds if not done.get(kind))


def is_long_enough(seconds: float) -> bool:
    """Return whether chance is no excuse any more for what was never hit."""
    return seconds >= LONG_ENOUGH
