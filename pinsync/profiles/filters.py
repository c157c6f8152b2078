"""The rules of a segment: what may be asked, what is wrong with a rule, and the SQL that answers it.

The shape kept in Segment.filters:

    {"match": "all", "groups": [{"match": "any", "rules": [
        {"field": "attribute:country", "operator": "text.equals", "value": "KR"},
        {"field": "attribute:orders", "operator": "number.between", "value": "2", "until": "5"},
        {"field": "email", "operator": "match.present"}]}]}

Groups are not nested further. Without any rule everybody matches. Times are UTC; a day begins at midnight UTC. A
blank attribute is no text, no number and no date, so that only "is blank" and "is not" find users without one.
"""

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import F, Q, Value
from django.db.models.functions import Lower
from django.db.models.lookups import Exact, GreaterThan, GreaterThanOrEqual, IsNull, LessThan, LessThanOrEqual
from django.utils.translation import gettext as _

from pinsync.profiles.asking import ATTRIBUTE, FIELDS, OPERATORS, kinds_of, label_of
from pinsync.profiles.attributes import AttributeDate, AttributeNumber, AttributeText, Position
from pinsync.profiles.matching import RECORD_COLUMNS, trim
from pinsync.profiles.rows import LONGEST_NAME, LONGEST_TEXT, in_utc, typed

MOST_RULES = 50
MOST_DAYS = 36_500


class FilterError(Exception):
    """The rules make no sense; `problems` are sentences by (group, rule), counting from 0, or (-1, -1) for all."""

    def __init__(self, problems: dict[tuple[int, int], str]) -> None:
        super().__init__("filters")
        self.problems = problems

    @property
    def sentences(self) -> list[str]:
        return list(self.problems.values())


class _RuleError(Exception):
    def __init__(self, sentence: str) -> None:
        super().__init__("rule")
        self.sentence = sentence


def build(filters: dict[str, Any], *, now: datetime) -> Q:
    """Return the condition for these filters. Raises FilterError with a sentence for each rule that is wrong."""
    problems: dict[tuple[int, int], str] = {}
    whole = Q()
    match = _match(filters, problems)
    for number, group in enumerate(_groups(filters, problems)):
        inner = _match(group, problems)
        part = Q()
        for place, rule in enumerate(_rules(group, problems)):
            try:
                condition = _condition(rule, now)
            except _RuleError as error:
                problems[number, place] = error.sentence
            else:
                part = part & condition if inner == "all" else part | condition
        if part:
            whole = whole & part if match == "all" else whole | part
    if problems:
        raise FilterError(problems)
    return whole


def _match(holder: dict[str, Any], problems: dict[tuple[int, int], str]) -> str:
    match = holder.get("match", "all") if isinstance(holder, dict) else None
    if match not in ("all", "any"):
        problems[-1, -1] = _("Say whether all or any of the rules must hold.")
        return "all"
    return str(match)


def _groups(filters: dict[str, Any], problems: dict[tuple[int, int], str]) -> Iterator[dict[str, Any]]:
    groups = filters.get("groups", []) if isinstance(filters, dict) else None
    if not isinstance(groups, list) or not all(isinstance(group, dict) for group in groups):
        problems[-1, -1] = _("The rules are not in the shape that Pinsync keeps them in.")
        return
    if sum(len(group["rules"]) for group in groups if isinstance(group.get("rules"), list)) > MOST_RULES:
        problems[-1, -1] = _("A segment has at most %(most)s rules.") % {"most": MOST_RULES}
        return
    yield from groups


def _rules(group: dict[str, Any], problems: dict[tuple[int, int], str]) -> list[dict[str, Any]]:
    rules = group.get("rules", [])
    if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
        problems[-1, -1] = _("The rules are not in the shape that Pinsync keeps them in.")
        return []
    return rules


