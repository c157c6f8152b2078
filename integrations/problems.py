"""What keeps something from working, as sentences for the person who can mend it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One sentence, and the page where it can be mended ("" when there is none)."""

    text: str
    url: str = ""
