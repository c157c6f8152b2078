"""Segments: saved filters, the users they pick, and how many of those a partner could match."""

from collections.abc import Iterable
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Count, ProtectedError, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from pinsync.profiles import filters as rules
from pinsync.profiles.matching import RECORD_COLUMNS, MatchField
from pinsync.profiles.models import Import, Profile, Segment
from pinsync.workspaces import audit
from pinsync.workspaces.models import User, Workspace


class SegmentRefused(Exception):
    """Cannot be saved or deleted; the message is a sentence for people."""


def profiles_in(
    workspace: Workspace,
    segment: Segment | None = None,
    source_import: Import | None = None,
    *,
    now: datetime | None = None,
) -> QuerySet[Profile]:
    """Return the users of a segment, or of an import, or (both None) everybody.

    `now` is what "in the last N days" counts from; without it, the moment of the call. Raises FilterError when the
    segment's rules make no sense.
    """
    profiles = Profile.objects.filter(workspace=workspace)
    if source_import is not None:
        profiles = profiles.filter(last_import=source_import)
    if segment is not None:
        profiles = profiles.filter(rules.build(segment.filters, now=now or timezone.now()))
    return profiles


def matching(workspace: Workspace, filters: dict[str, Any], *, now: datetime) -> QuerySet[Profile]:
    """Return the users whom these rules pick. Raises FilterError."""
    return Profile.objects.filter(rules.build(filters, now=now), workspace=workspace)


def field_coverage(profiles: QuerySet[Profile]) -> dict[str, int]:
    """Return how many there are, and how many of them carry a usable value of each field, in one query."""
    counts = {name: Count(column) for name, column in RECORD_COLUMNS.items()}
    return profiles.order_by().aggregate(total=Count("id"), **counts)


def usable(profiles: QuerySet[Profile], masks: Iterable[MatchField]) -> dict[MatchField, int]:
    """Return how many carry a usable value in at least one of the fields of each mask, in one query."""
    counts = {f"mask_{mask.value}": Count("id", filter=_any_of(mask)) for mask in masks if mask}
    found = profiles.order_by().aggregate(**counts) if counts else {}
    return {mask: found.get(f"mask_{mask.value}", 0) for mask in masks}


def _any_of(mask: MatchField) -> Q:
    return reduce(or_, (Q(**{f"{RECORD_COLUMNS[name]}__isnull": False}) for name in mask.names))


def save_segment(segment: Segment, name: str, filters: dict[str, Any], user: User | None, *, now: datetime) -> Segment:
    """Save a new or changed segment. Raises FilterError, or SegmentRefused when the name is taken."""
    rules.build(filters, now=now)
    action = "segment.changed" if segment.pk else "segment.created"
    segment.name, segment.filters = name, filters
    try:
        with transaction.atomic():
            segment.save()
            audit.record(segment.workspace, user, action, name, now=now, segment=segment.pk)
    except IntegrityError:
        raise SegmentRefused(_("There is a segment of that name already.")) from None
    return segment


def delete_segment(segment: Segment, user: User | None, *, now: datetime) -> None:
    """Delete a segment. Raises SegmentRefused, with the names of what uses it."""
    pk, name = segment.pk, segment.name
    try:
        with transaction.atomic():
            segment.delete()
            audit.record(segment.workspace, user, "segment.deleted", name, now=now, segment=pk)
    except ProtectedError as error:
        users = ", ".join(sorted(f"“{one}”" for one in error.protected_objects))
        raise SegmentRefused(_("The segment is used by %(users)s and cannot be deleted.") % {"users": users}) from None
