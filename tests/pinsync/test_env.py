"""Values from the environment: taken strictly, refused with a sentence, and secrets never repeated."""

import stat
from multiprocessing.pool import ThreadPool
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

from pinsync import env


@pytest.fixture
def given(monkeypatch):
    """Set the variable VALUE, or unset it with None."""

    def set_value(value: str | None) -> None:
        monkeypatch.delenv("VALUE", raising=False)
        if value is not None:
            monkeypatch.setenv("VALUE", value)

    return set_value


@pytest.mark.parametrize(("value", "result"), [(None, "x"), ("", "x"), ("  ", "x"), (" a b ", "a b")])
def test_text_is_trimmed_and_an_empty_one_counts_as_not_set(given, value, result):
    given(value)
    assert env.env_str("VALUE", "x") == result


@pytest.mark.parametrize(("value", "result"), [("true", True), ("false", False), (" true ", True), (None, True)])
def test_booleans_are_true_and_false(given, value, result):
    given(value)
    assert env.env_bool("VALUE", True) is result


@pytest.mark.parametrize("value", ["True", "1", "yes", "on", "FALSE", "0"])
def test_nothing_else_is_a_boolean(given, value):
    given(value)
    with pytest.raises(ImproperlyConfigured, match=f"^VALUE must be true or false, not “{value}”.$"):
        env.env_bool("VALUE", True)


@pytest.mark.parametrize(("value", "result"), [(None, 7), ("", 7), ("3", 3), (" 12 ", 12), ("007", 7)])
def test_whole_numbers(given, value, result):
    given(value)
    assert env.env_int("VALUE", 7, least=3) == result


@pytest.mark.parametrize("value", ["2", "-3", "3.0", "3e2", "three", "٣", "0x10", "1_000"])
def test_what_is_no_whole_number_or_too_small(given, value):
    given(value)
    with pytest.raises(ImproperlyConfigured, match=f"^VALUE must be a whole number of at least 3, not “{value}”.$"):
        env.env_int("VALUE", 7, least=3)


def test_ports_end_at_65535(given):
    given("65535")
    assert env.env_port("VALUE", 1) == 65535
    given("65536")
    with pytest.raises(ImproperlyConfigured, match="VALUE must be a port, a number from 1 to 65535, not “65536”"):
        env.env_port("VALUE", 1)


def test_lists_are_split_at_commas(given):
    given(" a , ,b,")
    assert env.env_list("VALUE") == ["a", "b"]


def test_choices_are_named_when_refused(given):
    given("loud")
    with pytest.raises(ImproperlyConfigured, match="VALUE must be one of INFO, DEBUG, not “loud”"):
        env.env_choice("VALUE", "INFO", ("INFO", "DEBUG"))


def test_limits_are_so_many_in_so_many_seconds(given):
    given("30/12")
    assert env.env_limit("VALUE", "1000/86400") == (30, 12)
    given("")
    assert env.env_limit("VALUE", "1000/86400") == (1000, 86_400)


@pytest.mark.parametrize("value", ["1000", "1000/", "/60", "9/60", "10/0", "10/1.5", "-10/60", "a/b", "1/2/3"])
def test_what_is_no_limit(given, value):
    given(value)
    with pytest.raises(ImproperlyConfigured, match="VALUE must be a limit of at least 10 in so many seconds"):
        env.env_limit("VALUE", "1000/86400")


@pytest.mark.parametrize(
    ("value", "result"),
    [
        ("http://127.0.0.1:8100", "http://127.0.0.1:8100/v5"),
        ("http://127.0.0.1:8100/", "http://127.0.0.1:8100/v5"),
        ("https://proxy.example.com/pinterest/v5", "https://proxy.example.com/pinterest/v5"),
        ("http://[::1]:8100", "http://[::1]:8100/v5"),
        (None, "https://api.example.com/v5"),
    ],
)
def test_addresses_without_a_path_get_the_usual_one(given, value, result):
    given(value)
    assert env.env_url("VALUE", "https://api.example.com/v5", default_path="/v5") == result


