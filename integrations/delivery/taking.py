"""PostgreSQL's short way from a lane to a batch: one statement picks, joins, moves and adds up.

What claiming.py does with rows in Python, for lanes in which nobody waits for the opposite: it costs the database a
quarter less, and Python next to nothing, as of 1,900 users one row comes back.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from integrations.delivery.limits import Limits
from integrations.delivery.moving import COLUMNS, any_of, opposite
from integrations.delivery.plans import of_lane
from pinsync.profiles.matching import RECORD_COLUMNS, MatchField
from pinsync.sql import prepared


@dataclass(frozen=True)
class Taken:
    """The oldest users of a lane, deliveries of batch `batch_id` now; that batch is still to be made.

    `records` are theirs, each once. `unusable` and `deleted` are arrivals of those who wait still: nothing of theirs
    can be sent, or the profile is gone.
    """

    batch_id: int
    users: int
    oldest_entered_at: datetime | None  # None: nobody was taken
    records: list[str]
    unusable: list[int]
    deleted: list[int]
    of_syncs: list[tuple[int, int]]  # sync id and users; empty where that was not told


def take(audience_id: int, operation: str, limits: Limits, *, first: int = 0) -> Taken | None:
    """Turn the oldest arrivals of a lane into deliveries of one batch, as many as one request is sure to carry.

    A record that several of them have counts each time, though it is sent once: no more than the limit, maybe fewer.
    `first` is the id to begin with. Returns None, and takes nobody, where somebody waits for the opposite: order.py
    decides there. To be asked `by_index` (plans.py), by one who holds the lane.
    """
    other = opposite(operation)
    lane: list[int | str] = [audience_id, operation, first, operation, limits.users]
    with prepared() as cursor:
        cursor.execute(_TAKE, [audience_id, other, *lane, limits.records, limits.records])
        is_opposed, batch_id, users, entered, records, unusable, deleted, gone, first_sync, last_sync = (
            cursor.fetchone()
        )
    if is_opposed:
        return None
    if gone != users:
        raise RuntimeError(f"Of {users} arrivals {gone} were there: somebody took them without holding the lane.")
    return Taken(
        batch_id,
        users,
        datetime.fromtimestamp(entered, tz=UTC) if users else None,
        list(dict.fromkeys(records.split(","))) if users else [],
        unusable or [],
        deleted or [],
        [(first_sync, users)] if users and first_sync == last_sync else [],
    )


_WANTED = [
    f"CASE WHEN o.match_fields & {MatchField[name.upper()].value} > 0 THEN p.{column} END"
    for name, column in RECORD_COLUMNS.items()
]


def _without_record(where: str) -> str:
    """Return the SQL for the ids of those who have nothing to be sent; mostly there is nobody to go looking for."""
    some = f"SELECT array_agg(id) FROM known WHERE number = 0 AND {where}"
    return f"CASE WHEN (SELECT somebody_has_none FROM last) THEN ({some}) END"


_IN_LANE, _BY_AGE = of_lane("%s", "%s", "%s")
_TAKEN = "k.number > 0 AND k.id <= (SELECT id FROM last)"
# All of it sees one moment: whoever is taken, and was asked the opposite before, is seen to be opposed. They come the
# oldest first, and no sort makes sure of what nothing disturbs. `last` is who is taken last: where all records together
# are too many, the last up to whom they are not; who alone has more than a request carries goes alone.
_TAKE = f"""
WITH opposed AS MATERIALIZED ({any_of("%s", "%s")}),
known AS MATERIALIZED (
    SELECT o.*, p.id IS NOT NULL AS is_there,
        num_nonnulls({", ".join(_WANTED)}) AS number, concat_ws(',', {", ".join(_WANTED)}) AS records
    FROM (
        SELECT a.ctid AS place, a.id, {", ".join(f"a.{column}" for column in COLUMNS)} FROM integrations_arrival a
        WHERE NOT (SELECT it_is FROM opposed) AND {_IN_LANE} ORDER BY {_BY_AGE} LIMIT %s
    ) o LEFT JOIN profiles_profile p ON p.id = o.profile_id
),
last AS MATERIALIZED (
    SELECT CASE WHEN sum(number) <= %s THEN max(id) ELSE (
        SELECT max(id) FROM (
            SELECT id, number, sum(number) OVER (ROWS UNBOUNDED PRECEDING) AS upto FROM known WHERE number > 0
        ) counted WHERE upto <= %s OR upto = number
    ) END AS id, min(number) = 0 AS somebody_has_none FROM known
),
gone AS (
    DELETE FROM integrations_arrival WHERE ctid = ANY(ARRAY(SELECT place FROM known k WHERE {_TAKEN})) RETURNING 1
),
made AS MATERIALIZED (SELECT nextval(pg_get_serial_sequence('integrations_batch', 'id')) AS id),
put AS (
    INSERT INTO integrations_delivery ({", ".join(COLUMNS)}, batch_id, reason)
    SELECT {", ".join(COLUMNS)}, (SELECT id FROM made), '' FROM known k WHERE {_TAKEN}
)
SELECT (SELECT it_is FROM opposed), (SELECT id FROM made), count(*), extract(epoch FROM min(entered_at))::float8,
    string_agg(records, ','),
    {_without_record("is_there")}, {_without_record("NOT is_there")},
    (SELECT count(*) FROM gone), min(sync_id), max(sync_id)
FROM known k WHERE {_TAKEN}
"""
