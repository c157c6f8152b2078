"""What a run of chaos is judged by, shown to bite: the tick, the partner's sets, and who looked at the invariant."""

from types import SimpleNamespace

import pytest
from django.utils import timezone

from integrations.benchmarks import pace
from integrations.benchmarks.chaos import checking, judging, plan, ticking
from integrations.benchmarks.chaos.checking import Failures, check_audience
from integrations.benchmarks.chaos.model import Asked, Model
from integrations.benchmarks.chaos.ticking import DATABASE, Change, Gap
from integrations.benchmarks.chaos.watching import Watch
from integrations.models import Tick

BOTH_UP = [Change(0.0, "worker 0", True), Change(0.0, "worker 1", True)]


def went(at, who="worker 0"):
    return Change(at, who, False)


def came(at, who="worker 0"):
    return Change(at, who, True)


def test_gaps_reach_from_the_beginning_to_the_end():
    assert ticking.gaps([98.0, 103.0, 108.0, 150.0], began=100.0, until=120.0) == [
        Gap(103.0, 3.0),
        Gap(108.0, 5.0),
        Gap(120.0, 12.0),
    ]
    assert ticking.gaps([], began=100.0, until=170.0) == [Gap(170.0, 70.0)]  # nobody ever ticked


@pytest.mark.parametrize(
    ("changes", "allowed"),
    [
        ([], 10),
        ([went(103), came(108)], 10),  # the other one lives
        ([went(70), came(79)], 10),  # long since back
        ([went(103), came(108), went(104, "worker 1")], 28),  # from 108 on
        ([went(70), went(103, "worker 1")], 23),  # one is away for long, the other since 103
        ([went(70), came(81), went(103, "worker 1"), came(109, "worker 1")], 29),  # one has only just come
        ([went(101, DATABASE), went(106, DATABASE)], 26),  # away until 106
        ([went(95, DATABASE)], 10),  # back before the last tick
        ([went(103), went(104, "worker 1"), came(140)], 24),  # what comes after the gap is no excuse
    ],
)
def test_a_gap_may_be_as_long_as_is_promised(changes, allowed):
    changes = sorted(BOTH_UP + changes, key=lambda change: change.at)
    assert ticking.allowed(Gap(ended=130.0, seconds=30.0), changes) == allowed


def test_one_worker_alone_has_the_time_of_a_restart():
    alone = [Change(0.0, "worker 0", True)]
    assert ticking.allowed(Gap(130.0, 30.0), alone) == 10
    assert ticking.allowed(Gap(130.0, 30.0), [*alone, went(102), came(107)]) == 27


@pytest.mark.django_db(transaction=True)
def test_the_watch_sees_ticks_and_who_ticks(monkeypatch):
    Tick.objects.create(id=1, last_at=timezone.now().timestamp())
    parents = iter([{"worker 0": [7]}, {"worker 0": [7]}, {"worker 0": []}])
    watch = Watch(lambda: next(parents, {"worker 0": [8]}))
    stops = iter([False] * 4 + [True])
    monkeypatch.setattr(watch._stop, "wait", lambda seconds: next(stops))
    watch._run()
    assert [(change.who, change.is_up) for change in watch.changes] == [
        ("worker 0", True),
        ("worker 0", False),
        ("worker 0", True),
    ]
    assert watch.changes[0].at == 0.0 < watch.began < watch.changes[1].at <= watch.changes[2].at
    assert len(watch.ticks) == 1
    assert (watch.samples, watch.counts, watch.blind, watch.failures) == (4, 1, 0, [])
    assert watch.is_whole


def test_a_watch_that_ends_by_itself_is_not_whole():
    watch = Watch(dict)
    watch._look_at_workers = lambda: 1 / 0
    with pytest.raises(ZeroDivisionError):
        watch._run()
    assert not watch.is_whole


def judged(there):
    """Hold a set against: 1 and 2 added, 2 removed again, 3 never asked for, and the record of the creation."""
    model, now = Model(), timezone.now()
    model.note(Asked(0, 5, 1, "add", now, range(1, 3)))
    model.note(Asked(1, 5, 2, "remove", now, range(2, 3)))
    place, found = SimpleNamespace(audience=SimpleNamespace(pk=5), before={"made"}), Failures()
    check_audience(place, {"one": 1, "two": 2, "three": 3}, there, model, found)
    return dict(found.number)


@pytest.mark.parametrize(
    ("there", "holds", "lacks"),
    [
        ({"one", "made"}, 0, 0),
        ({"made"}, 0, 1),
        ({"one", "two", "made"}, 1, 0),
        ({"one", "three", "made"}, 1, 0),
        ({"one", "nobody's", "made"}, 1, 0),
        ({"one"}, 0, 1),
    ],
)
def test_a_set_has_to_be_the_models_exactly(monkeypatch, there, holds, lacks):
    monkeypatch.setattr(checking, "_story", lambda *about: "")
    kinds = {"audience 5 holds somebody": holds, "audience 5 lacks somebody": lacks}
    assert judged(there) == {kind: number for kind, number in kinds.items() if number}


def seen(times, user="ann", **values):
    """Return what the sandbox's log says of write requests at these moments."""
    base = {"category": "ads_write", "pinterest_user": user, "status": 200, "fault": None}
    return [base | {"time": moment} | values for moment in times]


def test_a_pace_that_was_not_kept_fails_the_run_and_a_storm_does_not():
    calm = seen([n * 0.15018 for n in range(500)]) + seen([80.0], status=429, fault="rate_limit")
    assert list(judging.too_fast(pace.kept(calm, 0.0))) == []
    crowded = calm + seen([n * 0.1 for n in range(12)], user="bob")
    assert list(judging.too_fast(pace.kept(crowded, 0.0))) == [
        "partner user bob: 5 requests too many in a second (at 0.7, 0.8, 0.9, 1.0, 1.1 s)"
    ]
    refused = calm + seen([200.0], user="eve", status=429)
    assert list(judging.too_fast(pace.kept(refused, 0.0))) == ["partner user eve: 1 requests refused as too many"]


def test_what_was_never_hit_is_named_and_fails_a_long_run():
    kinds = plan.kinds("own cluster")
    done = dict.fromkeys(kinds, 1)
    assert judging.never_hit(kinds, done) == []
    assert judging.never_hit(kinds, done | {"web": 0, "token": 0}) == ["token", "web"]
    assert set(kinds) - set(plan.kinds("sqlite")) == {*plan.DATABASE, *plan.SERVER}
    assert (judging.is_long_enough(599), judging.is_long_enough(600)) == (False, True)
