"""What is due: the lanes (audience and operation) that have something to send, in the order in which to serve them.

Nothing here counts: the lanes are found by skipping through the index of the waiting table, so the cost grows with
the number of lanes, not of users. What was claimed since the last vacuum stands in the way of that: who looks often
remembers where the lanes he knows begin (Lookout).
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from django.db import connection

from integrations.delivery import pacing, rationing
from integrations.delivery.clock import clock_sql, greatest_sql
from integrations.delivery.plans import by_index, of_lane
from integrations.models import (
    AdAccount,
    AppPace,
    Arrival,
    Audience,
    Batch,
    Connection,
    Lane,
    Operation,
    Pace,
    Tick,
)
from pinsync.sql import prepared

# Batches of one lane that may wait for a retry before no new ones are made: enough that one refused request does not
# hold up the others, few enough that an outage leaves the users where they are cheap to keep.
MOST_FAILING = 8

# Seconds between two looks at all lanes. A lane that is new waits so long at most, and so does somebody whose lower id
# was committed after a higher one was claimed.
SEE_ALL_EVERY = 1.0

Key = tuple[int, str]  # audience id and operation of a lane


@dataclass(frozen=True)
class DueLane:
    """Something to send for one audience and operation."""

    audience_id: int
    operation: str
    partner: str
    connection_id: int
    pace_id: int
    served_at: float  # seconds since the epoch; audiences take turns by it
    turn: str  # lanes with the same one share a pace: a partner user's, or the app's where it has a quota
    next_slot_in: float  # seconds until the next free slot of that pace
    crowded: bool  # its last new batch was full
    retries: bool  # a batch waits for its next attempt
    fresh: bool  # arrivals are due
    first_id: int  # of the oldest arrival; 0 when nobody waits

    @property
    def order(self) -> tuple[bool, float]:
        """Removals first, then audiences in turn."""
        return self.operation != Operation.REMOVE, self.served_at


_T = {
    "arrival": Arrival._meta.db_table,
    "batch": Batch._meta.db_table,
    "audience": Audience._meta.db_table,
    "account": AdAccount._meta.db_table,
    "connection": Connection._meta.db_table,
    "pace": Pace._meta.db_table,
    "app": AppPace._meta.db_table,
    "lane": Lane._meta.db_table,
    "tick": Tick._meta.db_table,
}


@cache
def _query(rationed: tuple[str, ...], *, known: bool) -> str:
    clock = clock_sql()
    slots = ["COALESCE(p.next_slot, 0)", "COALESCE(p.blocked_until, 0)"]
    app = ""
    if rationed:
        slots += ["COALESCE(app.next_slot, 0)", "COALESCE(app.blocked_until, 0)"]
        places = ", ".join(["%s"] * len(rationed))
        app = f"LEFT JOIN {_T['app']} app ON app.partner = c.partner AND app.partner IN ({places})"
    next_slot = greatest_sql(*slots, clock)
    in_lane, by_age = of_lane("way.audience_id", "way.operation", "way.starts")
    in_found, by_found_age = of_lane("lane.audience_id", "lane.operation", "lane.first_id")
    # PostgreSQL would ask what stands in a subquery once for each place in which it is used.
    once = "OFFSET 0" if connection.vendor == "postgresql" else ""
    # Whether a full batch waits is asked only where nobody has waited long enough: it is a walk of that length.
    return f"""
WITH RECURSIVE {_KNOWN[connection.vendor] if known else _ALL}, flush(at) AS (SELECT {_FLUSHED[connection.vendor]})
SELECT lane.audience_id, lane.operation, lane.partner, lane.connection_id, lane.pace_id, lane.served_at, lane.slot,
    lane.crowded, lane.retries, lane.failing < {MOST_FAILING} AND CASE WHEN lane.oldest <= flush.at THEN TRUE
      WHEN lane.oldest > flush.at THEN (SELECT a.id FROM {_T["arrival"]} a
        WHERE {in_found} ORDER BY {by_found_age} LIMIT 1 OFFSET %s) IS NOT NULL ELSE FALSE END, lane.first_id
