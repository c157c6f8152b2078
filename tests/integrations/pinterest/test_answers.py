"""The table of answers: it says something about each, and never takes one thing for another."""

import itertools

import pytest

from integrations import errors
from integrations.pinterest.answers import ANSWERS, About, Came, meaning
from integrations.reasons import ERRORS, reason

NOT_ITS_WORD = (Came.NO_ANSWER, Came.ERROR_INSIDE, Came.SOMETHING_ELSE)
PASSING = {errors.Unavailable, errors.RateLimited}


@pytest.mark.parametrize("came", Came)
def test_an_outage_or_a_rate_limit_is_never_read_as_gone_or_dead(came):
    """Whatever it is about, and whatever it says."""
    for status, about, body_code in itertools.product(range(600), About, (None, 2, 4, 29, 2703)):
        found = meaning(came, about, status=status, body_code=body_code, message="Not found. Accept the terms.")
        if came in NOT_ITS_WORD or status >= 500 or status in (408, 429):
            too_large = (came, status, about) == (Came.SOMETHING_ELSE, 413, About.RECORDS)
            assert found in PASSING or (too_large and found is errors.ContentRefused), (status, about)
        if status == 429 and came in (Came.REFUSAL, Came.SOMETHING_ELSE):
            assert found is errors.RateLimited


def test_no_row_of_the_table_is_idle():
    """Each decides for some answer, or it would only look as if it did."""
    deciding = set()
    for came, status, about, body_code, message in itertools.product(
        Came, range(600), About, (None, 2703), ("", "the terms")
    ):
        deciding.add(next(n for n, row in enumerate(ANSWERS) if row.fits(came, status, about, body_code, message)))
    assert deciding == set(range(len(ANSWERS)))


def test_every_error_has_a_meaning_and_what_users_can_end_with_has_a_name_a_cause_and_a_way_out():
    kinds = {errors.PartnerError, *errors.PartnerError.__subclasses__()}
    assert set(errors.MEANINGS) == kinds
    assert {kind.code for kind in kinds} - set(ERRORS) == {"consent_failed"}  # nobody waits for a consent
    for code in ERRORS:
        said = reason(code, "Pinterest")
        assert said.name
        assert str(said.cause).endswith(".")
        assert str(said.way_out).endswith(".")


def test_the_names_are_those_of_the_product_page():
    assert {str(reason(code, "Pinterest").name) for code in ERRORS} == {
        "Invalid Token",
        "Audience Does Not Exist",
        "Ad Account Access Attempt",
        "Audience Size Too Low",
        "Invalid Settings",
        "Terms of Service Not Accepted",
        "Rate Limited",
        "Pinterest Unavailable",
        "Record Refused",
    }
