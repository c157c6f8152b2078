"""Each way to ask, on the database the suite runs on."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from canvas.models import Canvas
from pinsync.profiles.asking import describe
from pinsync.profiles.filters import FilterError
from pinsync.profiles.matching import MatchField
from pinsync.profiles.models import Import, Profile, Segment
from pinsync.profiles.segments import (
    SegmentRefused,
    delete_segment,
    field_coverage,
    matching,
    profiles_in,
    save_segment,
    usable,
)
from pinsync.workspaces.models import AuditEvent, Workspace
from tests.pinsync.profiles.conftest import NOW

Add = Callable[..., Profile]
IDFA = "a3ea284d-3bd0-4346-84e5-5160320094ea"


def rule(field: str, operator: str, value: str = "", until: str = "") -> dict[str, str]:
    return {"field": field, "operator": operator, "value": value, "until": until}


def one_group(*rules: dict[str, str], match: str = "all") -> dict[str, Any]:
    return {"match": "all", "groups": [{"match": match, "rules": list(rules)}]}


def found(workspace: Workspace, *rules: dict[str, str], match: str = "all") -> set[str]:
    profiles = matching(workspace, one_group(*rules, match=match), now=NOW)
    return {str(profile.external_id) for profile in profiles}


@pytest.fixture
def people(add: Add) -> None:
    add("ann", "ann@example.com", country="KR", orders=3, spent=34.1, vip=True, seen="2025-04-07T04:34:38Z")
    add("bob", "bob@@example.com", IDFA, country="kr-south", orders=10, spent=7, vip=False, seen="2025-04-07")
    add("cem", country="5", orders="007", zip=12345, seen="2025-04-06T23:59:59.5Z")
    add("dee", seen="2025-04-08", vip="perhaps", note="100%_sure")
    add("eve", seen="soon", country="")


@pytest.mark.parametrize(
    ("operator", "value", "expected"),
    [
        ("text.equals", "KR", {"ann"}),
        ("text.equals", "kr", set()),
        ("text.equals", "5", {"cem"}),
        ("text.not_equals", "KR", {"bob", "cem", "dee", "eve"}),
        ("text.contains", "Kr", {"ann", "bob"}),
        ("text.contains", "%", set()),
        ("text.blank", "", {"dee", "eve"}),
        ("text.not_blank", "", {"ann", "bob", "cem"}),
    ],
)
def test_text(workspace: Workspace, people: None, operator: str, value: str, expected: set[str]) -> None:
    assert found(workspace, rule("attribute:country", operator, value)) == expected


def test_contains_takes_every_character_as_it_is(workspace: Workspace, people: None) -> None:
    assert found(workspace, rule("attribute:note", "text.contains", "0%_S")) == {"dee"}
    assert found(workspace, rule("attribute:note", "text.contains", "1%s")) == set()


def test_text_may_ask_about_numbers_in_either_spelling(workspace: Workspace, people: None) -> None:
    assert found(workspace, rule("attribute:spent", "text.equals", "34.10")) == {"ann"}
    assert found(workspace, rule("attribute:zip", "text.contains", "234")) == {"cem"}


@pytest.mark.parametrize(
    ("operator", "value", "until", "expected"),
    [
        ("number.equals", "3", "", {"ann"}),
        ("number.equals", "3.0", "", {"ann"}),
        ("number.greater", "3", "", {"bob"}),
        ("number.greater", "-1", "", {"ann", "bob"}),
        ("number.less", "10", "", {"ann"}),
        ("number.between", "3", "10", {"ann", "bob"}),
        ("number.between", "4", "10", {"bob"}),
    ],
)
def test_numbers(workspace: Workspace, people: None, operator: str, value: str, until: str, expected: set[str]) -> None:
    assert found(workspace, rule("attribute:orders", operator, value, until)) == expected


def test_numbers_compare_fractions(workspace: Workspace, people: None) -> None:
    assert found(workspace, rule("attribute:spent", "number.equals", "34.10")) == {"ann"}
    assert found(workspace, rule("attribute:spent", "number.less", "34.1")) == {"bob"}


@pytest.mark.parametrize(
    ("operator", "value", "expected"),
    [
        ("date.before", "2025-04-07", {"cem"}),
        ("date.before", "2025-04-07T00:00:01Z", {"bob", "cem"}),
        ("date.before", "2025-04-07T04:34:38Z", {"bob", "cem"}),
        ("date.before", "2025-04-08", {"ann", "bob", "cem"}),
        ("date.after", "2025-04-07", {"ann", "bob", "dee"}),
        ("date.after", "2025-04-07T04:34:38Z", {"ann", "dee"}),
        ("date.after", "2025-04-07T13:34:38+09:00", {"ann", "dee"}),
        ("date.after", "2025-04-07T04:34:39Z", {"dee"}),
    ],
)
def test_dates_and_times(workspace: Workspace, people: None, operator: str, value: str, expected: set[str]) -> None:
    assert found(workspace, rule("attribute:seen", operator, value)) == expected


def test_days_count_back_from_now(workspace: Workspace, add: Add) -> None:
    add("now", at="2026-11-23T12:00:00Z")
    add("week", at="2026-11-16T12:00:00Z")
    add("week_and_a_bit", at="2026-11-16T11:59:59Z")
    add("tomorrow", at="2026-11-24")
    assert found(workspace, rule("attribute:at", "date.last_days", "7")) == {"now", "week"}
    assert found(workspace, rule("attribute:at", "date.days_ago", "7")) == {"week_and_a_bit"}


@pytest.mark.parametrize(
    ("operator", "expected"),
    [("boolean.true", {"ann"}), ("boolean.false", {"bob"}), ("boolean.blank", {"cem", "dee", "eve"})],
)
def test_booleans(workspace: Workspace, people: None, operator: str, expected: set[str]) -> None:
    assert found(workspace, rule("attribute:vip", operator)) == expected


def test_match_fields_ask_for_usable_values(workspace: Workspace, people: None) -> None:
    assert found(workspace, rule("email", "match.present")) == {"ann"}
    assert found(workspace, rule("idfa", "match.present")) == {"bob"}
    assert found(workspace, rule("email", "match.absent")) == {"bob", "cem", "dee", "eve"}


def test_external_id_and_times_of_the_profile(workspace: Workspace, people: None) -> None:
    assert found(workspace, rule("external_id", "text.equals", "ann")) == {"ann"}
    assert found(workspace, rule("external_id", "text.contains", "E")) == {"cem", "dee", "eve"}
    Profile.objects.filter(external_id="bob").update(created_at=NOW - timedelta(days=40))
    assert found(workspace, rule("created_at", "date.days_ago", "30")) == {"bob"}
    assert found(workspace, rule("updated_at", "date.after", "2026-11-24")) == set()


def test_groups_join_with_all_and_any(workspace: Workspace, people: None) -> None:
    ann, bob = rule("external_id", "text.equals", "ann"), rule("external_id", "text.equals", "bob")
    vip = rule("attribute:vip", "boolean.true")
    assert found(workspace, ann, bob, match="any") == {"ann", "bob"}
    assert found(workspace, ann, bob) == set()
    groups = [{"match": "any", "rules": [ann, bob]}, {"match": "all", "rules": [vip]}]
    for match, expected in (("all", {"ann"}), ("any", {"ann", "bob"})):
        profiles = matching(workspace, {"match": match, "groups": groups}, now=NOW)
        assert {profile.external_id for profile in profiles} == expected


@pytest.mark.parametrize(
    "name", ["it's", 'say "hi"', "나이", "a.b", "$[0]", "back\\slash", "x') OR 1=1 --", "%s", "{a}"]
)
def test_any_name_is_only_a_name(workspace: Workspace, add: Add, name: str) -> None:
    add("one", **{name: "yes", "other": 1})
    add("two", **{name: 4})
    add("three", other=4)
    assert found(workspace, rule(f"attribute:{name}", "text.equals", "yes")) == {"one"}
    assert found(workspace, rule(f"attribute:{name}", "number.greater", "3")) == {"two"}
    assert found(workspace, rule(f"attribute:{name}", "text.blank")) == {"three"}
    assert found(workspace, rule(f"attribute:{name}", "date.before", "2030-01-01")) == set()


@pytest.mark.parametrize("value", ["' OR '1'='1", '"', "\\", "%", "{}", "$$"])
def test_any_value_is_only_a_value(workspace: Workspace, people: None, value: str) -> None:
    assert found(workspace, rule("attribute:country", "text.equals", value)) == set()
    assert found(workspace, rule("attribute:country", "text.contains", value)) == set()


def test_other_workspaces_are_never_found(workspace: Workspace, people: None) -> None:
    other = Workspace.objects.create(name="Other", slug="other")
    assert found(other, rule("attribute:country", "text.not_equals", "XX")) == set()


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        (rule("attribute:orders", "number.greater", "many"), "“many” is no number."),
        (rule("attribute:orders", "number.greater", "inf"), "“inf” is no number."),
        (rule("attribute:orders", "number.between", "1", ""), "Fill in a value."),
        (rule("attribute:seen", "date.before", "7.4.2025"), "Write the date as 2026-01-31."),
        (rule("attribute:seen", "date.before", "2025-02-30"), "Write the date as 2026-01-31."),
        (rule("attribute:seen", "date.last_days", "-3"), "Write the number of days as a whole number."),
        (rule("created_at", "date.days_ago", f"1{'0' * 9}"), "Write the number of days as a whole number."),
        (rule("created_at", "date.days_ago", f"{'0' * 8}1{'9' * 8}"), "Write the number of days as a whole number."),
        (rule("attribute:seen", "date.before", "0001-01-01T00:00:00+14:00"), "Write the date as 2026-01-31."),
        (rule("created_at", "date.after", "9999-12-31T23:00:00-05:00"), "Write the date as 2026-01-31."),
        (rule("attribute:country", "text.equals", " "), "Fill in a value."),
        (rule("attribute:", "text.blank"), "Choose what the rule is about."),
        (rule("password", "text.blank"), "Choose what the rule is about."),
        (rule("email", "text.equals", "ann@example.com"), "Choose how “Email” is compared."),
        (rule("attribute:vip", "match.present"), "Choose how “vip” is compared."),
        (rule("attribute:vip", "drop table"), "Choose how “vip” is compared."),
    ],
)
def test_what_makes_no_sense_is_said_in_a_sentence(workspace: Workspace, bad: dict[str, str], sentence: str) -> None:
    with pytest.raises(FilterError) as refused:
        matching(workspace, one_group(rule("email", "match.present"), bad), now=NOW)
    assert refused.value.problems == {(0, 1): sentence}


@pytest.mark.parametrize("filters", [{"groups": "x"}, {"groups": ["x"]}, {"groups": [{"rules": [1]}]}, {"match": "no"}])
def test_a_wrong_shape_is_refused(workspace: Workspace, filters: dict[str, Any]) -> None:
    with pytest.raises(FilterError):
        matching(workspace, filters, now=NOW)


def test_no_rules_pick_everybody(workspace: Workspace, people: None) -> None:
    assert matching(workspace, {}, now=NOW).count() == 5
    assert profiles_in(workspace).count() == 5


def test_segment_and_import_pick_their_users(workspace: Workspace, people: None, take: Callable[..., Import]) -> None:
    run = take("external_id,country\nann,KR\nnew,DE\n")
    segment = Segment(workspace=workspace, filters=one_group(rule("attribute:country", "text.equals", "KR")))
    assert {profile.external_id for profile in profiles_in(workspace, source_import=run)} == {"ann", "new"}
    assert [profile.external_id for profile in profiles_in(workspace, segment)] == ["ann"]


def test_days_of_a_segment_count_from_the_call(workspace: Workspace, add: Add) -> None:
    add("now", at=timezone.now().strftime("%Y-%m-%dT%H:%M:%SZ"))
    segment = Segment(workspace=workspace, filters=one_group(rule("attribute:at", "date.last_days", "1")))
    assert profiles_in(workspace, segment).count() == 1
    assert profiles_in(workspace, segment, now=NOW - timedelta(days=900)).count() == 0


def test_coverage_counts_usable_values(workspace: Workspace, people: None) -> None:
    everybody = profiles_in(workspace)
    assert field_coverage(everybody) == {"total": 5, "email": 1, "idfa": 1, "gaid": 0}
    either, gaid, none = MatchField.EMAIL | MatchField.IDFA, MatchField.GAID, MatchField(0)
    assert usable(everybody, [either, gaid, none]) == {either: 2, gaid: 0, none: 0}
    assert usable(everybody, [none]) == {none: 0}


def test_a_name_is_used_once(workspace: Workspace) -> None:
    save_segment(Segment(workspace=workspace), "Koreans", {}, None, now=NOW)
    with pytest.raises(SegmentRefused):
        save_segment(Segment(workspace=workspace), "Koreans", {}, None, now=NOW)
    assert list(AuditEvent.objects.values_list("action", "target")) == [("segment.created", "Koreans")]


def test_rules_are_read_out(workspace: Workspace) -> None:
    filters = one_group(
        rule("attribute:country", "text.equals", "KR"),
        rule("attribute:orders", "number.between", "1", "5"),
        rule("attribute:seen", "date.last_days", "7"),
        rule("email", "match.present"),
    )
    assert describe(filters) == [
        "country is KR",
        "orders is between 1 and 5",
        "seen is in the last 7 days",
        "Email can be matched",
    ]


def test_a_segment_in_use_stays(workspace: Workspace) -> None:
    segment = save_segment(Segment(workspace=workspace), "Koreans", {}, None, now=NOW)
    canvas = Canvas.objects.create(workspace=workspace, name="Winter", segment=segment)
    with pytest.raises(SegmentRefused, match="“Winter”"):
        delete_segment(segment, None, now=NOW)
    canvas.delete()
    delete_segment(segment, None, now=NOW)
    assert not Segment.objects.exists()
