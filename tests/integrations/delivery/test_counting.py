"""A transaction locks the figures of syncs in one order, or two that count the same syncs would wait for each other."""

from collections.abc import Callable

from django.db import connection
from django.utils import timezone

from integrations import creating
from integrations.delivery import claiming, giving_up, recreating, retrying
from integrations.delivery.counting import FIGURES
from integrations.delivery.limits import limits_of
from integrations.models import Audience, Batch, Recreation
from pinsync.profiles.models import Profile
from tests.helpers import deliver, figures, later, let_in, people, resume_creations, sync_to


def locked(work: Callable[[], object]) -> list[int]:
    """Do `work`, which is one transaction, and return the syncs whose totals it changes, one after another."""
    syncs: list[int] = []

    def note(execute, sql, params, many, context):
        if sql.startswith(("UPDATE integrations_synctotals", "WITH totals AS (UPDATE integrations_synctotals")):
            syncs.append(params[len(FIGURES)])
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        work()
    return syncs


def test_of_those_who_end_without_a_request(workspace, audience):
    first, second = sync_to(audience), sync_to(audience)
    let_in(first, people(workspace, 2, name="deleted"))
    let_in(second, people(workspace, 2, name="emptied"))
    Profile.objects.filter(external_id__startswith="deleted").delete()
    Profile.objects.update(email_record=None)
    now = timezone.now()
    limits = limits_of("pinterest")
    assert locked(lambda: claiming.claim(audience.pk, "add", limits=limits, fresh=True, now=now)) == [
        first.pk,
        second.pk,
    ]
    assert figures(first)["not_synced"] == figures(second)["not_synced"] == 2


def test_of_those_who_are_given_up_and_those_who_are_superseded(workspace, audience):
    first, second, remove = sync_to(audience), sync_to(audience), sync_to(audience, "remove")
    let_in(first, people(workspace, 2, name="stay"))
    leave = people(workspace, 2, name="leave")
    let_in(second, leave)
    late = later(hours=14)
    let_in(remove, leave, now=late)  # not given up before the others are
    assert locked(lambda: giving_up.give_up(late)) == [first.pk, second.pk]
    assert figures(first)["errored"] == figures(second)["not_synced"] == 2


def test_of_those_who_are_retried_in_several_requests(workspace, audience, settings):
    first, second = sync_to(audience), sync_to(audience)
    let_in(second, people(workspace, 2, name="early"))
    let_in(first, people(workspace, 2, name="late"))
    giving_up.give_up(later(hours=14))
    settings.USERS_PER_REQUEST = 2
    batch = Batch.objects.get()
    assert locked(lambda: retrying.retry_batch(batch, now=timezone.now())) == [first.pk, second.pk]
    assert figures(first)["pending"] == figures(second)["pending"] == 2


def test_of_those_who_are_sent_again_in_several_requests(workspace, audience, sandbox, settings):
    settings.USERS_PER_REQUEST = 2
    first, second = sync_to(audience), sync_to(audience)
    let_in(second, people(workspace, 2, name="early"))
    deliver()
    let_in(first, people(workspace, 2, name="late"))
    deliver()
    Audience.objects.update(state="gone", failure="audience_gone")
    assert creating.recreate(Audience.objects.get(), None, timezone.now())
    assert resume_creations(timezone.now()) == 1
    recreation = Recreation.objects.get()
    assert locked(lambda: recreating.send_again(recreation.pk, timezone.now())) == [first.pk, second.pk]
    assert figures(first)["pending"] == figures(second)["pending"] == 2
