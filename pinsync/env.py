"""Read settings from the environment, once and strictly: a bad value stops the start with a sentence."""

import os
import secrets
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured


def env_str(name: str, default: str = "") -> str:
    """Return the variable without surrounding blanks; an empty one counts as not set."""
    return os.environ.get(name, "").strip() or default


def env_bool(name: str, default: bool) -> bool:
    """Accept `true` and `false` and nothing else."""
    value = env_str(name)
    if value in ("", "true", "false"):
        return default if value == "" else value == "true"
    raise ImproperlyConfigured(f"{name} must be true or false, not “{value}”.")


def env_int(name: str, default: int, *, least: int = 0) -> int:
    value = env_str(name)
    if not value:
        return default
    if not value.isascii() or not value.isdigit() or int(value) < least:
        raise ImproperlyConfigured(f"{name} must be a whole number of at least {least}, not “{value}”.")
    return int(value)


def env_list(name: str, default: str = "") -> list[str]:
    """Split at commas; blanks around and empty items are dropped."""
    return [item.strip() for item in env_str(name, default).split(",") if item.strip()]


def env_choice(name: str, default: str, choices: tuple[str, ...]) -> str:
    value = env_str(name, default)
    if value not in choices:
        raise ImproperlyConfigured(f"{name} must be one of {', '.join(choices)}, not “{value}”.")
    return value


def env_url(name: str, default: str, *, default_path: str) -> str:
    """Return an http(s) address; one without a path gets `default_path`.

    So `http://127.0.0.1:8100` and `http://127.0.0.1:8100/v5` mean the same to PINTEREST_API_URL.
    """
    value = env_str(name, default)
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ImproperlyConfigured(f"{name} must be an http or https address, not “{value}”.")
    if parts.path in ("", "/"):
        return parts._replace(path=default_path).geturl()
    return value


def secret_file(path: Path, make: str) -> str:
    """Return the secret kept in `path`; make it (mode 600) on first use.

    `make` is "secret" (Django's key) or "fernet" (a token key). Two processes that start at once agree:
    the file is linked into place only if it is not there yet.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        value = Fernet.generate_key().decode() if make == "fernet" else secrets.token_urlsafe(50)
        draft = path.with_name(f"{path.name}.{os.getpid()}.new")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(value)
        try:
            os.link(draft, path)
        except FileExistsError:
            pass  # another process was first; its secret counts
        finally:
            draft.unlink()
    return path.read_text().strip()


def database(url: str, data_dir: Path) -> dict[str, object]:
    """Return Django's DATABASES entry for a postgres:// URL, or for SQLite in `data_dir` when it is empty.

    SQLite's options are the measured ones: IMMEDIATE transactions, WAL, 20 s of patience.
    """
    if not url:
        data_dir.mkdir(parents=True, exist_ok=True)
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": data_dir / "pinsync.sqlite3",
            "CONN_MAX_AGE": 600,
            "OPTIONS": {
                "timeout": 20,
                "transaction_mode": "IMMEDIATE",
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA temp_store=MEMORY;",
            },
            "TEST": {"NAME": data_dir / "test.sqlite3"},
        }
    parts = urlsplit(url)
    if parts.scheme not in ("postgres", "postgresql") or not parts.path.strip("/"):
        raise ImproperlyConfigured(
            "DATABASE_URL must look like postgres://user:password@host:5432/name (or be empty for SQLite)."
        )
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.strip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": dict(parse_qsl(parts.query)),
    }
