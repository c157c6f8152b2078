"""What is due: the lanes (audience and operation) that have something to send, in the order in which to serve them.

Nothing here counts: the lanes are found by skipping through the index of the waiting table, so the cost grows with
the number of lanes, not of users.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import connection

from integrations.delivery import pacing, rationing
from integrations.delivery.clock import clock_sql, greatest_sql
from integrations.delivery.plans import by_index
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

# Batches of one lane that may wait for a retry before no new ones are made: enough that one refused request does not
# hold up the others, few enough that an outage leaves the users where they are cheap to keep.
MOST_FAILING = 8


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
    retries: bool  # a batch waits for its next attempt
    fresh: bool  # arrivals are due

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


def _query(rationed: list[str]) -> str:
    clock = clock_sql()
    slots = ["COALESCE(p.next_slot, 0)", "COALESCE(p.blocked_until, 0)"]
    app = ""
    if rationed:
        slots += ["COALESCE(app.next_slot, 0)", "COALESCE(app.blocked_until, 0)"]
        places = ", ".join(["%s"] * len(rationed))
        app = f"LEFT JOIN {_T['app']} app ON app.partner = c.partner AND app.partner IN ({places})"
    next_slot = greatest_sql(*slots, clock)
    return f"""
WITH RECURSIVE waiting(id) AS (
    SELECT min(audience_id) FROM {_T["arrival"]}
    UNION ALL
    SELECT (SELECT min(a.audience_id) FROM {_T["arrival"]} a WHERE a.audience_id > waiting.id)
    FROM waiting WHERE waiting.id IS NOT NULL
), busy(id) AS (
    SELECT id FROM waiting WHERE id IS NOT NULL
    UNION
    SELECT audience_id FROM {_T["batch"]} WHERE settled_at IS NULL
), operations(name) AS (SELECT 'remove' UNION ALL SELECT 'add')
SELECT lane.*, CASE WHEN lane.oldest > %s THEN (SELECT a.id FROM {_T["arrival"]} a
      WHERE a.audience_id = lane.audience_id AND a.operation = lane.operation ORDER BY a.id LIMIT 1 OFFSET %s) END
FROM (SELECT busy.id AS audience_id, o.name AS operation, c.partner, c.id AS connection_id, p.id AS pace_id,
    COALESCE(l.served_at, 0) AS served_at, {next_slot} - {clock} AS slot,
    (SELECT min(b.next_attempt_at) FROM {_T["batch"]} b
      WHERE b.audience_id = busy.id AND b.operation = o.name AND b.settled_at IS NULL AND b.state = 'waiting') AS retry,
    (SELECT min(b.lease_until) FROM {_T["batch"]} b
      WHERE b.audience_id = busy.id AND b.operation = o.name AND b.settled_at IS NULL AND b.state = 'sending') AS lease,
    (SELECT count(*) FROM {_T["batch"]} b
      WHERE b.audience_id = busy.id AND b.operation = o.name AND b.settled_at IS NULL AND b.attempts > 0
        AND b.reason > '') AS failing,
    (SELECT a.entered_at FROM {_T["arrival"]} a
      WHERE a.audience_id = busy.id AND a.operation = o.name ORDER BY a.id LIMIT 1) AS oldest
  FROM busy
  JOIN {_T["audience"]} u ON u.id = busy.id AND u.state IN ('ready', 'gone')
  JOIN {_T["account"]} t ON t.id = u.ad_account_id AND t.state IN ('connected', 'lost')
  JOIN {_T["connection"]} c ON c.id = t.connection_id AND c.state = 'connected' AND c.paused_at IS NULL
  LEFT JOIN {_T["pace"]} p ON p.partner = c.partner AND p.partner_user_id = c.partner_user_id
  {app}
  LEFT JOIN {_T["lane"]} l ON l.audience_id = busy.id
  CROSS JOIN operations o
) lane
"""


def due_lanes(*, now: datetime, flushed_at: datetime, full: int) -> list[DueLane]:
    """Return what may be sent now, first things first.

    Arrivals are due when they came before the last tick (`flushed_at`), or when a full batch of them waits.
    """
    rationed = rationing.rationed()
    with by_index(), connection.cursor() as cursor:
        # Whether a full batch waits is asked only where nobody has waited long enough: it is a walk of that length.
        flushed = connection.ops.adapt_datetimefield_value(flushed_at)
        cursor.execute(_query(rationed), [flushed, full - 1, *rationed])
        rows = cursor.fetchall()
    found = []
    for audience, operation, partner, conn, pace, served, slot, retry_at, lease_until, failing, oldest, full_id in rows:
        if pace is None:  # a partner user of whom nothing was asked yet
            pace = pacing.pace_of(Connection.objects.get(pk=conn)).pk
        retries = _reached(retry_at, now) or _reached(lease_until, now)
        fresh = failing < MOST_FAILING and (full_id is not None or _reached(oldest, flushed_at))
        if retries or fresh:
            turn = partner if partner in rationed else str(pace)
            slot_in = max(float(slot), 0.0)
            found.append(DueLane(audience, operation, partner, conn, pace, served, turn, slot_in, retries, fresh))
    return sorted(found, key=lambda lane: lane.order)


def _reached(moment: datetime | str | None, now: datetime) -> bool:
    """Return whether a moment of a raw query has come; SQLite gives it as text."""
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    if moment is not None and moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment is not None and moment <= now


def flushed_at() -> datetime:
    """Return the last tick: whoever arrived before it has waited long enough."""
    last = Tick.objects.filter(pk=1).values_list("last_at", flat=True).first()
    return datetime.fromtimestamp(last or 0, tz=UTC)
