"""A slot is told by the database's clock and slept for by the machine's: what lies between them is learned."""

import time

import pytest

from integrations.delivery.clock import Meeting

AHEAD = 1_000_000.0  # of the database's clock


def hear(meeting: Meeting, *, there: float, back: float, slot_in: float = 0.5) -> float:
    """Ask now for a slot, with an answer that takes so long each way; return how wrong the slept time would be."""
    asked = time.monotonic() - there - back
    told = asked + there + AHEAD
    seconds = meeting.seconds_until(told + slot_in, told=told, asked=asked, heard=asked + there + back)
    return seconds + time.monotonic() - (asked + there + slot_in)


def test_an_answer_that_comes_late_leads_to_no_late_start():
    meeting = Meeting()
    hear(meeting, there=0.001, back=0.001)
    assert hear(meeting, there=0.001, back=0.2) == pytest.approx(0, abs=0.004)
    assert hear(meeting, there=0.2, back=0.001) == pytest.approx(0, abs=0.004)  # nor a lock that was waited for


def test_the_first_answer_is_as_good_as_it_was_quick():
    assert hear(Meeting(), there=0.04, back=0.0) == pytest.approx(0, abs=0.023)


def test_many_slow_answers_together_are_better_than_each():
    meeting = Meeting()
    for there, back in ((0.1, 0.0), (0.0, 0.1), (0.05, 0.05)):
        error = hear(meeting, there=there, back=back)
    assert error == pytest.approx(0, abs=0.004)


def test_a_clock_that_was_set_is_believed_again():
    meeting = Meeting()
    hear(meeting, there=0.001, back=0.001)
    asked = time.monotonic()
    told = asked + AHEAD + 3600
    seconds = meeting.seconds_until(told + 1, told=told, asked=asked, heard=asked + 0.002)
    assert seconds == pytest.approx(1, abs=0.01)
