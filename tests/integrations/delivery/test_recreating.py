"""A deleted audience is made anew, and everybody whose last intent in it was "in" is sent again."""

from datetime import timedelta

import pytest
from django.utils import timezone

from integrations import audiences, creating, upkeep
from integrations.delivery import claiming, recreating, settling
from integrations.delivery.limits import limits_of
from integrations.models import AdAccount, Audience, Batch, Delivery, Recreation, SyncMinute
from pinsync.profiles.models import Profile
from pinsync.workspaces.models import AuditEvent, Workspace
from tests.helpers import (
    audience_named,
    break_it,
    deliver,
    figures,
    later,
    let_in,
    mend,
    people,
    reasons,
    records_at,
    records_of,
    resume_creations,
    sync_to,
)
from tests.integrations.delivery.conftest import connect


def delete(sandbox, audience) -> None:
    """Delete an audience as somebody does in Ads Manager."""
    break_it(sandbox, "delete_audience", audience_id=audience.external_id)


def recreate(audience) -> None:
    """Do as the button does, and as workers do then."""
    assert creating.recreate(Audience.objects.get(pk=audience.pk), None, timezone.now())
    upkeep.keep(timezone.now())
    audience.refresh_from_db()


def back(sandbox, audience) -> set[str]:
    """Return the records in the new list, without the one that stands for nobody."""
    found = records_at(sandbox.world, audience)
    nobodys = found - records_of(Profile.objects.all())
    assert len(nobodys) == 1
    return found - nobodys


def named(sandbox, audience) -> tuple[int, int]:
    """Return how many lists and audiences of this name there are at the partner."""
    world = sandbox.world
    lists = sum(one.name == audience.name for one in world.customer_lists.values())
    return lists, sum(one.name == audience.name for one in world.audiences.values())


@pytest.fixture
def gone(audience, sandbox, workspace):
    """An audience that ten users were synced to before it was deleted."""
    sync = sync_to(audience)
    let_in(sync, people(workspace, 10))
    deliver()
    assert figures(sync)["synced"] == 10
    delete(sandbox, audience)
    Audience.objects.filter(pk=audience.pk).update(state="gone", failure="audience_gone")
    audience.refresh_from_db()
    return sync


def test_everybody_whose_last_intent_was_in_is_sent_again(workspace, audience, sandbox):
    add, again, remove = sync_to(audience), sync_to(audience), sync_to(audience, "remove")
    stay, twice, out, leave = (people(workspace, 3, name=name) for name in ("stay", "twice", "out", "leave"))
    for chosen in (stay, twice, out, leave):
        let_in(add, chosen)
    deliver()
    let_in(again, twice)
    let_in(remove, out)
    deliver()
    assert records_at(sandbox.world, audience) == records_of(stay | twice | leave)
    old = audience.external_id
    delete(sandbox, audience)
    late = people(workspace, 4, name="late")
    let_in(add, late)
    let_in(remove, leave)
    deliver()
    audience.refresh_from_db()
    assert (audience.state, audience.failure) == ("gone", "audience_gone")
    assert Batch.objects.filter(settled_at=None, reason="audience_gone").count() == 2
    assert figures(add) == {"entered": 16, "synced": 12, "not_synced": 0, "pending": 4, "errored": 0}

    recreate(audience)
    assert (audience.state, audience.failure) == ("ready", "")
    assert audience.external_id not in (old, None)
    # Who entered twice moves once, by the last delivery; whoever was taken out, or is about to be, stays where counted.
    assert figures(add) == {"entered": 16, "synced": 9, "not_synced": 0, "pending": 7, "errored": 0}
    assert figures(again) == {"entered": 3, "synced": 0, "not_synced": 0, "pending": 3, "errored": 0}
    deliver()
    assert back(sandbox, audience) == records_of(stay | twice | late)
    assert figures(add) == {"entered": 16, "synced": 16, "not_synced": 0, "pending": 0, "errored": 0}
    assert figures(again) == {"entered": 3, "synced": 3, "not_synced": 0, "pending": 0, "errored": 0}
    assert figures(remove) == {"entered": 6, "synced": 6, "not_synced": 0, "pending": 0, "errored": 0}
    assert named(sandbox, audience) == (1, 1)
    done = Recreation.objects.get()
    assert (done.old_external_id, done.sent_again, done.looked_through) == (old, 6, done.to_look_through)
    assert done.ended_at is not None


