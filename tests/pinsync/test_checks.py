"""What production refuses, one by one."""

import pytest
from django.test import override_settings

from pinsync import checks

PRODUCTION = {
    "DEBUG": False,
    "SECRET_KEY_FROM_ENV": True,
    "TOKEN_KEYS_FROM_ENV": True,
    "ALLOWED_HOSTS": ["pinsync.example.com"],
    "BASE_URL": "https://pinsync.example.com",
    "PINTEREST_API_URL": "https://api.pinterest.com/v5",
    "PINTEREST_OAUTH_URL": "https://www.pinterest.com/oauth/",
    "PINTEREST_APP_FROM_ENV": True,
    "PINTEREST_SECRET_FROM_ENV": True,
    "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
    "WEB_CONCURRENCY": 4,
    "CACHES": {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://cache"}},
}
LOCAL_MEMORY = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
NO_APP = {"PINTEREST_APP_FROM_ENV": False, "PINTEREST_SECRET_FROM_ENV": False}


def found(**changes: object) -> list[str | None]:
    with override_settings(**(PRODUCTION | changes)):
        return [error.id for error in [*checks.production(), *checks.half_an_app(), *checks.trial_limit()]]


def test_production_settings_are_clean():
    assert found() == []


@pytest.mark.parametrize(
    ("changes", "ids"),
    [
        ({"SECRET_KEY_FROM_ENV": False}, ["pinsync.E001"]),
        ({"TOKEN_KEYS_FROM_ENV": False}, ["pinsync.E002"]),
        ({"CACHES": LOCAL_MEMORY}, ["pinsync.E003"]),
        ({"PINTEREST_API_URL": "http://127.0.0.1:8100/v5"}, ["pinsync.E004"]),
        ({"PINTEREST_API_URL": "https://localhost/v5"}, ["pinsync.E004"]),
        ({"PINTEREST_API_URL": "https://[::1]/v5"}, ["pinsync.E004"]),
        ({"PINTEREST_OAUTH_URL": "http://127.9.9.9:8100/oauth/"}, ["pinsync.E004"]),
        ({"PINTEREST_OAUTH_URL": "http://0.0.0.0:8100/oauth/"}, ["pinsync.E004"]),
        ({"PINTEREST_OAUTH_URL": "http://sandbox.localhost/oauth/"}, ["pinsync.E004"]),
        ({"PINTEREST_API_URL": "http://proxy.example.com/v5"}, ["pinsync.E005"]),
        (NO_APP, ["pinsync.E006"]),
        ({"BASE_URL": "http://pinsync.example.com"}, ["pinsync.E007"]),
        ({"EMAIL_BACKEND": "django.core.mail.backends.console.EmailBackend"}, ["pinsync.E008"]),
        ({"PINTEREST_SECRET_FROM_ENV": False}, ["pinsync.E009"]),
        ({"PINTEREST_APP_FROM_ENV": False}, ["pinsync.E009"]),
        ({"ALLOWED_HOSTS": []}, ["pinsync.E010"]),
    ],
)
def test_each_thing_that_must_not_be_is_refused(changes, ids):
    assert found(**changes) == ids


def test_one_process_may_count_in_its_own_memory():
    assert found(CACHES=LOCAL_MEMORY, WEB_CONCURRENCY=1) == []


def test_a_proxy_with_https_may_stand_in_between():
    assert found(PINTEREST_API_URL="https://proxy.example.com/v5") == []


def test_trying_it_out_needs_nothing():
    assert found(DEBUG=True, SECRET_KEY_FROM_ENV=False, TOKEN_KEYS_FROM_ENV=False, CACHES=LOCAL_MEMORY, **NO_APP) == []


def test_half_an_app_is_refused_while_trying_out_too():
    assert found(DEBUG=True, PINTEREST_SECRET_FROM_ENV=False) == ["pinsync.E009"]


@pytest.mark.parametrize("limit", [(1001, 86_400), (1000, 86_399), (30, 12)])
def test_a_shrunken_day_is_for_the_sandbox(limit):
    assert found(DEBUG=True, PINTEREST_TRIAL_LIMIT=limit) == ["pinsync.E011"]
    assert found(DEBUG=True, PINTEREST_TRIAL_LIMIT=limit, **NO_APP) == []
    assert found(PINTEREST_TRIAL_LIMIT=(900, 90_000)) == []


def test_every_refusal_says_what_to_do():
    wrong = dict.fromkeys(("SECRET_KEY_FROM_ENV", "TOKEN_KEYS_FROM_ENV"), False) | NO_APP
    wrong |= {"CACHES": LOCAL_MEMORY, "BASE_URL": "http://a", "ALLOWED_HOSTS": [], "PINTEREST_API_URL": "http://b"}
    with override_settings(**(PRODUCTION | wrong)):
        errors = checks.production()
    assert len(errors) == 7
    assert all(error.msg.endswith(".") and error.hint and error.hint.endswith(".") for error in errors)
