"""SQL that Django's ORM cannot say: INSERT … SELECT, so that sets of users never pass through Python.

And how PostgreSQL is to join them: what it believes of a table that was filled a moment ago is wrong.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from django.core.exceptions import EmptyResultSet
from django.db import connection as default_connection
from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.db.models.expressions import Combinable, Expression
from django.db.models.sql.compiler import SQLCompiler

Instance = TypeVar("Instance", bound=models.Model)

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


def _into(connection: BaseDatabaseWrapper, model: type[models.Model], names: list[str]) -> str:
    quote = connection.ops.quote_name
    columns = ", ".join(quote(model._meta.get_field(name).column) for name in names)  # type: ignore[union-attr, arg-type]
    return f"INSERT INTO {quote(model._meta.db_table)} ({columns})"


def insert_select(model: type[models.Model], columns: Mapping[str, Any], queryset: "models.QuerySet[Any, Any]") -> int:
    """Insert a row of `model` for each row of `queryset`, in one statement; return how many.

    `columns` says what stands in each field of `model` (by field name or column name, "profile" or "profile_id"): an
    expression over the rows of `queryset`, or one value for all. Name every field that may not be NULL: Django's
    defaults are not applied.
    """
    connection = connections[queryset.db]
    fields = [model._meta.get_field(name) for name in columns]
    chosen = {
        f"insert_{place}": _expression(field, value)  # type: ignore[arg-type]
        for place, (field, value) in enumerate(zip(fields, columns.values(), strict=True))
    }
    query = queryset.annotate(**chosen).values_list(*chosen).query
    try:
        select, params = query.get_compiler(connection=connection).as_sql()
    except EmptyResultSet:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(f"{_into(connection, model, list(columns))} {select}", params)
        return cursor.rowcount


@contextmanager
def prepared() -> Iterator[CursorWrapper]:
    """Open a cursor for what is asked all the time: PostgreSQL reads and plans each statement once a connection.

    One statement at a time, and values only where PostgreSQL takes a parameter and knows of what type it is.
    """
    connection = default_connection
    if connection.vendor != "postgresql" or connection.queries_logged:  # what is prepared does not show its SQL
        with connection.cursor() as cursor:
            yield cursor
        return
    connection.ensure_connection()
    server = connection.connection
    if server.prepare_threshold is None:  # Django turns it off; its own cursors prepare nothing either way
        server.prepare_threshold = 0
    # Not imported: a process on SQLite does without psycopg, which takes an eighth of its start.
    with connection.make_cursor(connection.Database.Cursor(server)) as cursor:  # type: ignore[attr-defined]
        yield cursor


def insert_row(model: type[models.Model], values: Mapping[str, Any]) -> int:
    """Insert one row, for roads on which the ORM would cost more than the database; return its id.

    `values` are by field name or column name. Name every field that may not be NULL: Django's defaults are not applied.
    """
    connection = default_connection
    given = [
        model._meta.get_field(name).get_db_prep_save(value, connection)  # type: ignore[union-attr]
        for name, value in values.items()
    ]
    key = connection.ops.quote_name(model._meta.pk.column)  # type: ignore[arg-type]
    places = ", ".join(["%s"] * len(given))
    with prepared() as cursor:
        cursor.execute(f"{_into(connection, model, list(values))} VALUES ({places}) RETURNING {key}", given)
        return int(cursor.fetchone()[0])


def get_row(model: type[Instance], **where: Any) -> Instance | None:
    """Return the one row of which all of `where` is so, for the same roads, or None. None is never so."""
    connection = default_connection
    fields = model._meta.concrete_fields
    asked = [model._meta.get_field(name) for name in where]
    given = [field.get_db_prep_value(value, connection) for field, value in zip(asked, where.values(), strict=True)]  # type: ignore[union-attr]
    quote = connection.ops.quote_name
    columns = ", ".join(quote(field.column) for field in fields)  # type: ignore[arg-type]
    condition = " AND ".join(f"{quote(field.column)} = %s" for field in asked)  # type: ignore[union-attr, arg-type]
    with prepared() as cursor:
        cursor.execute(f"SELECT {columns} FROM {quote(model._meta.db_table)} WHERE {condition}", given)
        row = cursor.fetchone()
    if row is None:
        return None
    values = list(row)
    for place, field in enumerate(fields):
        column = field.get_col(model._meta.db_table)
        for convert in (*connection.ops.get_db_converters(column), *column.get_db_converters(connection)):
            values[place] = convert(values[place], column, connection)
    return model.from_db(connection.alias, [field.attname for field in fields], values)


def update_rows(model: type[models.Model], changes: Mapping[str, Any], **where: Any) -> int:
    """Change the rows of which all of `where` is so, for the same roads, and return how many. None is never so."""
    connection = default_connection
    fields = [model._meta.get_field(name) for name in (*changes, *where)]
    given = [
        field.get_db_prep_save(value, connection)  # type: ignore[union-attr]
        for field, value in zip(fields, (*changes.values(), *where.values()), strict=True)
    ]
    is_so = [f"{connection.ops.quote_name(field.column)} = %s" for field in fields]  # type: ignore[union-attr, arg-type]
    table = connection.ops.quote_name(model._meta.db_table)
    sets, conditions = ", ".join(is_so[: len(changes)]), " AND ".join(is_so[len(changes) :])
    with prepared() as cursor:
        cursor.execute(f"UPDATE {table} SET {sets} WHERE {conditions}", given)
        return cursor.rowcount


@dataclass(frozen=True)
class Rows:
    """Rows of `model` about those of a set: the field `about` takes their primary key, `values` are for all the same.

    Name every field that may not be NULL.
    """

    model: type[models.Model]
    about: str
    values: Mapping[str, Any]


def insert_either(
    queryset: "models.QuerySet[Any, Any]", condition: models.Q, *, so: Rows, otherwise: Rows
) -> tuple[int, int]:
    """Insert a row for each row of `queryset`, by whether `condition` holds of it; return how many of which.

    On PostgreSQL it is one statement that reads the set once: of two, the second would see what others committed in
    between, and a row whose condition changes would be in both or in neither. A SQLite transaction sees one moment.
    """
    connection = connections[queryset.db]
    if connection.vendor != "postgresql":
        chosen = queryset.filter(condition), queryset.exclude(condition)
        made = [
            insert_select(rows.model, {rows.about: models.F("pk"), **rows.values}, some.order_by("pk"))
            for rows, some in zip((so, otherwise), chosen, strict=True)
        ]
        return made[0], made[1]
    holds = models.Case(models.When(condition, then=True), default=False, output_field=models.BooleanField())
    query = queryset.annotate(insert_so=holds).order_by("pk").values_list("pk", "insert_so").query
    compiler = query.get_compiler(connection=connection)
    try:
        select, params = compiler.as_sql()
    except EmptyResultSet:
        return 0, 0
    parts = [f"chosen (pk, so) AS MATERIALIZED ({select})"]
    for name, rows, where in (("i0", so, "so"), ("i1", otherwise, "NOT so")):
        fields = [rows.model._meta.get_field(column) for column in rows.values]
        constants = map(_expression, fields, rows.values.values())  # type: ignore[arg-type]
        values = [compiler.compile(constant) for constant in constants]
        columns = ", ".join(["pk", *(sql for sql, _params in values)])
        into = _into(connection, rows.model, [rows.about, *rows.values])
        # In the order of `chosen`: sorted once more, a large set would go through files.
        parts.append(f"{name} AS ({into} SELECT {columns} FROM chosen WHERE {where} RETURNING 1)")
        params += tuple(param for _sql, some in values for param in some)
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH {', '.join(parts)} SELECT (SELECT count(*) FROM i0), (SELECT count(*) FROM i1)",
            params,
        )
        yes, no = cursor.fetchone()
    return int(yes), int(no)


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
def found_by_the_narrowest_index() -> Iterator[None]:
    """Have PostgreSQL read the fewest rows, wherever they lie. Only inside a transaction.

    Else it takes an index whose rows lie together, and walks past many that are not asked for. And as `read_in_order`.
    """
    with _set(random_page_cost="0.1", seq_page_cost="0.1", enable_bitmapscan="off", enable_sort="off"):
        yield


@contextmanager
def read_in_order() -> Iterator[None]:
    """Have PostgreSQL follow an index whose order is asked for, up to the limit. Only inside a transaction.

    Else, where it takes them for few, it gathers and sorts all rows that fit, and there may be millions.
    """
    with _set(enable_bitmapscan="off", enable_sort="off"):
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