def test_whoever_errored_because_it_was_gone_is_sent_again_with_new_13_hours(workspace, audience, sandbox):
    sync, chosen = sync_to(audience), people(workspace, 5)
    delete(sandbox, audience)
    let_in(sync, chosen)
    deliver()
    deliver(later(hours=14))
    assert reasons(sync) == {"audience_gone": 5}
    recreate(audience)
    assert figures(sync) == {"entered": 5, "synced": 0, "not_synced": 0, "pending": 5, "errored": 0}
    assert reasons(sync) == {}
    fresh = Batch.objects.get(settled_at=None)
    assert fresh.gives_up_at > later(hours=12.9)
    deliver()
    assert figures(sync) == {"entered": 5, "synced": 5, "not_synced": 0, "pending": 0, "errored": 0}
    assert back(sandbox, audience) == records_of(chosen)
    minutes = SyncMinute.objects.filter(sync=sync)
    assert [sum(getattr(one, name) for one in minutes) for name in ("synced", "errored", "pending")] == [5, 0, 0]


def test_whoever_waits_goes_on_to_the_new_one_with_new_13_hours(gone, workspace, audience, sandbox):
    chosen = people(workspace, 2, name="late")
    let_in(gone, chosen)
    deliver()
    Batch.objects.filter(settled_at=None).update(gives_up_at=later(minutes=1))
    recreate(audience)
    assert all(one.gives_up_at > later(hours=12.9) for one in Batch.objects.filter(settled_at=None))
    deliver()
    assert records_of(chosen) < back(sandbox, audience)


def test_who_has_no_usable_value_any_more_or_is_deleted_ends_not_synced(gone, workspace, audience, sandbox):
    first, second, *rest = Profile.objects.filter(workspace=workspace).order_by("pk")
    Profile.objects.filter(pk=first.pk).update(email_record=None)
    Profile.objects.filter(pk=second.pk).delete()
    recreate(audience)
    deliver()
    assert figures(gone) == {"entered": 10, "synced": 8, "not_synced": 2, "pending": 0, "errored": 0}
    assert reasons(gone) == {"no_usable_field": 1, "profile_deleted": 1}
    assert back(sandbox, audience) == {one.email_record for one in rest}


def test_a_refused_record_is_not_sent_again(gone, workspace, audience, sandbox):
    last = Delivery.objects.latest("pk")
    errored = Batch.objects.create(
        audience=audience, operation="add", state="errored", users=1, reason="record_refused", gives_up_at=later(),
        oldest_entered_at=later(), created_at=later(), next_attempt_at=later(), settled_at=later(),
    )  # fmt: skip
    Delivery.objects.filter(pk=last.pk).update(batch=errored)
    recreate(audience)
    assert Recreation.objects.get().sent_again == 9
    errored.refresh_from_db()
    assert (errored.state, errored.users) == ("errored", 1)


@pytest.mark.parametrize("moment", ["before", "between", "after"])
def test_the_opposite_that_comes_meanwhile_wins(gone, workspace, audience, sandbox, moment):
    remove, chosen = sync_to(audience, "remove"), workspace.profiles.filter(external_id="user-3")

    def come(at):
        if at == moment:
            let_in(remove, chosen)

    come("before")
    assert creating.recreate(audience, None, timezone.now())
    come("between")
    upkeep.keep(timezone.now())
    come("after")
    deliver()
    audience.refresh_from_db()
    assert back(sandbox, audience) == records_of(workspace.profiles.exclude(external_id="user-3"))
    assert figures(remove)["pending"] == figures(gone)["pending"] == 0