def _condition(rule: dict[str, Any], now: datetime) -> Q:
    field, operator = str(rule.get("field", "")), OPERATORS.get(str(rule.get("operator", "")))
    name = field.removeprefix(ATTRIBUTE)
    if field not in FIELDS and (not field.startswith(ATTRIBUTE) or not name or len(name) > LONGEST_NAME):
        raise _RuleError(_("Choose what the rule is about."))
    if "\0" in name:
        raise _RuleError(_("Choose what the rule is about."))
    if operator is None or operator.kind not in kinds_of(field):
        raise _RuleError(_("Choose how “%(field)s” is compared.") % {"field": label_of(field)})
    value, until = (_text(rule, key) if operator.values > place else "" for place, key in enumerate(("value", "until")))
    build_kind = {"text": _text_rule, "number": _number_rule, "date": _date_rule, "boolean": _boolean_rule}
    if operator.kind == "match":
        return Q(**{f"{RECORD_COLUMNS[field]}__isnull": operator.code == "match.absent"})
    return build_kind[operator.kind](field, name, operator.code, value, until, now)


def _text(rule: dict[str, Any], key: str) -> str:
    text = trim(str(rule.get(key, "")))
    if not text:
        raise _RuleError(_("Fill in a value."))
    if len(text) > LONGEST_TEXT or "\0" in text:
        raise _RuleError(_("The value is too long, or not text."))
    return text


def _text_rule(field: str, name: str, operator: str, value: str, until: str, now: datetime) -> Q:
    plain = field == "external_id"
    column = F("external_id") if plain else AttributeText(name)
    blank = Q(IsNull(column, True))
    if operator in ("text.blank", "text.not_blank"):
        return blank if operator == "text.blank" else ~blank
    if operator == "text.contains":
        return Q(GreaterThan(Position(Lower(column), Lower(Value(value))), Value(0)))
    # An attribute "34.10" was kept as the number 34.1, so that both ways to write it mean the same.
    spellings = {value} if plain else {value, _as_kept(value)}
    equal = reduce(or_, (Q(Exact(column, Value(spelling))) for spelling in sorted(spellings)))
    return equal if operator == "text.equals" else blank | ~equal


def _as_kept(value: str) -> str:
    kept = typed(value)
    return str(kept).lower() if isinstance(kept, bool) else str(kept)


def _number_rule(field: str, name: str, operator: str, value: str, until: str, now: datetime) -> Q:
    column = AttributeNumber(name)
    number = Value(_number(value))
    if operator == "number.equals":
        return Q(Exact(column, number))
    if operator == "number.greater":
        return Q(GreaterThan(column, number))
    if operator == "number.less":
        return Q(LessThan(column, number))
    return Q(GreaterThanOrEqual(column, number)) & Q(LessThanOrEqual(column, Value(_number(until))))


def _date_rule(field: str, name: str, operator: str, value: str, until: str, now: datetime) -> Q:
    own = field in FIELDS
    column = F(field) if own else AttributeDate(name)

    def at(moment: datetime) -> Value:
        return Value(moment) if own else Value(_sortable(moment))

    if operator == "date.before":
        return Q(LessThan(column, at(_moment(value))))
    if operator == "date.after":
        return Q(GreaterThanOrEqual(column, at(_moment(value))))
    since = now - timedelta(days=_days(value))
    if operator == "date.days_ago":
        return Q(LessThan(column, at(since)))
    return Q(GreaterThanOrEqual(column, at(since))) & Q(LessThanOrEqual(column, at(now)))


def _boolean_rule(field: str, name: str, operator: str, value: str, until: str, now: datetime) -> Q:
    column = AttributeText(name)
    true, false = Q(Exact(column, Value("true"))), Q(Exact(column, Value("false")))
    return {"boolean.true": true, "boolean.false": false}.get(operator, Q(IsNull(column, True)) | ~(true | false))


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise _RuleError(_("“%(value)s” is no number.") % {"value": text})
    return number


def _days(text: str) -> int:
    days = int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(MOST_DAYS)) else 0
    if not 0 < days <= MOST_DAYS:
        raise _RuleError(_("Write the number of days as a whole number."))
    return days


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(in_utc(text))
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # the latter: in UTC it lies beyond the calendar
        raise _RuleError(_("Write the date as 2026-01-31.")) from None


def _sortable(moment: datetime) -> str:
    """Return what AttributeDate compares with; midnight as the bare date, which a bare date then is not before."""
    text = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return text.removesuffix("T00:00:00")