FROM flush CROSS JOIN (
SELECT found.*, (SELECT a.entered_at FROM {_T["arrival"]} a WHERE a.id = found.first_id) AS oldest
FROM (SELECT way.audience_id, way.operation, c.partner, c.id AS connection_id, p.id AS pace_id,
    COALESCE(l.served_at, 0) AS served_at, {next_slot} - {clock} AS slot, COALESCE(l.crowded, FALSE) AS crowded,
    EXISTS (SELECT 1 FROM {_T["batch"]} b WHERE b.audience_id = way.audience_id AND b.operation = way.operation
        AND b.settled_at IS NULL AND b.state = 'waiting' AND b.next_attempt_at <= %s)
    OR EXISTS (SELECT 1 FROM {_T["batch"]} b WHERE b.audience_id = way.audience_id AND b.operation = way.operation
        AND b.settled_at IS NULL AND b.state = 'sending' AND b.lease_until <= %s) AS retries,
    (SELECT count(*) FROM {_T["batch"]} b WHERE b.audience_id = way.audience_id AND b.operation = way.operation
        AND b.settled_at IS NULL AND b.attempts > 0 AND b.reason > '') AS failing,
    (SELECT a.id FROM {_T["arrival"]} a WHERE {in_lane} ORDER BY {by_age} LIMIT 1) AS first_id
  FROM way
  JOIN {_T["audience"]} u ON u.id = way.audience_id AND u.state IN ('ready', 'gone')
  JOIN {_T["account"]} t ON t.id = u.ad_account_id AND t.state IN ('connected', 'lost')
  JOIN {_T["connection"]} c ON c.id = t.connection_id AND c.state = 'connected' AND c.paused_at IS NULL
  LEFT JOIN {_T["pace"]} p ON p.partner = c.partner AND p.partner_user_id = c.partner_user_id
  {app}
  LEFT JOIN {_T["lane"]} l ON l.audience_id = way.audience_id
{once}) found {once}) lane
"""


# The lanes to look at, and the id from which on: all that have something, or those that are told (JSON).
# Not min(): with young statistics PostgreSQL goes through another index for it, from end to end.
_IN_LANES = "ORDER BY a.audience_id, a.operation, a.id LIMIT 1"
_WAITING = f"""waiting(id) AS (
    SELECT (SELECT a.audience_id FROM {_T["arrival"]} a {_IN_LANES})
    UNION ALL
    SELECT (SELECT a.audience_id FROM {_T["arrival"]} a WHERE a.audience_id > waiting.id {_IN_LANES})
    FROM waiting WHERE waiting.id IS NOT NULL
), operations(name) AS (SELECT 'remove' UNION ALL SELECT 'add')"""
_ALL = f"""{_WAITING}, busy(id) AS (
    SELECT id FROM waiting WHERE id IS NOT NULL
    UNION
    SELECT audience_id FROM {_T["batch"]} WHERE settled_at IS NULL
), way(audience_id, operation, starts) AS (SELECT busy.id, o.name, 0 FROM busy CROSS JOIN operations o)"""
_KNOWN = {
    "postgresql": """way(audience_id, operation, starts) AS (
    SELECT (told->>0)::bigint, told->>1, (told->>2)::bigint FROM jsonb_array_elements(%s::jsonb) AS told)""",
    "sqlite": """way(audience_id, operation, starts) AS (
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]') FROM json_each(%s))""",
}
# Until when those who wait must have come to be sent without waiting for more: NULL stands for the last tick.
_FLUSHED = {
    "postgresql": f"""COALESCE(%s::timestamptz, (SELECT to_timestamp(last_at) FROM {_T["tick"]} WHERE id = 1),
    to_timestamp(0))""",
    "sqlite": "%s",
}


def due_lanes(*, now: datetime, full: int, flushed_at: datetime | None = None) -> list[DueLane]:
    """Return what may be sent now, first things first.

    Arrivals are due when they came before `flushed_at`, the last tick, or when a full batch of them waits.
    """
    return _due(_look(now, full, flushed_at, None))


