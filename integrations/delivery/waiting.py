"""How long to wait before the next attempt: pure arithmetic."""

import random
from datetime import timedelta

FIRST = timedelta(seconds=5)
LONGEST = timedelta(minutes=10)


def backoff(attempts: int, chance: random.Random | None = None) -> timedelta:
    """Return the wait after the `attempts`-th failed attempt: 5 s doubled each time, at most 10 min.

    Jittered down by up to a third, so that batches that failed together do not come back together.
    """
    longest = min(FIRST * (1 << min(attempts - 1, 10)), LONGEST)
    return longest * (1 - (chance or random).random() / 3)
