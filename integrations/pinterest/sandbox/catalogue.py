"""Every way to break the sandbox on purpose, described once for programs and for people."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .records import BadRecord, as_digest

# What people call each parameter.
LABELS = {
    "ad_account_id": "Ad account",
    "audience_id": "Audience",
    "count": "How many answers",
    "digest": "Record",
    "form": "What they look like",
    "header": "Say when to try again",
    "hours": "Hours",
    "html": "Answer with a web page",
    "ms": "Milliseconds",
    "only_reset": "Say it in X-RateLimit-Reset alone",
    "path": "Only paths with",
    "pinterest_user": "Pinterest user",
    "seconds": "Seconds",
    "status": "HTTP status",
}
TRUE, FALSE = ("true", "on", "1", "yes"), ("false", "off", "0", "no")


class BadFault(Exception):
    """A fault, or a `parameter` of one, that does not exist or makes no sense. The message says which."""

    def __init__(self, message: str, parameter: str = "") -> None:
        super().__init__(message)
        self.parameter = parameter


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a fault. `kind` is text, id, number, boolean, digest or pinterest_user."""

    name: str
    kind: str
    sentence: str
    required: bool = False
    default: Any = None

    @property
    def label(self) -> str:
        return LABELS[self.name]

    def read(self, value: Any) -> Any:
        """Return the value as its kind. Raises BadFault."""
        text = str(value).strip()
        try:
            if self.kind == "number":
                number = float(text)
                if not 0 <= number < 1e7:
                    raise ValueError
                return int(number) if number.is_integer() else number
            if self.kind == "boolean":
                return {**dict.fromkeys(TRUE, True), **dict.fromkeys(FALSE, False)}[text.lower()]
            if self.kind == "digest":
                return as_digest(text.lower())
            if self.kind == "id" and not re.fullmatch(r"\d{1,18}", text):
                raise ValueError
        except (ValueError, KeyError, BadRecord):
            raise BadFault(f"{self.name} is not a {self.kind}.", self.name) from None
        return text

    def as_json(self) -> dict[str, Any]:
        """Describe it to a program."""
        return {
            "name": self.name,
            "kind": self.kind,
            "required": self.required,
            "default": self.default,
            "description": self.sentence,
        }


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault. One that acts at once is done when the answer comes and is never in the list."""

    name: str
    title: str
    sentence: str
    parameters: tuple[Parameter, ...] = ()
    at_once: bool = False

    def read(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return all parameters with their values; empty ones take their default. Raises BadFault."""
        unknown = given.keys() - {parameter.name for parameter in self.parameters}
        if unknown:
            raise BadFault(f"{self.name} has no parameter {', '.join(sorted(unknown))}.")
        values = {}
        for parameter in self.parameters:
            value = given.get(parameter.name)
            if value is None or value == "":
                if parameter.required:
                    raise BadFault(f"{self.name} needs {parameter.name}: {parameter.sentence}", parameter.name)
                values[parameter.name] = parameter.default
            else:
                values[parameter.name] = parameter.read(value)
        return values

    def as_json(self) -> dict[str, Any]:
        """Describe it to a program."""
        return {
            "fault": self.name,
            "description": self.sentence,
            "acts_at_once": self.at_once,
            "parameters": [parameter.as_json() for parameter in self.parameters],
        }


USER = Parameter("pinterest_user", "pinterest_user", "Name or id of a Pinterest user; everybody if empty.")
AD_ACCOUNT = Parameter("ad_account_id", "id", "Id of the ad account.", required=True)
SECONDS = Parameter("seconds", "number", "How long, in seconds; until cleared if empty.")
COUNT = Parameter("count", "number", "How many answers.", default=1)
PATH = Parameter("path", "text", "Only requests whose path contains this; all if empty.")

KINDS = (
    Kind(
        "revoke_token",
        "Revoke tokens",
        "All access and refresh tokens of a Pinterest user stop working now, as after a changed password.",
        (USER,),
        at_once=True,
    ),
    Kind(
        "remove_ad_account_access",
        "Remove ad account rights",
        "A Pinterest user no longer reaches an ad account, until this is cleared.",
        (AD_ACCOUNT, USER),
    ),
    Kind(
        "delete_audience",
        "Delete an audience",
        "Somebody deletes an audience in Ads Manager; its customer list goes with it.",
        (Parameter("audience_id", "id", "Id of the audience.", required=True),),
        at_once=True,
    ),
    Kind(
        "outage",
        "Outage",
        "Pinterest is down: every call of the API fails.",
        (
            Parameter("status", "number", "HTTP status, 400 to 599.", default=503),
            SECONDS,
            Parameter("html", "boolean", "Answer with a web page instead of JSON.", default=False),
            PATH,
        ),
    ),
    Kind(
        "rate_limit",
        "429 storm",
        "Every write is answered 429 Too Many Requests.",
        (
            Parameter("seconds", "number", "How long, in seconds.", default=30),
            Parameter("header", "boolean", "Say in headers when to try again.", default=True),
            Parameter("only_reset", "boolean", "Say it in X-RateLimit-Reset, without Retry-After.", default=False),
        ),
    ),
    Kind(
        "latency",
        "Slow answers",
        "Every answer of the API waits, after the request was applied.",
        (Parameter("ms", "number", "Milliseconds.", required=True), SECONDS, PATH),
    ),
    Kind(
        "refuse_record",
        "Refuse a record",
        "Any request that holds this record is refused as a whole, without saying which record it was.",
        (Parameter("digest", "digest", "The digest, or a lower-case e-mail address.", required=True),),
    ),
    Kind(
        "drop_answer",
        "Drop the answer",
        "The request is applied, then the connection closes without an answer.",
        (COUNT, PATH),
    ),
    Kind(
        "cut",
        "Cut the connection",
        "The connection closes before the request is applied.",
        (COUNT, PATH),
    ),
    Kind(
        "garbage",
        "Broken answers",
        "The request is applied, then answered with something that makes no sense.",
        (
            COUNT,
            PATH,
            Parameter(
                "form",
                "text",
                "json: 200 with half of it; html: 200 with a web page; error: 200 with an error inside;"
                " redirect: 302 to a web page.",
                default="json",
            ),
        ),
    ),
    Kind(
        "terms",
        "Terms of service not accepted",
        "Writes to an ad account are refused until its owner accepts Pinterest’s terms: until this is cleared.",
        (AD_ACCOUNT,),
    ),
    Kind(
        "clock",
        "Jump forward in time",
        "The sandbox’s clock jumps: sizes and statuses settle, tokens age and expire.",
        (Parameter("hours", "number", "How many hours.", default=24),),
        at_once=True,
    ),
)
BY_NAME = {kind.name: kind for kind in KINDS}
