"""What keeps something from working, as sentences for the person who can mend it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pinsync.workspaces.models import Member, Role


@dataclass(frozen=True)
class Problem:
    """One sentence, and the page where it can be mended ("" when there is none).

    `action` is what to do there, for a link behind the sentence; without one the sentence itself is the link.
    """

    text: str
    url: str = ""
    action: str = ""
    role: Role = Role.VIEWER  # who may open that page


def seen_by(member: Member, problems: Sequence[Problem]) -> list[Problem]:
    """Return the same sentences, without the links to pages that this member may not open."""
    return [each if member.may(each.role) else replace(each, url="", action="") for each in problems]
