"""The rows of the segment page: what each shows and offers, and what its buttons do to them. Plain values."""

import re
from dataclasses import dataclass
from typing import Any

from pinsync.profiles.asking import ATTRIBUTE, FIELDS, KINDS, OPERATORS, Operator, kinds_of, label_of

_FIRST = {"text": "text.equals", "number": "number.greater", "date": "date.last_days", "boolean": "boolean.true"}
_DO = re.compile(r"(field|operator|remove|add|group|ungroup|show):(\d{1,3})(?::(\d{1,3}))?")


@dataclass(frozen=True)
class RuleRow:
    """One rule with the choices it offers."""

    prefix: str
    place: str
    field: str
    operator: str
    value: str
    until: str
    operators: list[tuple[str, list[Operator]]]
    values: int
    placeholder: str
    problem: str


def rows_of(
    filters: dict[str, Any], attributes: dict[str, str], problems: dict[tuple[int, int], str]
) -> dict[str, Any]:
    """Return what the template of the rules needs."""
    groups = []
    used = set()
    for number, group in enumerate(filters.get("groups", [])):
        rows = [
            _row(number, place, rule, problems.get((number, place), ""))
            for place, rule in enumerate(group.get("rules", []))
        ]
        used |= {row.field for row in rows if row.field.startswith(ATTRIBUTE)}
        groups.append({"number": number, "match": group.get("match", "all"), "rows": rows})
    names = sorted({*attributes, *(label_of(field) for field in used)}, key=str.casefold)
    return {
        "groups": groups,
        "match": filters.get("match", "all"),
        "own_fields": [(field, label) for field, (label, _kinds) in FIELDS.items()],
        "attribute_fields": [(f"{ATTRIBUTE}{name}", name) for name in names],
        "problem": problems.get((-1, -1), ""),
    }


def changed(filters: dict[str, Any], do: str, attributes: dict[str, str]) -> dict[str, Any]:
    """Return the filters after a button or a choice: `do` names it and the row, such as `remove:0:2`."""
    groups: list[dict[str, Any]] = filters["groups"]
    asked = _DO.fullmatch(do)
    if asked is None:
        return filters
    for rule in (rule for group in groups for rule in group["rules"] if rule.get("field")):
        if rule.get("operator") not in _operators_of(rule["field"]):  # the field was chosen without a script
            rule |= {"operator": _first_operator(rule["field"], attributes)}
    what, number, place = asked[1], int(asked[2]), int(asked[3] or 0)
    if what == "group":
        groups.append({"match": "all", "rules": [{}]})
    elif number < len(groups):
        rules = groups[number]["rules"]
        if what == "ungroup":
            del groups[number]
        elif what == "add":
            rules.append({})
        elif what == "remove" and place < len(rules):
            del rules[place]
        elif what == "field" and place < len(rules):
            field = rules[place].get("field", "")
            rules[place] = {"field": field, "operator": _first_operator(field, attributes)}
    return filters


def _operators_of(field: str) -> set[str]:
    return {one.code for one in OPERATORS.values() if one.kind in kinds_of(field)}


def _first_operator(field: str, attributes: dict[str, str]) -> str:
    kinds = kinds_of(field)
    kind = attributes.get(field.removeprefix(ATTRIBUTE), "text") if field.startswith(ATTRIBUTE) else kinds[0]
    return _FIRST.get(kind, "match.present")


def _row(number: int, place: int, rule: dict[str, str], problem: str) -> RuleRow:
    field = rule.get("field", "")
    operator = OPERATORS.get(rule.get("operator", ""))
    kinds = kinds_of(field) if field else ()
    return RuleRow(
        prefix=f"g{number}-r{place}",
        place=f"{number}:{place}",
        field=field,
        operator=operator.code if operator else "",
        value=rule.get("value", ""),
        until=rule.get("until", ""),
        operators=[(str(KINDS[kind]), [one for one in OPERATORS.values() if one.kind == kind]) for kind in kinds],
        values=operator.values if operator and field else 0,
        placeholder="2026-01-31" if operator and operator.code in ("date.before", "date.after") else "",
        problem=problem,
    )
