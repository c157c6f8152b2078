"""What keeps something from working, as sentences for the person who can mend it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One sentence, and the page where it can be mended ("" when there is none).

    `action` is what to do there, for a link behind the sentence; without one the sentence itself is the link.
    """

    text: str
    url: str = ""
    action: str = ""