def test_nothing_is_sent_while_there_is_no_audience(gone, workspace, audience, sandbox):
    let_in(gone, people(workspace, 2, name="late"))
    claim = claiming.claim(audience.pk, "add", limits=limits_of("pinterest"), fresh=True, now=timezone.now())
    creating.recreate(audience, None, timezone.now())
    assert deliver() == 0
    # A sender that was on its way to the old one, and would even have been heard there, changes nothing.
    upkeep.keep(timezone.now())
    accepted = settling.Answer(timezone.now(), None)
    assert not settling.settle(claim.batch, accepted)
    assert figures(gone)["pending"] == 12
    deliver()
    assert figures(gone)["synced"] == 12


def test_small_batches_come_back_as_full_ones(audience, workspace, sandbox, settings):
    sync, everybody = sync_to(audience), people(workspace, 25)
    for profile in everybody:
        let_in(sync, everybody.filter(pk=profile.pk))
        claim = claiming.claim(audience.pk, "add", limits=limits_of("pinterest"), fresh=True, now=timezone.now())
        settling.settle(claim.batch, settling.Answer(timezone.now(), None))
    settings.USERS_PER_REQUEST = 4
    delete(sandbox, audience)
    Audience.objects.update(state="gone")
    told = recreating.forecast(audience)
    assert (told.users, told.is_exact, told.requests) == (25, True, 7)
    recreate(audience)
    assert [one.users for one in Batch.objects.filter(settled_at=None).order_by("pk")] == [4, 4, 4, 4, 4, 4, 1]
    assert Batch.objects.filter(state="split", users=0).count() == 25
    deliver()
    assert back(sandbox, audience) == records_of(everybody)


def test_deleted_once_more_before_everybody_was_back(gone, workspace, audience, sandbox, settings):
    settings.USERS_PER_REQUEST = 2
    assert creating.recreate(audience, None, timezone.now())
    resume_creations(timezone.now())
    next(recreating.portions(timezone.now()))()
    assert figures(gone)["pending"] == 4
    deliver()
    audience.refresh_from_db()
    delete(sandbox, audience)
    Audience.objects.update(state="gone")
    recreate(audience)
    assert list(Recreation.objects.order_by("pk").values_list("sent_again", flat=True)) == [4, 10]
    deliver()
    assert back(sandbox, audience) == records_of(workspace.profiles.all())
    assert figures(gone) == {"entered": 10, "synced": 10, "not_synced": 0, "pending": 0, "errored": 0}


def test_a_refusal_is_kept_and_tried_again_on_the_same_row(gone, audience, ad_account, sandbox):
    break_it(sandbox, "terms", ad_account_id=ad_account.external_id)
    recreate(audience)
    assert (audience.state, audience.failure) == ("failed", "terms_not_accepted")
    (problem,) = audiences.problems(gone.__class__.objects.get(pk=gone.pk))
    assert (problem.action, "could not be created again" in problem.text) == ("Try again", True)
    deliver(later(hours=14))
    mend(sandbox)
    recreate(audience)
    assert audience.state == "ready"
    deliver()
    assert figures(gone)["synced"] == 10
    assert named(sandbox, audience) == (1, 1)
    assert AuditEvent.objects.filter(action="audience.recreated").count() == 2


def test_an_audience_that_exists_or_may_not_be_called_is_not_recreated(gone, audience, connection):
    Audience.objects.update(state="ready")
    assert not creating.recreate(Audience.objects.get(pk=audience.pk), None, timezone.now())
    Audience.objects.update(state="gone")
    type(connection).objects.update(state="broken")
    with pytest.raises(creating.CannotCreate, match="Reconnect"):
        creating.recreate(Audience.objects.get(pk=audience.pk), None, timezone.now())
    type(audience.ad_account).objects.update(state="lost")
    with pytest.raises(creating.CannotCreate, match="not connected"):
        creating.recreate(Audience.objects.get(pk=audience.pk), None, timezone.now())
    assert not Recreation.objects.exists()


