"""Write rows to profiles, set-wise: the one door through which users of a brand come in.

A row with an external ID is about the profile with that external ID, and no other. A row without one is about the
profile with the same e-mail record; of several the oldest. Where there is none, a profile is made. Rows take effect
one after the other, also within one call: a later non-blank cell wins, a blank one changes nothing, attributes merge
key by key. Two writers of one workspace take turns, chunk by chunk.

A profile that gets another record leaves a RecordChange, in the same transaction.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection

from pinsync.profiles.matching import RECORD_COLUMNS, MatchField
from pinsync.profiles.models import Import, Profile, RecordChange
from pinsync.profiles.rows import Row
from pinsync.sql import joined_by_lookup
from pinsync.workspaces.models import Workspace

_TABLE = Profile._meta.db_table
_NEW_COLUMNS = (
    "workspace_id, external_id, email, idfa, gaid, attributes, email_record, idfa_record, gaid_record, "
    "last_import_id, created_at, updated_at"
)
_STAGED = "id, email, idfa, gaid, attributes, email_record, idfa_record, gaid_record"
# Blank keeps what is there; a value takes its record along, also when the record is NULL.
_SET = ", ".join(
    f"{name} = CASE WHEN new.{name} <> '' THEN new.{name} ELSE old.{name} END, "
    f"{name}_record = CASE WHEN new.{name} <> '' THEN new.{name}_record ELSE old.{name}_record END"
    for name in ("email", "idfa", "gaid")
)


class Written(NamedTuple):
    """Rows, not profiles: a row that meets a profile made by an earlier row of the same call counts as updated."""

    created: int
    updated: int


@dataclass(slots=True)
class _Target:
    """A profile that rows are about: `id` None until it is written, `age` its place among the others."""

    id: int | None
    email_record: str | None
    age: int
    row: Row | None = None


def write(workspace: Workspace, rows: Sequence[Row], *, run: Import | None, now: datetime) -> Written:
    """Write these rows in the caller's transaction. Safe to repeat. A few thousand rows a call are best."""
    if not rows:
        return Written(0, 0)
    # Without turns two writers would both find nobody and both make the same user.
    Workspace.objects.select_for_update(no_key=True).get(pk=workspace.pk)
    targets, created = _targets(workspace, rows)
    new = [target.row for target in targets if target.id is None and target.row]
    old = [(target.id, target.row) for target in targets if target.id is not None and target.row]
    run_pk = run.pk if run else None
    _insert([(workspace.pk, *_values(row), run_pk, now, now) for row in new])
    _update([(pk, *_values(row)[1:]) for pk, row in old], run_pk=run_pk, now=now)
    return Written(created, len(rows) - created)


def _targets(workspace: Workspace, rows: Sequence[Row]) -> tuple[list[_Target], int]:
    """Return the profiles that these rows are about, each with its rows folded into one, and how many are made."""
    by_id: dict[str, _Target] = {}
    by_email: dict[str, list[_Target]] = {}  # oldest first; kept only where rows without an external ID ask for it
    targets: list[_Target] = []
    wanted = {row.email_record for row in rows if not row.external_id and row.email_record}
    for pk, external_id, record in _existing(workspace, {row.external_id for row in rows} - {""}, wanted):
        target = _Target(pk, record, len(targets))
        targets.append(target)
        if external_id:
            by_id[external_id] = target
        if record and record in wanted:
            by_email.setdefault(record, []).append(target)
    created = 0
    for row in rows:
        found = by_id.get(row.external_id) if row.external_id else _oldest(by_email, row.email_record)
        if found is None:
            created += 1
            found = _Target(None, None, len(targets))
            targets.append(found)
            if row.external_id:
                by_id[row.external_id] = found
        _apply(row, found, by_email if wanted else None)
    return targets, created


def _oldest(by_email: dict[str, list[_Target]], record: str | None) -> _Target | None:
    same = by_email.get(record) if record else None
    return same[0] if same else None


def _apply(row: Row, target: _Target, by_email: dict[str, list[_Target]] | None) -> None:
    if row.email and row.email_record != target.email_record:
        if by_email is not None:
            if target.email_record in by_email:
                same = by_email[target.email_record]
                by_email[target.email_record] = [one for one in same if one is not target]
            if row.email_record:
                same = by_email.setdefault(row.email_record, [])
                same.append(target)
                same.sort(key=lambda one: one.age)
        target.email_record = row.email_record
    if target.row is None:
        target.row = row
    else:
        target.row.take(row)


