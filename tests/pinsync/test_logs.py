"""Log lines: what passes, in both formats, and what never does."""

import json
import logging
import subprocess
import sys
from datetime import UTC, datetime
from multiprocessing import Queue, Value
from pathlib import Path

import pytest
from django.conf import settings
from django_q.models import Failure, OrmQ
from django_q.monitor import monitor
from django_q.signing import SignedPackage
from django_q.tasks import async_task
from django_q.worker import worker

from pinsync.failures import without_text
from pinsync.logs import Json, Line, WithoutQuery, problem_of, redact

ROOT = Path(__file__).resolve().parent.parent.parent
AT = datetime(2026, 11, 24, 12, 0, 0, 250_000, tzinfo=UTC)


def record(msg="batch settled", *args, name="pinsync.delivery", exc_info=None, **extra):
    made = logging.LogRecord(name, logging.INFO, __file__, 1, msg, args, exc_info)
    made.created = AT.timestamp()
    vars(made).update(extra)
    return made


def test_a_json_line_says_when_where_what_and_the_figures():
    line = Json().format(record(batch=7, users=1900, outcome="accepted", http_status=200, ours=True, seconds=0.25))
    assert list(json.loads(line).items()) == [
        ("time", "2026-11-24T12:00:00.250Z"),
        ("level", "INFO"),
        ("logger", "pinsync.delivery"),
        ("event", "batch settled"),
        ("batch", 7),
        ("users", 1900),
        ("outcome", "accepted"),
        ("http_status", 200),
        ("ours", True),
        ("seconds", 0.25),
    ]


def test_a_line_for_people_says_the_same():
    line = Line().format(record(batch=7, outcome="rate_limited", http_status=None))
    assert line == (
        "2026-11-24T12:00:00.250Z INFO pinsync.delivery batch settled batch=7 outcome=rate_limited http_status=None"
    )


@pytest.mark.parametrize("formatter", [Json(), Line()])
@pytest.mark.parametrize(
    "extra",
    [
        {"email": "ann@example.com"},  # a word under a name that passes none
        {"name_": "Ann"},
        {"reason": "ann@example.com"},  # a word that is none of ours
        {"reason": "Ann Smith was here"},
        {"outcome": "a" * 64},
        {"outcome": ["Ann"]},
        {"users": {"name": "Ann"}},
        {"seconds": float("nan")},
    ],
)
def test_what_is_no_figure_and_no_code_does_not_pass(formatter, extra):
    assert formatter.format(record(**extra)) == formatter.format(record())


@pytest.mark.parametrize("formatter", [Json(), Line()])
def test_an_exception_is_its_type_and_its_way_without_its_text(formatter):
    def inner():
        raise KeyError("ann@example.com")

    try:
        try:
            inner()
        except KeyError as error:
            raise ValueError("Ann Smith") from error
    except ValueError as error:
        line = formatter.format(record("sender failed", exc_info=(type(error), error, error.__traceback__)))
    assert "ValueError" in line
    assert "KeyError" in line
    assert "tests/pinsync/test_logs.py:" in line
    assert "inner" in line
    assert "ann" not in line
    assert "Ann" not in line
    assert "\n" not in line


def test_a_cause_that_was_suppressed_stays_out():
    try:
        try:
            raise KeyError("a")
        except KeyError:
            raise ValueError("b") from None
    except ValueError as error:
        found = problem_of(error)
    assert found is not None
    assert found["type"] == "ValueError"
    assert "cause" not in found


def test_an_exception_that_causes_itself_ends():
    error = ValueError()
    error.__context__ = other = KeyError()
    other.__context__ = error
    assert problem_of(error) is not None


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Failed for ann.smith+x@example.co.kr, again", "Failed for [address], again"),
        ("Key (email)=(ann@example.com) already exists", "Key (email)=([address]) already exists"),
        (f"refused {'ab' * 32}", "refused [digest]"),
        (f"refused {'AB' * 16}.", "refused [digest]."),
        ("gaid 38400000-8cf0-11bd-b23e-10b96e40000d", "gaid [id]"),
        ("Authorization: Bearer pina_AB-12_x", "Authorization: Bearer [secret]"),
        ("token pina_ABCDEF0123456789abcdef is dead", "token [secret] is dead"),
        ("/callback/?code=abc&state=xyz", "/callback/?code=[secret]&state=[secret]"),
        ("batch settled batch=7 in integrations_audiencesync_by_name", None),
        ("POST /v5/ad_accounts/549755885175/customer_lists/643 HTTP/1.1 200", None),
    ],
)
def test_a_net_for_what_libraries_write(text, kept):
    assert redact(text) == (kept or text)