class Lookout:
    """Looks several times a second at what is due, and remembers in between which lanes there are.

    A lane is known by the id of its oldest arrival: everything before that was claimed. That is no promise for ever
    (ids are given before they are committed), so all lanes are looked at from their beginning every SEE_ALL_EVERY.
    """

    def __init__(self) -> None:
        self._starts: dict[Key, int] = {}
        self._saw_all_at = 0.0
        self.saw_all = False  # whether the last look was one at all lanes

    def due_lanes(self, *, now: datetime, full: int, flushed_at: datetime | None = None) -> list[DueLane]:
        """Return the same as `due_lanes`, of the lanes that are known."""
        self.saw_all = not self._starts or time.monotonic() - self._saw_all_at > SEE_ALL_EVERY
        rows = _look(now, full, flushed_at, None if self.saw_all else self._starts)
        if self.saw_all:
            self._saw_all_at = time.monotonic()
            self._starts = {}
        for row in rows:
            key = (row[0], row[1])
            self._starts[key] = row[-1] or self._starts.get(key, 0)
        return _due(rows)

    def see_all(self) -> None:
        """Make the next look one at all lanes."""
        self._starts = {}


def _look(
    now: datetime, full: int, flushed_at: datetime | None, starts: Mapping[Key, int] | None
) -> list[tuple[Any, ...]]:
    if flushed_at is None and connection.vendor == "sqlite":
        flushed_at = _last_tick()
    moments = [connection.ops.adapt_datetimefield_value(moment) for moment in (flushed_at, now)]
    rationed = tuple(rationing.rationed())
    told = [] if starts is None else [json.dumps([[*key, first] for key, first in starts.items()])]
    with by_index(), prepared() as cursor:
        params = [*told, moments[0], full - 1, moments[1], moments[1], *rationed]
        cursor.execute(_query(rationed, known=starts is not None), params)
        return list(cursor.fetchall())


def _due(rows: list[tuple[Any, ...]]) -> list[DueLane]:
    found = []
    rationed = rationing.rationed()
    for audience, operation, partner, conn, pace, served, slot, crowded, retries, fresh, first in rows:
        if pace is None:  # a partner user of whom nothing was asked yet
            pace = pacing.pace_of(Connection.objects.get(pk=conn)).pk
        if retries or fresh:
            turn = partner if partner in rationed else str(pace)
            slot_in = max(float(slot), 0.0)
            due = bool(crowded), bool(retries), bool(fresh), first or 0
            found.append(DueLane(audience, operation, partner, conn, pace, served, turn, slot_in, *due))
    return sorted(found, key=lambda lane: lane.order)


def oldest_entries() -> dict[Key, datetime]:
    """Return for each lane in which anybody waits when the first of them entered; removals first in an audience.

    Whether anything may be sent there does not matter.
    """
    in_lane, by_age = of_lane("way.audience_id", "way.operation", "0")
    with by_index(), connection.cursor() as cursor:
        cursor.execute(
            f"WITH RECURSIVE {_WAITING} SELECT way.audience_id, way.operation,"
            f" (SELECT a.entered_at FROM {_T['arrival']} a WHERE {in_lane} ORDER BY {by_age} LIMIT 1)"
            " FROM (SELECT waiting.id AS audience_id, o.name AS operation FROM waiting CROSS JOIN operations o"
            " WHERE waiting.id IS NOT NULL) way"
        )
        rows = sorted(cursor.fetchall(), key=lambda row: (row[0], row[1] != Operation.REMOVE))
    return {(audience_id, operation): _moment(entered) for audience_id, operation, entered in rows if entered}


def _moment(value: datetime | str) -> datetime:
    """Return a moment of a raw query; SQLite gives it as text."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _last_tick() -> datetime:
    last = Tick.objects.filter(pk=1).values_list("last_at", flat=True).first()
    return datetime.fromtimestamp(last or 0, tz=UTC)
