"""Log lines that are safe to keep: a fixed phrase, then ids, counts and seconds; never a person, a record or a token.

Two formats say the same: `line` for people, `json` for machines (one object a line). What may pass is decided here,
not where a line is written: numbers always, words only under the names in WORDS, an exception as its type and the
places it went through. The text of an exception is left out, whatever it is: a database's contains the row it refused.
"""

import itertools
import json
import logging
import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = f"{Path(__file__).resolve().parent.parent}/"
PACKAGES = "/site-packages/"
FRAMES = 30  # of one exception, the last ones
CAUSES = 5
LONGEST = 1_000  # characters of an event

# Extras that may be words: codes and names of our own. Any other name passes numbers and yes or no.
WORDS = frozenset({"operation", "outcome", "partner", "problem", "reason", "source", "state", "task", "worker"})
WORD = re.compile(r"[\w.:-]{1,100}")
OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
FIRST = ("time", "level", "logger", "event")

# A net under it all, for messages that libraries write: what looks like a person's or a secret is cut out.
SECRETS = (
    (re.compile(r"[^\s@\"'<>(){},;=:]+@[^\s@\"'<>(){},;=:]+"), "[address]"),
    (re.compile(r"(?i)(?<![0-9a-z])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![0-9a-z])"), "[id]"),
    (re.compile(r"(?i)(?<![0-9a-z])[0-9a-f]{32,}(?![0-9a-z])"), "[digest]"),
    (re.compile(r"(?i)\b(bearer|basic)\s+\S+"), r"\1 [secret]"),
    (re.compile(r"(?i)\b(access_token|refresh_token|token|code|state|secret|password|key)=[^\s&\"']+"), r"\1=[secret]"),
    (re.compile(r"\b(?=\w*\d)[A-Za-z][A-Za-z0-9]{2,7}_[\w-]{16,}"), "[secret]"),  # pina_…, as tokens are often called
    (re.compile(r"\bgAAAAA[\w=-]+"), "[secret]"),  # what is encrypted in the database
)


def redact(text: str) -> str:
    """Return `text` without what looks like an address, an ad id, a record or a token."""
    for pattern, instead in SECRETS:
        text = pattern.sub(instead, text)
    return text


def redacted(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of `values` whose texts are redacted."""
    return {name: redact(value) if isinstance(value, str) else value for name, value in values.items()}


def event_of(record: logging.LogRecord) -> str:
    """Return what happened, on one line."""
    try:
        text = record.getMessage()
    except (TypeError, ValueError):  # a library's placeholders do not fit its values
        text = str(record.msg)
    return redact(text).replace("\r", " ").replace("\n", " ")[:LONGEST]


def extras_of(record: logging.LogRecord) -> dict[str, Any]:
    """Return what was given beside the phrase and may be kept."""
    return {
        name: value
        for name, value in vars(record).items()
        if name not in OWN and name not in FIRST and not name.startswith("_") and _may_pass(name, value)
    }


def _may_pass(name: str, value: object) -> bool:
    if value is None or isinstance(value, int | float):
        return value is None or math.isfinite(value)  # JSON knows no other numbers
    return name in WORDS and isinstance(value, str) and bool(WORD.fullmatch(value)) and redact(value) == value


def problem_of(error: BaseException | None) -> dict[str, Any] | None:
    """Return the type of an exception, the places it went through and what caused it; none of its text."""
    links = [_link(one) for one in _chain(error)]
    for link, cause in itertools.pairwise(links):
        link["cause"] = cause
    return links[0] if links else None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    for _ in range(CAUSES):
        if error is None:
            return
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _link(error: BaseException) -> dict[str, Any]:
    return {"type": name_of(type(error)), "frames": list(_frames(error.__traceback__))[-FRAMES:]}


def _frames(traceback: TracebackType | None) -> Iterator[str]:
    while traceback is not None:
        code = traceback.tb_frame.f_code
        yield f"{place(code.co_filename)}:{traceback.tb_lineno} {code.co_name}"
        traceback = traceback.tb_next


def place(path: str) -> str:
    """Return a file's path from the root of the clone, or from where packages are installed."""
    return path.rpartition(PACKAGES)[2] if PACKAGES in path else path.removeprefix(ROOT)


def name_of(kind: type[BaseException]) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _error_of(record: logging.LogRecord) -> dict[str, Any] | None:
    return problem_of(record.exc_info[1]) if record.exc_info else None


class Line(logging.Formatter):
    """`time LEVEL logger phrase name=value …`, and an exception as its places."""

    def format(self, record: logging.LogRecord) -> str:
        parts = [_time(record), record.levelname, record.name, event_of(record)]
        parts += [f"{name}={value}" for name, value in extras_of(record).items()]
        problem = _error_of(record)
        joint = "error"
        while problem is not None:
            parts.append(f"{joint}={problem['type']} [{' > '.join(problem['frames'])}]")
            problem, joint = problem.get("cause"), "cause"
        return " ".join(parts)


class Json(logging.Formatter):
    """One JSON object a line: time, level, logger, event, then the extras."""

    def format(self, record: logging.LogRecord) -> str:
        values: dict[str, Any] = dict(
            zip(FIRST, (_time(record), record.levelname, record.name, event_of(record)), strict=True)
        )
        values |= extras_of(record)
        problem = _error_of(record)
        if problem is not None:
            values["error"] = problem
        return json.dumps(values, ensure_ascii=False, default=str)


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class WithoutQuery(logging.Filter):
    """Cut what follows the path in the lines of the development server: a consent comes back with its code there."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(re.sub(r"\?\S*", "", one) if isinstance(one, str) else one for one in record.args)
        return True