def test_a_message_cannot_pretend_to_be_another_line():
    assert "\n" not in Line().format(record("Not Found: %s", "/x\n2026 INFO pinsync forged", name="django.request"))


def test_a_message_whose_placeholders_do_not_fit_is_still_a_line():
    assert json.loads(Json().format(record("%d users", "many")))["event"] == "%d users"


def test_the_development_server_keeps_no_code_of_a_consent():
    made = record('"%s" %s %s', "GET /partners/pinterest/callback/?code=c1&state=s1 HTTP/1.1", "302", "0")
    assert WithoutQuery().filter(made)
    assert Json().format(made) == Json().format(
        record('"%s" %s %s', "GET /partners/pinterest/callback/ HTTP/1.1", "302", "0")
    )


def test_statements_are_never_logged():
    """They carry addresses, records and encrypted tokens."""
    assert settings.LOGGING["loggers"]["django.db.backends"]["level"] == "INFO"


def test_the_text_of_a_failed_task_is_not_kept():
    text = (
        "Key (email)=(x)\nann: y : Traceback (most recent call last):\n"
        f'  File "{ROOT}/integrations/tasks.py", line 12, in deliver\n    draining.drain()\n'
        "ValueError: Ann Smith\nann.smith: more of it\n"
    )
    assert without_text(text) == "ValueError [integrations/tasks.py:12 deliver]"


def _fail(*args: object) -> None:
    raise ValueError("Ann Smith <ann@example.com>")


@pytest.mark.django_db(transaction=True)
def test_nor_in_the_queue_s_own_table():
    """django-q2's worker and monitor, run here on one task."""
    async_task("tests.pinsync.test_logs._fail", 7, save=False)
    task = SignedPackage.loads(OrmQ.objects.get().payload)
    tasks: Queue = Queue()
    results: Queue = Queue()
    tasks.put(task)
    tasks.put("STOP")
    worker(tasks, results, Value("f", -1), timeout=10)
    results.put("STOP")
    monitor(results)
    failed = Failure.objects.get()
    assert failed.result.startswith("ValueError [")
    assert "_fail" in failed.result
    assert "Ann" not in failed.result
    assert "ann" not in failed.result


@pytest.mark.parametrize(
    ("variables", "is_json"),
    [
        ({}, False),
        ({"DEBUG": "false"}, True),
        ({"LOG_FORMAT": "json"}, True),
        ({"DEBUG": "false", "LOG_FORMAT": "line"}, False),
    ],
)
def test_json_is_the_default_in_production(variables, is_json, tmp_path):
    program = (
        "import logging; import django; django.setup();"
        "logging.getLogger('pinsync.x').info('batch settled', extra={'batch': 7});"
        "logging.getLogger('django.request').error('Server Error: %s', '/x')"
    )
    environment = {"DJANGO_SETTINGS_MODULE": "pinsync.settings", "PINSYNC_DATA_DIR": str(tmp_path)} | variables
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, cwd=ROOT, capture_output=True, text=True, check=True
    )
    lines = done.stderr.splitlines()
    assert len(lines) == 2  # each once, although Django brings handlers of its own
    assert [line.startswith("{") for line in lines] == [is_json] * 2
    if is_json:
        first, second = map(json.loads, lines)
        assert (first["event"], first["batch"], second["event"]) == ("batch settled", 7, "Server Error: /x")


def test_another_format_stops_the_start(tmp_path):
    environment = {"DJANGO_SETTINGS_MODULE": "pinsync.settings", "PINSYNC_DATA_DIR": str(tmp_path), "LOG_FORMAT": "xml"}
    done = subprocess.run(
        [sys.executable, "-c", "import django; django.setup()"],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "LOG_FORMAT must be one of line, json" in done.stderr
