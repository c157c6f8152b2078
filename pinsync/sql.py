"""SQL that Django's ORM cannot say: INSERT … SELECT, so that sets of users never pass through Python.

And how PostgreSQL is to join them: what it believes of a table that was filled a moment ago is wrong.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection as default_connection
from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.expressions import Combinable, Expression
from django.db.models.sql.compiler import SQLCompiler

SETS_IN = "32MB"  # of PostgreSQL's memory, for one join or sort at a time; a portion of a launch takes about 10


class _Constant(models.Value):
    """A value that says its type: PostgreSQL would take a bare one for text under DISTINCT or UNION."""

    def __init__(self, value: Any, field: "models.Field[Any, Any]") -> None:
        super().__init__(value, output_field=field)

    def as_postgresql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, tuple[Any, ...]]:
        sql, params = super().as_sql(compiler, connection)
        field = self.output_field
        kind = field.rel_db_type(connection) if field.primary_key else field.cast_db_type(connection)
        return f"({sql})::{kind}", tuple(params)


def _expression(field: "models.Field[Any, Any]", value: Any) -> Combinable:
    """Return what selects `value` for the column of `field`; plain values and `Value`s become typed constants."""
    if isinstance(value, models.Value):
        value = value.value
    elif isinstance(value, Combinable | Expression):
        return value
    if isinstance(value, models.Model):
        value = value.pk
    return _Constant(value, getattr(field, "target_field", field))


@dataclass(frozen=True)
class Insert:
    """Rows of `model`, one for each row of `queryset`.

    `columns` says what stands in each field of `model` (by field name or column name, "profile" or "profile_id"): an
    expression over the rows of `queryset`, or one value for all. Name every field that may not be NULL: Django's
    defaults are not applied.
    """

    model: type[models.Model]
    columns: Mapping[str, Any]
    queryset: "models.QuerySet[Any, Any]"

    def sql(self, connection: BaseDatabaseWrapper) -> tuple[str, tuple[Any, ...]]:
        """Raises EmptyResultSet when the queryset can have no rows."""
        fields = [self.model._meta.get_field(name) for name in self.columns]
        chosen = {
            f"insert_{place}": _expression(field, value)  # type: ignore[arg-type]
            for place, (field, value) in enumerate(zip(fields, self.columns.values(), strict=True))
        }
        query = self.queryset.annotate(**chosen).values_list(*chosen).query
        select, params = query.get_compiler(connection=connection).as_sql()
        quote = connection.ops.quote_name
        into = ", ".join(quote(field.column) for field in fields)  # type: ignore[union-attr, arg-type]
        return f"INSERT INTO {quote(self.model._meta.db_table)} ({into}) {select}", tuple(params)


def insert_select(model: type[models.Model], columns: Mapping[str, Any], queryset: "models.QuerySet[Any, Any]") -> int:
    """Run one Insert in one statement and return the number of rows inserted."""
    connection = connections[queryset.db]
    try:
        sql, params = Insert(model, columns, queryset).sql(connection)
    except EmptyResultSet:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.rowcount


def insert_selects(*inserts: Insert) -> list[int]:
    """Run several Inserts that see the same moment; return the rows that each inserted.

    On PostgreSQL they are one statement: of two, the second would see what others committed in between, and a row that
    moves from one queryset to the other would be in both or in neither. A SQLite transaction sees one moment anyway.
    """
    connection = connections[inserts[0].queryset.db]
    if connection.vendor != "postgresql" or len(inserts) == 1:
        return [insert_select(i.model, i.columns, i.queryset) for i in inserts]
    parts: list[str] = []
    params: list[Any] = []
    places: dict[int, int] = {}
    for number, insert in enumerate(inserts):
        try:
            sql, values = insert.sql(connection)
        except EmptyResultSet:
            continue
        places[number] = len(parts)
        parts.append(f"i{number} AS ({sql} RETURNING 1)")
        params.extend(values)
    counts = ", ".join(f"(SELECT count(*) FROM i{number})" for number in places)
    with connection.cursor() as cursor:
        cursor.execute(f"WITH {', '.join(parts)} SELECT {counts}", params)
        row = cursor.fetchone()
    return [int(row[places[number]]) if number in places else 0 for number in range(len(inserts))]


@contextmanager
def joined_as_sets() -> Iterator[None]:
    """Have PostgreSQL read both sides of a join once, rather than look up row by row. Only inside a transaction.

    For sets that make up much of what they are joined with. They are kept in memory as far as `SETS_IN` holds them.
    """
    with _set(enable_nestloop="off", work_mem=SETS_IN):
        yield


@contextmanager
def joined_by_lookup() -> Iterator[None]:
    """Have PostgreSQL look up each row of the smaller side by an index. Only inside a transaction.

    For rows that are few beside what they are looked up in.
    """
    with _set(enable_hashjoin="off", enable_mergejoin="off", enable_seqscan="off"):
        yield


@contextmanager
def _set(**settings: str) -> Iterator[None]:
    if default_connection.vendor != "postgresql":
        yield
        return
    with default_connection.cursor() as cursor:
        cursor.execute("; ".join(f"SET LOCAL {name} = '{value}'" for name, value in settings.items()))
    yield  # an error ends the transaction, and these settings with it
    with default_connection.cursor() as cursor:
        cursor.execute("; ".join(f"SET LOCAL {name} TO DEFAULT" for name in settings))


def rows_about(model: type[models.Model]) -> int:
    """Return how many rows a table has, as far as can be told without counting them; 0 where it can't."""
    if default_connection.vendor != "postgresql":
        return 0
    with default_connection.cursor() as cursor:
        # Of a table never analyzed only the size is known.
        cursor.execute(
            "SELECT CASE WHEN reltuples > 0 THEN reltuples ELSE pg_relation_size(oid) / 200 END"
            " FROM pg_class WHERE oid = %s::regclass",
            [model._meta.db_table],
        )
        return int(cursor.fetchone()[0])
