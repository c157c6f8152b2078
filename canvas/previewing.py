"""What a launch would mean: who would enter now, who of them carries which field, and what sending them takes."""

from dataclasses import dataclass
from datetime import datetime

from canvas import journeys, launching
from canvas.models import Canvas, Step
from integrations import registry
from integrations.delivery import forecast
from integrations.delivery.forecast import Line, Outlook
from integrations.delivery.limits import limits_of
from integrations.models import AudienceSync, Connection
from pinsync.profiles.matching import MatchField
from pinsync.profiles.segments import field_coverage, usable


@dataclass(frozen=True)
class Forecast:
    """What a launch now would mean for one sync step. `seconds` at the pace in force, if nobody else sends."""

    step: Step
    users: int
    records: int
    requests: int
    seconds: float
    outlook: Outlook | None  # where the partner rations our whole app: with all that waits already


@dataclass(frozen=True)
class Standing:
    """How sending to a partner stands for a workspace: seconds until its next request, and what waits for the quota."""

    connection_id: int  # 0 without one
    next_slot_in: float
    lines: list[Line]


@dataclass(frozen=True)
class Coverage:
    """How many users a target audience has, and how many of them carry a usable value of each field."""

    users: int
    fields: dict[str, int]

    def percent(self, field: str) -> float:
        """Return the share of users in percent, to one place; 0 when there is nobody."""
        return round(100 * self.fields[field] / self.users, 1) if self.users else 0.0


@dataclass(frozen=True)
class Preview:
    """Who would enter now, who of them carries which field, and what sending them takes."""

    users: int
    coverage: dict[str, int]
    forecasts: list[Forecast]

    @property
    def requests(self) -> int:
        return sum(forecast.requests for forecast in self.forecasts)

    @property
    def seconds(self) -> float:
        return sum(forecast.seconds for forecast in self.forecasts)


def coverage(canvas: Canvas, now: datetime) -> Coverage:
    """Count who of the target audience carries which field. Reads every profile of it, in SQL. Raises FilterError."""
    counts = field_coverage(launching.target(canvas, now))
    return Coverage(counts.pop("total"), counts)


def preview(canvas: Canvas, now: datetime) -> Preview:
    """Count who would enter now and what that costs. Reads every profile of the target audience, in SQL."""
    users = journeys.may_enter(canvas, launching.target(canvas, now), now)
    coverage = field_coverage(users)
    steps = [(step, step.sync) for step in canvas.steps.select_related("sync") if step.sync and step.sync.partner]
    sendable = usable(users, {MatchField(sync.match_fields) for _step, sync in steps})
    standings = {partner: _standing(canvas, partner) for partner in {sync.partner for _step, sync in steps}}
    forecasts = []
    for step, sync in steps:
        mask = MatchField(sync.match_fields)
        records = sum(coverage[name] for name in mask.names)
        limits = limits_of(sync.partner)
        # As full as the users' records allow: whichever limit is reached first decides.
        requests = max(-(-sendable[mask] // limits.users), -(-records // limits.records))
        forecasts.append(_forecast(step, sync, sendable[mask], records, requests, standings[sync.partner], now))
    return Preview(coverage["total"], coverage, forecasts)


def _standing(canvas: Canvas, partner: str) -> Standing:
    """Look once at what is the same for all steps of a partner."""
    connection = Connection.objects.filter(workspace=canvas.workspace_id, partner=partner).first()
    return Standing(
        connection.pk if connection else 0,
        forecast.next_slot_in(connection) if connection else 0.0,
        forecast.lines_at(partner) if registry.partner(partner).quota else [],
    )


def _forecast(
    step: Step, sync: AudienceSync, users: int, records: int, requests: int, standing: Standing, now: datetime
) -> Forecast:
    slot = standing.next_slot_in
    seconds = forecast.seconds_until_sent(sync.partner, requests, next_slot_in=slot)
    ours = forecast.Line(sync.audience_id or 0, sync.operation, standing.connection_id, requests)
    lane = (ours.audience_id, ours.operation)
    outlook = forecast.outlook(
        sync.partner,
        lambda line: (line.audience_id, line.operation) == lane,
        now=now,
        next_slot_in=slot,
        more=[ours] if requests else [],
        lines=standing.lines,
    )
    return Forecast(step, users, records, requests, seconds, outlook)
