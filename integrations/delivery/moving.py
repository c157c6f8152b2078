"""Arrivals become deliveries: the SQL of the hot road, for many ids at once and without a row passing through Python.

Lists of ids travel as one text parameter: a list of thousands of parameters costs more than the query.
"""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

from django.db import connection

from integrations.delivery.plans import of_lane
from integrations.models import Operation
from pinsync.profiles.matching import RECORD_COLUMNS, MatchField

COLUMNS = ("sync_id", "profile_id", "audience_id", "operation", "match_fields", "entered_at")  # of both tables
_COLUMNS = ", ".join(COLUMNS)


class Waiting(NamedTuple):
    """One arrival: who, which fields to match on (a MatchField mask), since when, and what the profile has now.

    `entered` compares; `moment` makes a datetime of it. `is_there` is false where the profile was deleted. The records
    are those of MatchField in its order. `place` is where PostgreSQL keeps the row, as long as the lane is held.
    """

    id: int
    place: str
    profile_id: int
    match_fields: int
    entered: float | str
    is_there: bool
    email: str | None
    idfa: str | None
    gaid: str | None

    @property
    def records(self) -> list[str]:
        """Return the usable records of the fields to match on."""
        return [record for place in _OF_WAITING[self.match_fields] if (record := self[place])]  # type: ignore[misc]


_waiting = partial(tuple.__new__, Waiting)  # `_make` looks at each row


class Member(NamedTuple):
    """One delivery, or one arrival: who, and which fields to match on."""

    id: int
    profile_id: int
    match_fields: int


def opposite(operation: str) -> str:
    """Return the operation that undoes this one."""
    return Operation.REMOVE if operation == Operation.ADD else Operation.ADD


def oldest(audience_id: int, operation: str, limit: int, *, unblocked: bool, first: int = 0) -> list[Waiting]:
    """Return the oldest arrivals of a lane; with `unblocked`, only those whose opposite is not under way.

    `first` is the id to begin with. To be asked `by_index` (plans.py): the planner would rather scan all profiles.
    """
    in_lane, by_age = of_lane("%s", "%s", "%s")
    params: list[int | str] = [audience_id, operation, first]
    blocked = ""
    place = "''"
    if connection.vendor == "postgresql":
        params.append(operation)
        place = "a.ctid::text"
    if unblocked:
        # OFFSET keeps PostgreSQL from joining: it takes open batches for few, and compares everybody with everybody.
        fence = "OFFSET 0" if connection.vendor == "postgresql" else ""
        blocked = f" AND NOT EXISTS ({_UNDER_WAY} {fence})"
        params.append(opposite(operation))
    # Not as moments: those are made in Python, one by one.
    entered = "extract(epoch FROM entered_at)::float8" if connection.vendor == "postgresql" else "entered_at || ''"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT w.id, w.place, w.profile_id, w.match_fields, {entered}, p.id IS NOT NULL, {_RECORDS} FROM ("
            f"SELECT a.id, {place} AS place, a.profile_id, a.match_fields, a.entered_at FROM integrations_arrival a"
            f" WHERE {in_lane}{blocked} ORDER BY {by_age} LIMIT %s"
            ") w LEFT JOIN profiles_profile p ON p.id = w.profile_id ORDER BY w.id",
            [*params, limit],
        )
        return list(map(_waiting, cursor.fetchall()))


_RECORDS = ", ".join(RECORD_COLUMNS[name] for name in RECORD_COLUMNS)
_UNDER_WAY = (
    "SELECT 1 FROM integrations_delivery d JOIN integrations_batch b ON b.id = d.batch_id"
    " WHERE d.profile_id = a.profile_id AND d.audience_id = a.audience_id AND d.operation = %s AND b.settled_at IS NULL"
)


def moment(entered: float | str) -> datetime:
    """Return `Waiting.entered` as a datetime."""
    if isinstance(entered, str):
        return datetime.fromisoformat(entered).replace(tzinfo=UTC)
    return datetime.fromtimestamp(entered, tz=UTC)


def oldest_entry(arrivals: Iterable[Waiting]) -> datetime:
    """Return when the first of these entered."""
    return moment(min(arrival.entered for arrival in arrivals))


def has_any(audience_id: int, operation: str) -> bool:
    """Return whether anything of an operation waits or is unfinished in an audience."""
    with connection.cursor() as cursor:
        cursor.execute(any_of("%s", "%s"), [audience_id, operation])
        return bool(cursor.fetchone()[0])


def any_of(audience: str, operation: str) -> str:
    """Return the query for that, whose one value is called `it_is`. The arguments are SQL."""
    in_lane, by_age = of_lane("asked.audience_id", "asked.operation", "0")
    asked = f"CAST({audience} AS bigint) AS audience_id, CAST({operation} AS varchar(6)) AS operation"
    return (
        f"SELECT (SELECT a.id FROM integrations_arrival a WHERE {in_lane} ORDER BY {by_age} LIMIT 1) IS NOT NULL"
        " OR EXISTS (SELECT 1 FROM integrations_batch b WHERE b.audience_id = asked.audience_id"
        f" AND b.operation = asked.operation AND b.settled_at IS NULL) AS it_is FROM (SELECT {asked}) asked"
    )


