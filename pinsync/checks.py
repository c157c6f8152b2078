"""Numbered system checks: what must not be so in production, as sentences with a way out.

`manage.py` runs them before every command, wsgi.py before the first request.
"""

from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import Error, Tags, register

CONSOLE_MAIL = "django.core.mail.backends.console.EmailBackend"
LOCAL_MEMORY = "django.core.cache.backends.locmem.LocMemCache"


@register(Tags.security)
def production(app_configs: Sequence[AppConfig] | None = None, **kwargs: Any) -> list[Error]:
    """Refuse with DEBUG off what is meant for trying Pinsync out."""
    if settings.DEBUG:
        return []
    return [*_secrets(), *_partner(), *_people(), *_cache()]


@register(Tags.security)
def trial_limit(app_configs: Sequence[AppConfig] | None = None, **kwargs: Any) -> list[Error]:
    """Refuse to ask the real Pinterest more than it gives: a shrunken day is for the sandbox."""
    calls, seconds = settings.PINTEREST_TRIAL_LIMIT
    if not settings.PINTEREST_APP_FROM_ENV or (calls <= 1_000 and seconds >= 86_400):
        return []
    return [
        Error(
            f"PINTEREST_TRIAL_LIMIT is {calls}/{seconds}, and Pinterest allows 1000 requests in 86400 seconds.",
            hint="Remove PINTEREST_TRIAL_LIMIT, or lower it; a shorter day is for trying with the sandbox.",
            id="pinsync.E011",
        )
    ]


@register(Tags.security)
def half_an_app(app_configs: Sequence[AppConfig] | None = None, **kwargs: Any) -> list[Error]:
    """Refuse an app id without its secret, and the reverse, whatever DEBUG says: Pinterest would only answer 401."""
    if settings.PINTEREST_APP_FROM_ENV == settings.PINTEREST_SECRET_FROM_ENV:
        return []
    return [
        Error(
            "Only one of PINTEREST_APP_ID and PINTEREST_APP_SECRET is set.",
            hint="Set both, as the app's page at developers.pinterest.com shows them, or none to use the sandbox.",
            id="pinsync.E009",
        )
    ]


def _secrets() -> Iterator[Error]:
    if not settings.SECRET_KEY_FROM_ENV:
        yield Error(
            "SECRET_KEY is not set, so sessions would be signed with a key that lies beside the data.",
            hint="Set SECRET_KEY to at least 50 random characters, the same on every machine.",
            id="pinsync.E001",
        )
    if not settings.TOKEN_KEYS_FROM_ENV:
        yield Error(
            "PINSYNC_TOKEN_KEYS is not set, so partner tokens would be encrypted with a key that lies beside them.",
            hint="Set PINSYNC_TOKEN_KEYS to one or more Fernet keys, newest first, the same on every machine.",
            id="pinsync.E002",
        )


def _cache() -> Iterator[Error]:
    if settings.WEB_CONCURRENCY > 1 and settings.CACHES["default"]["BACKEND"] == LOCAL_MEMORY:
        yield Error(
            f"{settings.WEB_CONCURRENCY} web processes (WEB_CONCURRENCY) with a cache in each one's own memory: "
            "each would count sign-in attempts and API requests for itself.",
            hint="Set REDIS_URL, also when Pinsync runs on several machines; or set WEB_CONCURRENCY to 1.",
            id="pinsync.E003",
        )


def _partner() -> Iterator[Error]:
    for name in ("PINTEREST_API_URL", "PINTEREST_OAUTH_URL"):
        url = urlsplit(getattr(settings, name))
        if _is_here(url.hostname or ""):
            yield Error(
                f"{name} leads to this machine, as the sandbox does: nobody would reach a real audience.",
                hint=f"Remove {name}; with PINTEREST_APP_ID set, Pinsync talks to the real Pinterest.",
                id="pinsync.E004",
            )
        elif url.scheme != "https":
            yield Error(
                f"{name} is not https: tokens and records would travel in the clear.",
                hint=f"Give {name} an https address, or remove it.",
                id="pinsync.E005",
            )
    if not settings.PINTEREST_APP_FROM_ENV and not settings.PINTEREST_SECRET_FROM_ENV:
        yield Error(
            "PINTEREST_APP_ID and PINTEREST_APP_SECRET are not set, so Pinsync would present the sandbox's app.",
            hint="Make an app at developers.pinterest.com and set both.",
            id="pinsync.E006",
        )


def _people() -> Iterator[Error]:
    if not settings.ALLOWED_HOSTS:
        yield Error(
            "ALLOWED_HOSTS is empty, so every request would be refused.",
            hint="Set ALLOWED_HOSTS to the host names that Pinsync answers to, such as pinsync.example.com.",
            id="pinsync.E010",
        )
    if urlsplit(settings.BASE_URL).scheme != "https":
        yield Error(
            "PINSYNC_URL is not https, so links in e-mails and the way back from consent would be in the clear.",
            hint="Set PINSYNC_URL to the https address that people type, such as https://pinsync.example.com.",
            id="pinsync.E007",
        )
    if settings.EMAIL_BACKEND == CONSOLE_MAIL:
        yield Error(
            "EMAIL_HOST is not set, so e-mails would be printed to the log: nobody could verify an address.",
            hint="Set EMAIL_HOST, and EMAIL_PORT, EMAIL_HOST_USER, EMAIL_HOST_PASSWORD, DEFAULT_FROM_EMAIL as needed.",
            id="pinsync.E008",
        )


def _is_here(host: str) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified
