"""Read settings from the environment, once and strictly: a bad value stops the start with a sentence."""

import os
import secrets
import tempfile
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

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


def env_limit(name: str, default: str) -> tuple[int, int]:
    """Return a limit such as 1000/86400 as (times, seconds)."""
    value = env_str(name, default)
    times, _, seconds = value.partition("/")
    numbers = [int(part) for part in (times, seconds) if part.isascii() and part.isdigit()]
    if len(numbers) != 2 or numbers[0] < 10 or numbers[1] < 1:
        raise ImproperlyConfigured(
            f"{name} must be a limit of at least 10 in so many seconds, such as 1000/86400, not “{value}”."
        )
    return numbers[0], numbers[1]


def env_port(name: str, default: int) -> int:
    value = env_int(name, default, least=1)
    if value > 65535:
        raise ImproperlyConfigured(f"{name} must be a port, a number from 1 to 65535, not “{value}”.")
    return value


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
    parts = _parts(value)
    if parts is None or parts.scheme not in ("http", "https"):
        raise ImproperlyConfigured(f"{name} must be an http or https address, not “{value}”.")
    if parts.path in ("", "/"):
        return parts._replace(path=default_path).geturl()
    return value


def env_redis(name: str) -> str:
    """Return a Redis address, or nothing. The refusal does not repeat it: it may hold a password."""
    value = env_str(name)
    parts = _parts(value)
    if value and (parts is None or parts.scheme not in ("redis", "rediss")):
        raise ImproperlyConfigured(f"{name} must look like redis://host:6379/0 (or be empty).")
    return value


def env_token_keys(name: str) -> list[str]:
    """Return the keys that tokens are encrypted with. The refusal says which one is none, and never what it is."""
    keys = env_list(name)
    for number, key in enumerate(keys, 1):
        try:
            Fernet(key)
        except ValueError:
            raise ImproperlyConfigured(
                f"Key {number} of {name} is no key. One is made by: python -c "
                "'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'"
            ) from None
    return keys


def _parts(url: str) -> SplitResult | None:
    """Return the parts of an address with a host and a possible port, else None."""
    try:
        parts = urlsplit(url)
        return parts if parts.hostname and parts.port != 0 else None
    except ValueError:  # a bracket too many, a port that is none
        return None


def secret_file(path: Path, make: str) -> str:
    """Return the secret kept in `path`; make it (mode 600) on first use.

    `make` is "secret" (Django's key) or "fernet" (a token key). Two processes that start at once agree:
    the file is linked into place only if it is not there yet.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        value = Fernet.generate_key().decode() if make == "fernet" else secrets.token_urlsafe(50)
        handle, draft = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)  # mode 600
        with os.fdopen(handle, "w") as file:
            file.write(value)
        try:
            os.link(draft, path)
        except FileExistsError:
            pass  # another process was first; its secret counts
        finally:
            os.unlink(draft)
    return path.read_text().strip()


def database(url: str, data_dir: Path) -> dict[str, object]:
    """Return Django's DATABASES entry for a postgres:// or sqlite:/// URL; empty means SQLite in `data_dir`.

    SQLite's options are the measured ones: IMMEDIATE transactions, WAL, 20 s of patience.
    """
    if not url or (url.startswith("sqlite:///") and not url.endswith("/")):
        data_dir.mkdir(parents=True, exist_ok=True)
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": unquote(url.removeprefix("sqlite://")) or data_dir / "pinsync.sqlite3",
            "CONN_MAX_AGE": 600,
            "OPTIONS": {
                "timeout": 20,
                "transaction_mode": "IMMEDIATE",
                # 16 MB of pages per connection: with the 2 MB of the default, what claims read grew with the history.
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA temp_store=MEMORY;"
                " PRAGMA cache_size=-16000;",
            },
            "TEST": {"NAME": data_dir / "test.sqlite3"},
        }
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # the refusal does not repeat the address: it may hold a password
        parts, port = urlsplit(""), None
    if parts.scheme not in ("postgres", "postgresql") or not parts.path.strip("/"):
        raise ImproperlyConfigured(
            "DATABASE_URL must look like postgres://user:password@host:5432/name or sqlite:///absolute/path "
            "(or be empty for SQLite in the data folder)."
        )
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.strip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(port or ""),
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": dict(parse_qsl(parts.query)),
    }
