"""What happened to one person: their journeys, and their way to every audience, a page at a time."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from django.db.models import F, QuerySet

from canvas.analytics.batches import AttemptLine, attempts_of, steps_of_syncs
from canvas.analytics.places import Place, read_place
from canvas.analytics.streams import PAGE
from canvas.analytics.users import UserLine, lines_of
from canvas.models import Entry, Step
from integrations.models import Arrival, Audience, Delivery
from pinsync.profiles.matching import LABELS, MatchField
from pinsync.profiles.models import Profile
from pinsync.workspaces.home import Panel

SHOWN = 10  # on the profile's page


@dataclass(frozen=True)
class Happening:
    """One intent for one audience, and what became of it."""

    line: UserLine
    audience: Audience | None
    step: Step | None
    match_fields: int
    attempts: list[AttemptLine] = field(default_factory=list)  # the requests for its batch, newest first

    @property
    def fields(self) -> str:
        """Return what the user is matched on, as people read it."""
        return ", ".join(str(LABELS[name]) for name in MatchField(self.match_fields).names)


@dataclass(frozen=True)
class HappeningsPage:
    """Some happenings, newest first; `older` asks for the following ones and is "" on the last page."""

    happenings: list[Happening]
    older: str


@dataclass(frozen=True)
class JourneysPage:
    """Some entries into Canvases, newest first, and where the following ones begin."""

    entries: list[Entry]
    older: str


def happenings(profile: Profile, after: str = "", limit: int = PAGE) -> HappeningsPage:
    """Return a page of what a person was sent to, newest first; what still waits for its batch comes before that."""
    place = read_place(after, "ad") or Place("a")
    rows: list[Arrival | Delivery] = []
    if place.table == "a":
        rows += _newest(Arrival.objects.filter(profile=profile.pk), place, limit + 1)
        place = Place("d")
    if len(rows) <= limit:
        sent = Delivery.objects.filter(profile=profile.pk).select_related("batch")
        rows += _newest(sent, place, limit + 1 - len(rows))
    older = ""
    if len(rows) > limit:
        last = rows[limit - 1]
        older = str(Place("a" if isinstance(last, Arrival) else "d", last.pk))
    return HappeningsPage(_told(rows[:limit]), older)


def journeys(profile: Profile, after: str = "") -> JourneysPage:
    """Return a page of a person's entries into Canvases."""
    place = read_place(after, "e") or Place("e")
    entries = Entry.objects.filter(profile=profile.pk).select_related("canvas__workspace", "step", "move")
    found = _newest(entries, place, PAGE + 1)
    return JourneysPage(found[:PAGE], str(Place("e", found[PAGE - 1].pk)) if len(found) > PAGE else "")


def panel(profile: Profile) -> Panel | None:
    """Return the panel for the profile's page; None while nothing happened."""
    page = happenings(profile, limit=SHOWN)
    return Panel("canvas/analytics/_person.html", {"page": page, "profile": profile}) if page.happenings else None


def _newest(rows: "QuerySet[Any]", place: Place, limit: int) -> "list[Any]":
    """Return rows of one person behind a place.

    The sum keeps the database from walking down the primary key past everybody else to find the few of this person.
    """
    found = rows.annotate(order=F("id") + 0).filter(order__lt=place.below).order_by("-order")
    return list(found[:limit])


def _told(rows: "list[Arrival | Delivery]") -> list[Happening]:
    audiences = Audience.objects.select_related("ad_account__connection").in_bulk(
        {row.audience_id for row in rows if row.audience_id}
    )
    steps = steps_of_syncs({row.sync_id for row in rows})
    lines: dict[int, UserLine] = {}
    attempts: dict[int, list[AttemptLine]] = {}
    for partner, group in groupby(sorted(rows, key=_partner_of(audiences)), key=_partner_of(audiences)):
        ours = list(group)
        lines.update(zip(map(id, ours), lines_of(ours, partner), strict=True))
        batches = {row.batch_id for row in ours if isinstance(row, Delivery) and row.batch_id}
        attempts |= attempts_of(batches, partner)
    return [
        Happening(
            line=(line := lines[id(row)]),
            audience=audiences.get(row.audience_id or 0),
            step=steps.get(row.sync_id),
            match_fields=row.match_fields,
            attempts=attempts.get(line.batch.pk, []) if line.batch else [],
        )
        for row in rows
    ]


def _partner_of(audiences: dict[int, Audience]) -> "Callable[[Arrival | Delivery], str]":
    def partner(row: Arrival | Delivery) -> str:
        audience = audiences.get(row.audience_id or 0)
        return audience.ad_account.connection.partner if audience else ""

    return partner