def _existing(
    workspace: Workspace, external_ids: set[str], records: set[str]
) -> list[tuple[int, str | None, str | None]]:
    """Return id, external ID and e-mail record of the profiles that rows may be about, oldest first."""
    found: dict[int, tuple[int, str | None, str | None]] = {}
    for column, values in (("external_id", external_ids), ("email_record", records)):
        if not values:
            continue
        listed: Any = list(values)
        # From a subquery: how many they are is hidden from PostgreSQL, which otherwise reads a whole workspace rather
        # than look ten thousand up. Where it believes a workspace to be small it still does, but once, not for each.
        chosen = "SELECT unnest((SELECT %s::text[]))"
        if connection.vendor == "sqlite":
            listed, chosen = json.dumps(listed), "SELECT value FROM json_each(%s)"
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT id, external_id, email_record FROM {_TABLE}"
                f" WHERE workspace_id = %s AND {column} IN ({chosen})",
                [workspace.pk, listed],
            )
            found.update((row[0], row) for row in cursor.fetchall())
    return [found[pk] for pk in sorted(found)]


def _values(row: Row) -> tuple[Any, ...]:
    return (
        row.external_id or None,
        row.email,
        row.idfa,
        row.gaid,
        json.dumps(row.attributes),
        row.email_record,
        row.idfa_record,
        row.gaid_record,
    )


def _insert(values: list[tuple[Any, ...]]) -> None:
    if not values:
        return
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            _copy(cursor, f"COPY {_TABLE} ({_NEW_COLUMNS}) FROM STDIN", values)
            return
        marks = ", ".join(["%s"] * 12)
        cursor.executemany(f"INSERT INTO {_TABLE} ({_NEW_COLUMNS}) VALUES ({marks})", values)


def _update(values: list[tuple[Any, ...]], *, run_pk: int | None, now: datetime) -> None:
    if not values:
        return
    postgres = connection.vendor == "postgresql"
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMPORARY TABLE IF NOT EXISTS profiles_staged (id bigint PRIMARY KEY, email text, idfa text, "
            f"gaid text, attributes {'jsonb' if postgres else 'text'}, email_record text, idfa_record text, "
            "gaid_record text)"
        )
        # Temporary tables are vacuumed by nobody: what a DELETE left would be walked over for ever.
        empty = "TRUNCATE profiles_staged" if postgres else "DELETE FROM profiles_staged"
        cursor.execute(empty)
        if postgres:
            _copy(cursor, f"COPY profiles_staged ({_STAGED}) FROM STDIN", values)
            merged = "old.attributes || new.attributes"
        else:
            cursor.executemany(
                f"INSERT INTO profiles_staged ({_STAGED}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
                values,
            )
            merged = "json_patch(old.attributes, new.attributes)"
        with joined_by_lookup():
            cursor.execute(_changes("IS DISTINCT FROM" if postgres else "IS NOT"), [now] * len(MatchField))
            cursor.execute(
                f"UPDATE {_TABLE} AS old SET {_SET}, attributes = {merged}, "
                "last_import_id = COALESCE(%s, old.last_import_id), updated_at = %s "
                "FROM profiles_staged AS new WHERE old.id = new.id",
                [run_pk, now],
            )
        cursor.execute(empty)


def _changes(differs_from: str) -> str:
    """Return the statement that writes down which records the staged rows are about to change."""
    selects = (
        f"SELECT old.id, {MatchField[name.upper()].value}, old.{column}, %s FROM profiles_staged AS new"
        f" JOIN {_TABLE} AS old ON old.id = new.id WHERE new.{name} <> '' AND old.{column} {differs_from} new.{column}"
        for name, column in RECORD_COLUMNS.items()
    )
    table = RecordChange._meta.db_table
    return f"INSERT INTO {table} (profile_id, field, record, changed_at) {' UNION ALL '.join(selects)}"


def _copy(cursor: Any, statement: str, values: list[tuple[Any, ...]]) -> None:
    """Stream the rows through COPY; a connection pool's or debug wrapper's cursor has it under `cursor`.

    What goes wrong is raised as Django's errors: a database that went away is not a row that it refused.
    """
    with connection.wrap_database_errors, cursor.cursor.copy(statement) as copy:
        for row in values:
            copy.write_row(row)
