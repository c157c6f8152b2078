"""The sandbox's clock: real time, plus the hours that somebody jumped."""

import time

from .facts import HOUR


class Clock:
    """Tell the time three ways. Tests hand in one that they move by hand."""

    def __init__(self) -> None:
        self.jumped_hours = 0.0

    def time(self) -> float:
        """Return the real time, in seconds since 1970."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds that never run backwards; the rate limits count by these."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    def now(self) -> float:
        """Return the sandbox's own time, in seconds since 1970. Tokens and sizes age by it."""
        return self.time() + self.jumped_hours * HOUR
