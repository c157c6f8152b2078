"""Find users page by page, and by what a person types. An address is only ever looked up by its record."""

from dataclasses import dataclass

from django.db.models import Q, QuerySet

from pinsync.profiles.matching import email_record, trim
from pinsync.profiles.models import Profile
from pinsync.workspaces.models import Workspace

PER_PAGE = 50
LAST_CHARACTER = "\U0010ffff"  # behind every other one, in the order of PlainCharField


@dataclass(frozen=True)
class Page:
    """Some users, newest first; `older` is the id behind which the next page begins, None on the last one."""

    profiles: list[Profile]
    older: int | None


def page_of(profiles: QuerySet[Profile], before: int | None = None) -> Page:
    """Return the newest users, or those older than the one with the id `before`."""
    if before is not None:
        profiles = profiles.filter(id__lt=before)
    found = list(profiles.order_by("-id")[: PER_PAGE + 1])
    return Page(found[:PER_PAGE], found[PER_PAGE - 1].pk if len(found) > PER_PAGE else None)


def search(workspace: Workspace, text: str) -> list[Profile]:
    """Return up to a page of users with this e-mail address, or whose external ID is or begins with `text`."""
    text = trim(text)
    if not text or "\0" in text:
        return []
    profiles = Profile.objects.filter(workspace=workspace)
    record = email_record(text)
    exact = Q(external_id=text) | Q(email_record=record) if record else Q(external_id=text)
    found = list(profiles.filter(exact).order_by("-id")[:PER_PAGE])
    if found or record:
        return found
    # A stretch of the index. LIKE would look at every user: SQLite's, as it does not mind upper and lower case.
    beginning = profiles.filter(external_id__gte=text, external_id__lte=text + LAST_CHARACTER)
    return list(beginning.order_by("external_id")[:PER_PAGE])
