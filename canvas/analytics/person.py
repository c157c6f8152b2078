"""What happened to one person: their way to every audience, for the page of the profile."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby

from django.db.models import Q

from canvas.analytics.batches import steps_of_syncs
from canvas.analytics.streams import PAGE, same_person
from canvas.analytics.users import UserLine, lines_of
from canvas.models import Step
from integrations.models import Arrival, Audience, Delivery
from pinsync.profiles.models import Profile
from pinsync.workspaces.home import Panel


@dataclass(frozen=True)
class Happening:
    """One intent for one audience, and what became of it."""

    line: UserLine
    audience: Audience | None
    step: Step | None


def happenings(profile: Profile) -> list[Happening]:
    """Return the latest arrivals and deliveries of a person, newest first, by the index on (profile, audience)."""
    rows = sorted(same_person([profile.pk], Q()), key=lambda row: (row.entered_at, row.pk), reverse=True)[:PAGE]
    audiences = Audience.objects.select_related("ad_account__connection").in_bulk(
        {row.audience_id for row in rows if row.audience_id}
    )
    steps = steps_of_syncs({row.sync_id for row in rows})
    lines: dict[int, UserLine] = {}
    for partner, group in groupby(sorted(rows, key=_partner_of(audiences)), key=_partner_of(audiences)):
        ours = list(group)
        lines.update(zip(map(id, ours), lines_of(ours, partner), strict=True))
    return [Happening(lines[id(row)], audiences.get(row.audience_id or 0), steps.get(row.sync_id)) for row in rows]


def _partner_of(audiences: dict[int, Audience]) -> "Callable[[Arrival | Delivery], str]":
    def partner(row: Arrival | Delivery) -> str:
        audience = audiences.get(row.audience_id or 0)
        return audience.ad_account.connection.partner if audience else ""

    return partner


def panel(profile: Profile) -> Panel | None:
    """Return the panel for the profile's page; None while nothing happened."""
    found = happenings(profile)
    return Panel("canvas/analytics/_person.html", {"happenings": found}) if found else None
