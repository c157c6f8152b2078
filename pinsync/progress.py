"""How far long work has come, and how long the rest takes, as every page says it (components/progress.html)."""

import math
from dataclasses import dataclass

ENOUGH = 2.0  # seconds of work before its speed says something about the rest


@dataclass(frozen=True)
class Progress:
    """How much is done, of about how much, and how many whole seconds the rest takes; None: not known yet."""

    done: int
    total: int | None
    seconds: int | None


def progress_of(done: int, total: int, worked: float) -> Progress:
    """Return the progress of work that took `worked` seconds so far.

    More may be done than was expected: users come and go while one works.
    """
    total = max(total, done)
    known = done > 0 and worked >= ENOUGH
    return Progress(done, total, math.ceil((total - done) * worked / done) if known else None)
