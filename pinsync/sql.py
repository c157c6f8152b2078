"""SQL that Django's ORM cannot say: INSERT … SELECT, so that sets of users never pass through Python."""

from collections.abc import Mapping
from typing import Any, cast

from django.core.exceptions import EmptyResultSet
from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.expressions import Combinable, Expression
from django.db.models.sql.compiler import SQLCompiler


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


def insert_select(
    model: type[models.Model],
    columns: Mapping[str, Any],
    queryset: "models.QuerySet[Any, Any]",
    *,
    ignore_conflicts: bool = False,
) -> int:
    """Insert one row of `model` for each row of `queryset`, in one statement; return the number of rows inserted.

    `columns` says what stands in each field of `model` (by field name or column name, "profile" or "profile_id"): an
    expression over the rows of `queryset`, or one value for all. Name every field that may not be NULL: Django's
    defaults are not applied. With `ignore_conflicts`, rows that a unique constraint forbids are left out; every other
    constraint still raises IntegrityError.
    """
    connection = connections[queryset.db]
    fields = [cast("models.Field[Any, Any]", model._meta.get_field(name)) for name in columns]
    chosen = {
        f"insert_{place}": _expression(field, value)
        for place, (field, value) in enumerate(zip(fields, columns.values(), strict=True))
    }
    rows = queryset.annotate(**chosen).values_list(*chosen).query
    try:
        sql, params = rows.get_compiler(connection=connection).as_sql()
    except EmptyResultSet:
        return 0
    quote = connection.ops.quote_name
    into = ", ".join(quote(str(field.column)) for field in fields)
    if ignore_conflicts:
        # The WHERE keeps SQLite from reading ON CONFLICT as the ON of a join; INSERT OR IGNORE would hide more.
        sql = f"SELECT * FROM ({sql}) AS chosen WHERE true ON CONFLICT DO NOTHING"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {quote(model._meta.db_table)} ({into}) {sql}", params)
        return cursor.rowcount