def of_profiles(profile_ids: Collection[int], audience_id: int, operation: str) -> list[Member]:
    """Return what these profiles wait for in an audience, oldest first."""
    rows = of_each(
        profile_ids,
        "SELECT d.id, d.profile_id, d.match_fields FROM integrations_arrival d",
        # The sum keeps both databases from going through the lane, however long it is.
        "d.audience_id + 0 = %s AND d.operation = %s",
        [audience_id, operation],
    )
    return sorted(Member(*row) for row in rows)


def of_each(profile_ids: Collection[int], select: str, where: str, params: list[int | str]) -> list[tuple[Any, ...]]:
    """Return the rows of a query for each of some profiles, by the index that begins with the profile.

    The table is called `d` in it. Profile by profile: with young statistics PostgreSQL takes a long list of profiles
    for all of them, and goes through the table.
    """
    if connection.vendor == "postgresql":
        one = f"{select} WHERE d.profile_id = asked.id AND {where} OFFSET 0"
        query = f"SELECT found.* FROM unnest(%s::bigint[]) AS asked(id) CROSS JOIN LATERAL ({one}) AS found"
        ids = f"{{{','.join(map(str, profile_ids))}}}"
    else:
        query = f"{select} WHERE d.profile_id IN (SELECT value FROM json_each(%s)) AND {where}"
        ids = f"[{','.join(map(str, profile_ids))}]"
    with connection.cursor() as cursor:
        cursor.execute(query, [ids, *params])
        return list(cursor.fetchall())


def records(wanted: Iterable[tuple[int, int]]) -> dict[int, tuple[str | None, ...]]:
    """Return the records of profiles by id, for (profile id, mask) pairs; a deleted profile is not in it.

    The columns are those of MatchField in its order.
    """
    condition, ids = among("id", {profile_id for profile_id, _ in wanted})
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT id, {_RECORDS} FROM profiles_profile WHERE {condition}", [ids])
        return {row[0]: row[1:] for row in cursor.fetchall()}


_PLACES = {
    mask: tuple(place for place, field in enumerate(MatchField) if mask & field.value)
    for mask in range(2 ** len(MatchField))
}


_FIRST = Waiting._fields.index("email")
_OF_WAITING = {mask: tuple(_FIRST + place for place in places) for mask, places in _PLACES.items()}


def pick(found: tuple[str | None, ...] | None, mask: int) -> list[str]:
    """Return the usable ones among a profile's records, of the fields in `mask`."""
    if found is None:
        return []
    return [record for place in _PLACES[mask] if (record := found[place])]


def by_sync(arrival_ids: Collection[int]) -> list[tuple[int, int]]:
    """Return how many of these arrivals each sync has."""
    condition, ids = among("id", arrival_ids)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT sync_id, count(*) FROM integrations_arrival WHERE {condition} GROUP BY sync_id", [ids])
        return [(int(sync_id), int(users)) for sync_id, users in cursor.fetchall()]


def move(arrival_ids: Collection[int], *, batch_id: int | None = None, reason: str = "") -> None:
    """Turn arrivals into deliveries of a batch, or into deliveries that ended for a reason."""
    condition, ids = among("id", arrival_ids)
    if arrival_ids:
        _move(condition, [ids], batch_id, reason)


def move_waiting(arrivals: Collection[Waiting], *, batch_id: int) -> None:
    """Do the same with arrivals that were read in this transaction, by one who holds the lane."""
    if connection.vendor != "postgresql":
        move([arrival.id for arrival in arrivals], batch_id=batch_id)
    elif arrivals:
        # By their places: as many walks down the index as users would cost as much as writing the deliveries.
        # The sum keeps the index out of it; the id is asked for all the same.
        condition, ids = among("id + 0", [arrival.id for arrival in arrivals])
        places = ",".join(f'"{arrival.place}"' for arrival in arrivals)
        _move(f"ctid = ANY(%s::tid[]) AND {condition}", [f"{{{places}}}", ids], batch_id, "")


def _move(condition: str, params: list[str], batch_id: int | None, reason: str) -> None:
    put = f"INSERT INTO integrations_delivery ({_COLUMNS}, batch_id, reason) SELECT {_COLUMNS}, %s, %s FROM"
    take = f"DELETE FROM integrations_arrival WHERE {condition}"
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(f"WITH gone AS ({take} RETURNING *) {put} gone", [*params, batch_id, reason])
        else:
            cursor.execute(f"{put} integrations_arrival WHERE {condition} ORDER BY id", [batch_id, reason, *params])
            cursor.execute(take, params)


def among(column: str, ids: Collection[int]) -> tuple[str, str]:
    """Return a condition on `column` and its one parameter."""
    listed = ",".join(map(str, ids))
    if connection.vendor == "postgresql":
        return f"{column} = ANY(%s::bigint[])", f"{{{listed}}}"
    return f"{column} IN (SELECT value FROM json_each(%s))", f"[{listed}]"
