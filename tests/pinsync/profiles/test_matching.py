"""The table of product.md, section 4, and what must hold for any text."""

import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinsync.profiles.matching import MatchField, ad_id_record, email_record, normalise, records

SHA256, SHA1, MD5 = "b6e54eb9" * 8, "74bed34d" * 5, "121a3130" * 4
IDFA = "a3ea284d-3bd0-4346-84e5-5160320094ea"


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("raw", "normalised"),
    [
        ("ann@example.com", "ann@example.com"),
        ("  Ann@Example.COM \t\r\n", "ann@example.com"),
        ("\ufeff\u00a0\u200bann@example.com\u200b\u00a0", "ann@example.com"),
        ("ann.b+news@example.com", "ann.b+news@example.com"),  # no dot or plus folding
        ("ann@bücher.example", "ann@bücher.example"),
    ],
)
def test_an_address_is_trimmed_lowered_and_digested(raw: str, normalised: str) -> None:
    assert email_record(raw) == digest(normalised)


@pytest.mark.parametrize(
    "raw",
    [
        "",
        " ",
        "n/a",
        "0",
        "-",
        "null",
        "@example.com",
        "ann@",
        "ann@@example.com",
        "ann b@example.com",
        "ann@example..com",
        "ann@example.com.",
        "annexample.com",
        "ann@localhost x",
        SHA1[:-1],
        SHA256 + "0",
    ],
)
def test_what_is_no_address_has_no_record(raw: str) -> None:
    assert email_record(raw) is None


@pytest.mark.parametrize("known", [SHA256, SHA1, MD5])
def test_a_digest_is_passed_on_in_lower_case(known: str) -> None:
    assert email_record(f" {known.upper()} ") == known
    assert ad_id_record(known.upper()) == known


@pytest.mark.parametrize("raw", [IDFA, IDFA.upper(), f"  {IDFA} ", f"\u200b{IDFA}"])
def test_an_advertising_id_is_trimmed_lowered_and_digested(raw: str) -> None:
    assert ad_id_record(raw) == digest(IDFA)


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "00000000-0000-0000-0000-000000000000",
        "N/A",
        "(null)",
        IDFA + "-00",
        IDFA[:-1],
        "g" + IDFA[1:],
        "ann@example.com",
    ],
)
def test_what_is_no_advertising_id_has_no_record(raw: str) -> None:
    assert ad_id_record(raw) is None


def test_hex_of_a_uuid_without_hyphens_reads_as_a_digest() -> None:
    """32 hex digits are an MD5 digest by the table, whoever left the hyphens out."""
    assert ad_id_record(IDFA.replace("-", "")) == IDFA.replace("-", "")


@given(st.text())
def test_a_record_is_a_digest_or_nothing(text: str) -> None:
    for record in (email_record(text), ad_id_record(text)):
        assert record is None or re.fullmatch("[0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{32}", record)


@given(st.text(), st.sampled_from(["", " ", "\u00a0", "\u200b\t", "\ufeff"]))
def test_blanks_and_case_around_a_text_change_nothing(text: str, blank: str) -> None:
    assert normalise(f"{blank}{text}{blank}") == normalise(text)
    assert normalise(normalise(text)) == normalise(text)


@given(st.emails(domains=st.sampled_from(["example.com", "example.org"])))
def test_every_usable_address_gives_the_digest_of_its_normal_form(email: str) -> None:
    assert email_record(email) in (digest(email.lower()), None)
    assert email_record(email) == email_record(f" {email.lower()} ")


def test_records_come_in_the_order_email_idfa_gaid() -> None:
    assert records("ann@example.com", IDFA, "") == (digest("ann@example.com"), digest(IDFA), None)


def test_masks_are_parsed_and_named() -> None:
    assert MatchField.parse("gaid, email") == MatchField.EMAIL | MatchField.GAID
    assert MatchField.parse(["idfa"]).names == ["idfa"]
    with pytest.raises(ValueError, match="“phone” is no field"):
        MatchField.parse("email,phone")
