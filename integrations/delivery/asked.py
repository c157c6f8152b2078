"""What was asked and sent for profiles, by the indexes on (profile, audience), and who else has a record of theirs."""

import json
from collections.abc import Collection
from typing import NamedTuple

from django.db import connection

from integrations.delivery.moving import Member, of_each
from integrations.models import Operation
from integrations.reasons import SUPERSEDED
from pinsync.profiles.matching import RECORD_COLUMNS


def unfinished(profile_ids: Collection[int], audience_id: int, operation: str, state: str = "") -> list[Member]:
    """Return the deliveries of these profiles in an audience that are under way (and their batch in a state)."""
    rows = of_each(
        profile_ids,
        "SELECT d.id, d.profile_id, d.match_fields FROM integrations_delivery d"
        " JOIN integrations_batch b ON b.id = d.batch_id",
        f"d.audience_id = %s AND d.operation = %s AND b.settled_at IS NULL{' AND b.state = %s' if state else ''}",
        [audience_id, operation, *([state] if state else [])],
    )
    return [Member(*row) for row in rows]


def delivered(profile_ids: Collection[int], audience_id: int, operation: str) -> list[Member]:
    """Return the last delivery of each of these profiles that is in a batch, whatever became of that."""
    rows = of_each(
        profile_ids,
        "SELECT max(d.id) AS id, d.profile_id, d.match_fields FROM integrations_delivery d",
        "d.audience_id = %s AND d.operation = %s AND d.batch_id IS NOT NULL GROUP BY d.profile_id, d.match_fields",
        [audience_id, operation],
    )
    return [Member(*row) for row in rows]


def holders(audience_id: int, wanted: Collection[str]) -> dict[int, tuple[str | None, ...]]:
    """Return the records of all profiles of the audience's workspace that have one of these records, by profile id."""
    if not wanted:
        return {}
    columns = ", ".join(f"p.{column}" for column in RECORD_COLUMNS.values())
    found: dict[int, tuple[str | None, ...]] = {}
    with connection.cursor() as cursor:
        # A number of its own in each statement: joined, the planners leave the index of the records.
        cursor.execute(
            "SELECT c.workspace_id FROM integrations_audience u JOIN integrations_adaccount t ON t.id = u.ad_account_id"
            " JOIN integrations_connection c ON c.id = t.connection_id WHERE u.id = %s",
            [audience_id],
        )
        workspace_id = cursor.fetchone()[0]
        for column in RECORD_COLUMNS.values():
            if connection.vendor == "postgresql":
                # Record by record, and the workspace hidden from the planner: with young statistics PostgreSQL takes a
                # long list, or any workspace, for all there is.
                cursor.execute(
                    f"SELECT p.* FROM unnest(%s::text[]) AS asked(record) CROSS JOIN LATERAL ("
                    f"SELECT p.id, {columns} FROM profiles_profile p"
                    f" WHERE p.{column} = asked.record AND p.workspace_id + 0 = %s OFFSET 0) AS p",
                    [f"{{{','.join(wanted)}}}", workspace_id],
                )
            else:
                cursor.execute(
                    f"SELECT p.id, {columns} FROM profiles_profile p"
                    f" WHERE p.workspace_id = %s AND p.{column} IN (SELECT value FROM json_each(%s))",
                    [workspace_id, json.dumps(list(wanted))],
                )
            found.update((row[0], row[1:]) for row in cursor.fetchall())
    return found


class Intent(NamedTuple):
    """The deliveries of one profile in an audience with the same operation and fields."""

    profile_id: int
    match_fields: int
    operation: str
    last_done: int  # the id of the last one that was accepted, or was a removal of nothing; 0 when there is none
    under_way: bool


def intents(profile_ids: Collection[int], audience_id: int) -> list[Intent]:
    """Return what was sent, or is being sent, for these profiles in an audience."""
    rows = of_each(
        profile_ids,
        "SELECT d.profile_id, d.match_fields, d.operation,"
        " max(CASE WHEN b.state = 'accepted' OR b.id IS NULL THEN d.id ELSE 0 END) AS last_done,"
        " max(CASE WHEN b.id IS NOT NULL AND b.settled_at IS NULL THEN 1 ELSE 0 END) AS under_way"
        " FROM integrations_delivery d LEFT JOIN integrations_batch b ON b.id = d.batch_id",
        "d.audience_id = %s AND (d.batch_id IS NOT NULL OR (d.operation = %s AND d.reason <> %s))"
        " GROUP BY d.profile_id, d.match_fields, d.operation",
        [audience_id, Operation.REMOVE.value, SUPERSEDED],
    )
    return [Intent(profile_id, mask, operation, done, bool(open_)) for profile_id, mask, operation, done, open_ in rows]


def audiences_of(profile_ids: Collection[int]) -> list[int]:
    """Return the audiences that any of these profiles was sent to, or waits for."""
    found: set[int] = set()
    # Who waits first: whoever is claimed in between is a delivery by then.
    for table in ("integrations_arrival", "integrations_delivery"):
        rows = of_each(profile_ids, f"SELECT DISTINCT d.audience_id FROM {table} d", "d.audience_id IS NOT NULL", [])
        found |= {audience_id for (audience_id,) in rows}
    return sorted(found)


def sent_to(profile_ids: Collection[int]) -> list[tuple[int, int, int]]:
    """Return (profile id, audience id, mask) of what these profiles were ever put into a batch for."""
    rows = of_each(
        profile_ids,
        "SELECT DISTINCT d.profile_id, d.audience_id, d.match_fields FROM integrations_delivery d",
        "d.batch_id IS NOT NULL AND d.audience_id IS NOT NULL",
        [],
    )
    return [(int(row[0]), int(row[1]), int(row[2])) for row in rows]