@pytest.mark.parametrize("value", ["127.0.0.1:8100", "ftp://example.com", "http://", "http://h:port", "http://[::1"])
def test_what_is_no_address(given, value):
    given(value)
    with pytest.raises(ImproperlyConfigured, match=r"^VALUE must be an http or https address, not “"):
        env.env_url("VALUE", "", default_path="/")


def test_redis_addresses(given):
    given("rediss://:pass@cache.example.com:6380/1")
    assert env.env_redis("VALUE") == "rediss://:pass@cache.example.com:6380/1"
    given(None)
    assert env.env_redis("VALUE") == ""


@pytest.mark.parametrize("value", ["cache:6379", "http://:hidden@cache", "redis://:hidden@cache:port"])
def test_a_refused_redis_address_is_not_repeated(given, value):
    given(value)
    with pytest.raises(ImproperlyConfigured) as refused:
        env.env_redis("VALUE")
    assert str(refused.value) == "VALUE must look like redis://host:6379/0 (or be empty)."


def test_token_keys_are_checked_and_not_repeated(given):
    key = Fernet.generate_key().decode()
    given(f"{key},{key}")
    assert env.env_token_keys("VALUE") == [key, key]
    given(f"{key},hidden")
    with pytest.raises(ImproperlyConfigured, match=r"^Key 2 of VALUE is no key") as refused:
        env.env_token_keys("VALUE")
    assert "hidden" not in str(refused.value)
    assert key not in str(refused.value)


class TestDatabase:
    def test_sqlite_in_the_data_folder_without_an_address(self, tmp_path: Path):
        entry = env.database("", tmp_path / "new")
        assert entry["NAME"] == tmp_path / "new" / "pinsync.sqlite3"
        assert (tmp_path / "new").is_dir()

    def test_sqlite_in_a_file_of_ones_own(self, tmp_path: Path):
        assert env.database("sqlite:////srv/pin%20sync.sqlite3", tmp_path)["NAME"] == "//srv/pin sync.sqlite3"
        assert env.database("sqlite:///srv/pinsync.sqlite3", tmp_path)["NAME"] == "/srv/pinsync.sqlite3"

    def test_postgresql(self, tmp_path: Path):
        entry = env.database("postgres://ann:p%40ss@db.example.com:5433/pin%20sync?sslmode=require", tmp_path)
        wanted = {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": "pin sync",
            "USER": "ann",
            "PASSWORD": "p@ss",
            "HOST": "db.example.com",
            "PORT": "5433",
            "OPTIONS": {"sslmode": "require"},
        }
        assert {name: entry[name] for name in wanted} == wanted

    @pytest.mark.parametrize(
        "url",
        [
            "mysql://u:hidden@h/d",
            "postgres://u:hidden@h",
            "postgres://u:hidden@h:port/d",
            "hidden",
            "postgres://[",
            "sqlite:///",
            "sqlite:hidden",
        ],
    )
    def test_a_refused_address_is_not_repeated(self, url: str, tmp_path: Path):
        with pytest.raises(ImproperlyConfigured, match=r"^DATABASE_URL must look like postgres://") as refused:
            env.database(url, tmp_path)
        assert "hidden" not in str(refused.value)


class TestSecretFile:
    def test_it_is_made_once_and_for_us_alone(self, tmp_path: Path):
        path = tmp_path / "data" / "secret_key"
        first = env.secret_file(path, "secret")
        assert env.secret_file(path, "secret") == first
        assert len(first) >= 50
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert [file.name for file in path.parent.iterdir()] == ["secret_key"]

    def test_a_token_key_encrypts(self, tmp_path: Path):
        box = Fernet(env.secret_file(tmp_path / "token_key", "fernet"))
        assert box.decrypt(box.encrypt(b"token")) == b"token"

    def test_whoever_is_first_decides_for_all(self, tmp_path: Path):
        path = tmp_path / "secret_key"
        with ThreadPool(8) as pool:
            secrets = pool.map(lambda _: env.secret_file(path, "secret"), range(8), chunksize=1)
        assert set(secrets) == {path.read_text()}