def test_a_new_audience_of_that_name_does_not_take_its_users(gone, audience, ad_account, sandbox):
    break_it(sandbox, "terms", ad_account_id=ad_account.external_id)
    recreate(audience)
    mend(sandbox)
    made = creating.create(ad_account, audience.name, "", timezone.now())
    assert made.pk != audience.pk
    assert figures(gone)["synced"] == 10
    assert back(sandbox, made) == set()


def test_reading_the_audiences_finishes_what_was_cut_off(gone, audience, ad_account, sandbox, workspace):
    assert creating.recreate(audience, None, timezone.now())
    break_it(sandbox, "drop_answer", path="/audiences", count=1)
    resume_creations(timezone.now())
    mend(sandbox)
    audiences.refresh(ad_account, timezone.now())
    audience.refresh_from_db()
    assert audience.state == "ready"
    assert upkeep.keep(timezone.now()) > 0
    deliver()
    assert back(sandbox, audience) == records_of(workspace.profiles.all())
    assert Audience.objects.filter(name=audience.name).count() == 1


def test_a_list_that_names_what_was_cut_off_at_its_very_end_brings_its_users_back_too(
    gone, audience, ad_account, sandbox, workspace
):
    """All but the last transaction: the ids of the new audience are saved, and the process is killed."""
    assert creating.recreate(audience, None, timezone.now())
    new = audience_named(audience.name, ad_account, sandbox.world)
    ids = {"external_id": new.external_id, "target_id": new.target_id}
    new.delete()
    Audience.objects.filter(pk=audience.pk).update(**ids, lease_until=later(minutes=3))
    audiences.refresh(ad_account, timezone.now())
    upkeep.keep(timezone.now())
    audience.refresh_from_db()
    assert (audience.state, audience.external_id) == ("ready", ids["external_id"])
    deliver()
    assert records_at(sandbox.world, audience) == records_of(workspace.profiles.all())
    assert Recreation.objects.get().sent_again == 10


def test_a_list_that_was_read_before_makes_the_new_one_not_gone(gone, audience, ad_account, sandbox):
    recreate(audience)
    audiences.refresh(ad_account, timezone.now() + timedelta(seconds=1))
    audience.refresh_from_db()
    assert (audience.state, audience.made_here) == ("ready", True)


def test_only_ours_is_recreated_where_two_workspaces_knew_the_same_audience(gone, audience, sandbox):
    theirs = connect(Workspace.objects.create(name="Other", slug="other"), sandbox)
    account = AdAccount.objects.create(
        connection=theirs,
        external_id=audience.ad_account.external_id,
        name="The same",
        state="connected",
        seen_at=timezone.now(),
    )
    copy = Audience.objects.create(
        ad_account=account,
        external_id=audience.external_id,
        target_id=audience.target_id,
        name=audience.name,
        state="gone",
        failure="audience_gone",
        seen_at=timezone.now(),
    )
    sync = sync_to(copy)
    let_in(sync, people(theirs.workspace, 3, name="theirs"))
    recreate(audience)
    deliver()
    copy.refresh_from_db()
    assert copy.state == "gone"
    assert copy.external_id not in (None, audience.external_id)
    assert figures(sync)["pending"] == 3
    assert figures(gone)["synced"] == 10


def test_a_twin_who_was_taken_out_since_stays_out(audience, sandbox, workspace):
    add, remove = sync_to(audience), sync_to(audience, "remove")
    first = people(workspace, 1, name="first", email="same@example.com")
    twin = people(workspace, 1, name="twin", email="same@example.com")
    other = people(workspace, 1, name="other")
    for sync, chosen in ((add, other), (add, first), (remove, twin)):
        let_in(sync, chosen)
        deliver()
    assert records_at(sandbox.world, audience) == records_of(other)
    delete(sandbox, audience)
    Audience.objects.update(state="gone")
    recreate(audience)
    deliver()
    assert back(sandbox, audience) == records_of(other)
    assert figures(add) == {"entered": 2, "synced": 1, "not_synced": 1, "pending": 0, "errored": 0}
