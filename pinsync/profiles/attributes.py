"""Attributes as SQL values, alike on PostgreSQL and SQLite. The name of an attribute is always a parameter."""

from typing import Any

from django.db.models import CharField, F, FloatField, Func, IntegerField

from pinsync.profiles.models import Profile
from pinsync.workspaces.models import Workspace

SAMPLE = 2_000  # the newest profiles, from which pages learn which attributes there are


class _Attribute(Func):
    """One attribute of a profile as one SQL value; NULL where it is missing or of another kind."""

    postgresql: str  # {a} is the column, each %s the attribute's name
    sqlite: str

    def __init__(self, name: str) -> None:
        super().__init__(F("attributes"), output_field=self.kept_in())
        self.name = name

    @classmethod
    def kept_in(cls) -> Any:
        return CharField()

    def as_sql(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        column, parameters = compiler.compile(self.source_expressions[0])
        template = self.sqlite if connection.vendor == "sqlite" else self.postgresql
        return template.format(a=column), [*parameters, *[self.name] * template.count("%s")]


class AttributeText(_Attribute):
    """The value as text: numbers and booleans as JSON writes them."""

    postgresql = "NULLIF({a} ->> %s::text, '')"
    # json_each, not a JSON path: a path cannot name a key that has a quote in it
    sqlite = (
        "(SELECT CASE type WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' ELSE NULLIF(CAST(value AS TEXT), '') END "
        "FROM json_each({a}) WHERE key = %s)"
    )


class AttributeNumber(_Attribute):
    postgresql = "(CASE WHEN jsonb_typeof({a} -> %s::text) = 'number' THEN ({a} ->> %s::text)::double precision END)"
    sqlite = "(SELECT value FROM json_each({a}) WHERE key = %s AND type IN ('integer', 'real'))"

    @classmethod
    def kept_in(cls) -> Any:
        return FloatField()


class AttributeDate(_Attribute):
    """A date or a time in UTC as text that sorts as time does: `2025-04-07` or `2025-04-07T04:34:38`."""

    postgresql = (
        "(CASE WHEN {a} ->> %s::text ~ '^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}(T|$)' "
        'THEN left({a} ->> %s::text, 19) END) COLLATE "C"'
    )
    sqlite = (
        "(SELECT substr(value, 1, 19) FROM json_each({a}) WHERE key = %s AND type = 'text' AND "
        "(value GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]' OR "
        "value GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T*'))"
    )


class Position(Func):
    """Where the second text stands in the first, from 1; 0 if it does not. No character is special in it."""

    function = "strpos"
    arity = 2
    output_field = IntegerField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, function="instr", **context)


def attributes_of(workspace: Workspace) -> dict[str, str]:
    """Return the attributes that the newest profiles have, each with the kind most of its values are of."""
    seen: dict[str, dict[str, int]] = {}
    newest = Profile.objects.filter(workspace=workspace).order_by("-id").values_list("attributes", flat=True)[:SAMPLE]
    for attributes in newest:
        for name, value in attributes.items():
            kinds = seen.setdefault(name, {})
            kind = kind_of(value)
            kinds[kind] = kinds.get(kind, 0) + 1
    return {name: max(kinds, key=lambda kind: kinds[kind]) for name, kinds in sorted(seen.items())}


def kind_of(value: Any) -> str:
    """Return the kind of question that fits a value: text, number, date or boolean."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    text = str(value)
    is_date = len(text) >= 10 and text[:4].isdigit() and text[4] == text[7] == "-" and text[10:11] in ("", "T")
    return "date" if is_date else "text"
