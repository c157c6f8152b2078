"""What can be asked about users: fields, kinds of question, operators, and how a rule is read out."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from pinsync.profiles.matching import LABELS

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

ATTRIBUTE = "attribute:"


@dataclass(frozen=True)
class Operator:
    """One way to ask. `values` is how many a person fills in."""

    code: str
    label: "str | _StrPromise"
    values: int = 1

    @property
    def kind(self) -> str:
        return self.code.partition(".")[0]


OPERATORS = {
    operator.code: operator
    for operator in (
        Operator("text.equals", gettext_lazy("is")),
        Operator("text.not_equals", gettext_lazy("is not")),
        Operator("text.contains", gettext_lazy("contains")),
        Operator("text.blank", gettext_lazy("is blank"), 0),
        Operator("text.not_blank", gettext_lazy("is not blank"), 0),
        Operator("number.equals", gettext_lazy("equals")),
        Operator("number.greater", gettext_lazy("is greater than")),
        Operator("number.less", gettext_lazy("is less than")),
        Operator("number.between", gettext_lazy("is between"), 2),
        Operator("date.before", gettext_lazy("is before")),
        Operator("date.after", gettext_lazy("is on or after")),
        Operator("date.last_days", gettext_lazy("is in the last … days")),
        Operator("date.days_ago", gettext_lazy("is more than … days ago")),
        Operator("boolean.true", gettext_lazy("is true"), 0),
        Operator("boolean.false", gettext_lazy("is false"), 0),
        Operator("boolean.blank", gettext_lazy("is neither true nor false"), 0),
        Operator("match.present", gettext_lazy("can be matched"), 0),
        Operator("match.absent", gettext_lazy("cannot be matched"), 0),
    )
}
KINDS = {
    "text": gettext_lazy("Text"),
    "number": gettext_lazy("Number"),
    "date": gettext_lazy("Date"),
    "boolean": gettext_lazy("True or false"),
    "match": gettext_lazy("Usable for matching"),
}
# What can be asked about the fields that every profile has; attributes take every kind but match.
FIELDS = {
    **{name: (label, ("match",)) for name, label in LABELS.items()},
    "external_id": (gettext_lazy("External ID"), ("text",)),
    "created_at": (gettext_lazy("Added to Pinsync"), ("date",)),
    "updated_at": (gettext_lazy("Last changed"), ("date",)),
}
ATTRIBUTE_KINDS = ("text", "number", "date", "boolean")


def kinds_of(field: str) -> tuple[str, ...]:
    """Return the kinds of question that can be asked about a field."""
    return FIELDS[field][1] if field in FIELDS else ATTRIBUTE_KINDS


def label_of(field: str) -> str:
    """Return what people call a field."""
    return str(FIELDS[field][0]) if field in FIELDS else field.removeprefix(ATTRIBUTE)


def describe(filters: dict[str, Any]) -> list[str]:
    """Return each rule as people read it, such as “country is KR”."""
    return [
        pgettext("rule", "%(field)s %(question)s")
        % {"field": label_of(rule.get("field", "")), "question": _spoken(rule)}
        for group in filters.get("groups", ())
        for rule in group.get("rules", ())
    ]


def _spoken(rule: dict[str, Any]) -> str:
    operator = OPERATORS.get(rule.get("operator", ""))
    if operator is None:
        return ""
    label, value = str(operator.label), str(rule.get("value", ""))
    if "…" in label:
        return label.replace("…", value)
    if operator.values == 2:
        return _("%(label)s %(value)s and %(until)s") % {
            "label": label,
            "value": value,
            "until": rule.get("until", ""),
        }
    return pgettext("rule", "%(label)s %(value)s") % {"label": label, "value": value} if operator.values else label
