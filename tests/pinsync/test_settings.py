"""The settings as a whole: what a bad environment says, what production needs, what programs are started with."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

ROOT = Path(__file__).resolve().parent.parent.parent
PRODUCTION = {
    "DEBUG": "false",
    "SECRET_KEY": "k3y-" * 15 + "with-some-different-letters",
    "PINSYNC_TOKEN_KEYS": Fernet.generate_key().decode(),
    "PINSYNC_URL": "https://pinsync.example.com",
    "ALLOWED_HOSTS": "pinsync.example.com",
    "DATABASE_URL": "postgres://pinsync@database.example.com/pinsync",
    "REDIS_URL": "redis://cache.example.com:6379/0",
    "WEB_CONCURRENCY": "2",
    "EMAIL_HOST": "mail.example.com",
    "PINTEREST_APP_ID": "1234567",
    "PINTEREST_APP_SECRET": "secret",
}


@pytest.fixture
def load(monkeypatch, tmp_path):
    """Return what the settings are with these variables and no others."""

    def run(**variables: str) -> dict[str, object]:
        for name in list(os.environ):
            if name != "PATH":
                monkeypatch.delenv(name)
        for name, value in ({"PINSYNC_DATA_DIR": str(tmp_path)} | variables).items():
            monkeypatch.setenv(name, value)
        return runpy.run_path(str(ROOT / "pinsync" / "settings.py"))

    return run


def manage(data_dir: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "PINSYNC_DATA_DIR": str(data_dir)} | variables
    return subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=ROOT, env=env, capture_output=True, text=True, timeout=120
    )


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DEBUG", "1"),
        ("PORT", "70000"),
        ("SANDBOX_PORT", "none"),
        ("PINSYNC_URL", "pinsync.example.com"),
        ("DATABASE_URL", "mysql://somewhere/pinsync"),
        ("REDIS_URL", "cache:6379"),
        ("WEB_CONCURRENCY", "0"),
        ("SECURE_SSL_REDIRECT", "no"),
        ("SECURE_HSTS_SECONDS", "a year"),
        ("BEHIND_PROXY", "nginx"),
        ("PINSYNC_TOKEN_KEYS", "abc"),
        ("EMAIL_PORT", "0"),
        ("EMAIL_USE_TLS", "yes"),
        ("PINTEREST_API_URL", "api.pinterest.com"),
        ("PINTEREST_OAUTH_URL", "/oauth/"),
        ("PINTEREST_ACCESS", "Trial"),
        ("PINTEREST_TRIAL_LIMIT", "1000"),
        ("PINSYNC_GIVE_UP_AFTER_SECONDS", "13h"),
        ("PINSYNC_USERS_PER_REQUEST", "-1"),
        ("PINSYNC_RECORDS_PER_REQUEST", "1,900"),
        ("PINSYNC_CLAIMERS", "0"),
        ("PINSYNC_SENDERS", "0"),
        ("PINSYNC_DELIVERY_SEATS", "0"),
        ("PINSYNC_WORKERS", "0"),
        ("PINSYNC_API_REQUESTS_PER_MINUTE", "0"),
        ("LOG_LEVEL", "info"),
    ],
)
def test_a_bad_value_stops_the_start_with_a_sentence_that_names_it(load, variable, value):
    with pytest.raises(ImproperlyConfigured, match=variable):
        load(**{variable: value})


def test_the_sentence_is_all_that_a_person_sees(tmp_path):
    ended = manage(tmp_path, "migrate", DEBUG="yes")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "Pinsync cannot start. DEBUG must be true or false, not “yes”.\n"


class TestPartnerAddresses:
    def of(self, settings: dict[str, object]) -> tuple[object, object]:
        return settings["PINTEREST_API_URL"], settings["PINTEREST_OAUTH_URL"]

    def test_without_an_app_the_sandbox(self, load):
        assert self.of(load(SANDBOX_PORT="8123")) == ("http://127.0.0.1:8123/v5", "http://127.0.0.1:8123/oauth/")

    def test_with_an_app_the_real_one(self, load):
        settings = load(PINTEREST_APP_ID="1", PINTEREST_APP_SECRET="s")
        assert self.of(settings) == ("https://api.pinterest.com/v5", "https://www.pinterest.com/oauth/")

    @pytest.mark.parametrize("app", [{}, {"PINTEREST_APP_ID": "1", "PINTEREST_APP_SECRET": "s"}])
    def test_addresses_from_outside_always_win(self, load, app):
        settings = load(PINTEREST_API_URL="http://127.0.0.1:9", PINTEREST_OAUTH_URL="http://127.0.0.1:9", **app)
        assert self.of(settings) == ("http://127.0.0.1:9/v5", "http://127.0.0.1:9/oauth/")


def test_secrets_are_made_once_and_kept(load, tmp_path):
    first, second = load(), load()
    assert first["SECRET_KEY"] == second["SECRET_KEY"] == (tmp_path / "secret_key").read_text()
    assert first["TOKEN_KEYS"] == second["TOKEN_KEYS"] == [(tmp_path / "token_key").read_text()]
    assert {(tmp_path / name).stat().st_mode & 0o777 for name in ("secret_key", "token_key")} == {0o600}


def test_secrets_from_outside_leave_no_file(load, tmp_path):
    settings = load(**PRODUCTION)
    assert settings["TOKEN_KEYS"] == [PRODUCTION["PINSYNC_TOKEN_KEYS"]]
    assert list(tmp_path.iterdir()) == []


def test_production_settings_pass_the_deployment_check(tmp_path):
    ended = manage(tmp_path, "check", "--deploy", "--fail-level", "WARNING", **PRODUCTION)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize(
    ("missing", "error"),
    [
        ("SECRET_KEY", "pinsync.E001"),
        ("PINSYNC_TOKEN_KEYS", "pinsync.E002"),
        ("PINTEREST_APP_ID", "pinsync.E009"),
        ("EMAIL_HOST", "pinsync.E008"),
    ],
)
def test_production_does_not_start_without(missing, error, tmp_path):
    ended = manage(tmp_path, "check", **{name: value for name, value in PRODUCTION.items() if name != missing})
    assert ended.returncode == 1
    assert error in ended.stderr


def test_the_web_process_looks_before_it_serves(tmp_path):
    """gunicorn runs no system checks by itself."""
    env = {"PATH": os.environ["PATH"], "PINSYNC_DATA_DIR": str(tmp_path)} | PRODUCTION | {"SECRET_KEY": ""}
    ended = subprocess.run(
        [sys.executable, "-c", "import pinsync.wsgi"], cwd=ROOT, env=env, capture_output=True, text=True, timeout=120
    )
    assert ended.returncode == 1
    assert "pinsync.E001" in ended.stderr
