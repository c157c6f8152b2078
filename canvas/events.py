"""What users do elsewhere: a custom event lets them into action-based Canvases, and out of those it ends.

All of it works on sets of users in SQL: the number of queries depends on how many Canvases listen, not on how many
users did something.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from canvas import journeys, launching
from canvas.models import Canvas
from integrations.delivery.counting import tally
from pinsync.profiles.models import Profile
from pinsync.workspaces.models import Workspace

EVENT = "event"  # Move.source of users whom an event let in


@dataclass(frozen=True)
class Happened:
    """What came of a call: entries into Canvases, waits that ended, and ids that nobody has."""

    entered: int = 0
    exited: int = 0
    unknown: int = 0


def happened(workspace: Workspace, events: Mapping[str, Sequence[str]], *, now: datetime) -> Happened:
    """Do what these events, each with the ids of the users who did it, mean for the workspace's Canvases.

    In one transaction. Users leave before they enter: an event that ends one journey may begin the same one anew.
    Raises FilterError where the target audience of a Canvas makes no sense.
    """
    entered = exited = 0
    # One tally, so that the figures of all steps are moved at the end and in one order, whichever Canvases they are in:
    # whoever settles a batch of several of them would else hold one and wait for the other.
    with transaction.atomic(), tally(now):
        # In the order of their ids: two calls never wait for each other's Canvases.
        active = Canvas.objects.filter(workspace=workspace, state=Canvas.State.ACTIVE).order_by("pk")
        listening = active.filter(exit_event__in=events) | active.filter(
            entry_kind=Canvas.EntryKind.EVENT, event_name__in=events
        )
        for canvas in listening.select_related("segment", "source_import", "workspace"):
            if canvas.exit_event in events:
                exited += journeys.leave(canvas, _users(workspace, events[canvas.exit_event]), now=now)
            if canvas.entry_kind == Canvas.EntryKind.EVENT and canvas.event_name in events:
                ids = events[canvas.event_name]
                users = launching.target(canvas, now).filter(external_id__in=ids)
                try:
                    entered += journeys.enter(canvas, users, source=EVENT, now=now).users
                except journeys.NotActive:
                    continue  # stopped meanwhile
    named = {id for some in events.values() for id in some}
    known = Profile.objects.filter(workspace=workspace, external_id__in=named).count()
    return Happened(entered, exited, len(named) - known)


def _users(workspace: Workspace, ids: Sequence[str]) -> QuerySet[Profile]:
    return Profile.objects.filter(workspace=workspace, external_id__in=ids)
