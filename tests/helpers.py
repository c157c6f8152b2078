"""Hands for the tests of delivery: people to send, and a worker that works in the test's own thread."""

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from integrations import creating, registry, tokens
from integrations.delivery import claiming, correcting, giving_up, retrying, sending
from integrations.delivery.entering import enter
from integrations.delivery.lanes import due_lanes
from integrations.delivery.limits import limits_of
from integrations.errors import PartnerError
from integrations.models import Audience, AudienceSync, SyncTotals
from pinsync.profiles import matching
from pinsync.profiles.matching import MatchField
from pinsync.profiles.models import Profile

PLACEHOLDER = "ab" * 32
EMAIL = MatchField.EMAIL
EVERYTHING = MatchField.EMAIL | MatchField.IDFA | MatchField.GAID


def people(workspace, number, *, name="user", email="{name}{n}@example.com", **values):
    """Make `number` profiles and return them as a queryset. `email` is a pattern."""
    now = timezone.now()
    made = []
    for n in range(number):
        address = email.format(name=name, n=n)
        found = matching.records(address, values.get("idfa", ""), values.get("gaid", ""))
        made.append(
            Profile(
                workspace=workspace,
                external_id=f"{name}-{n}",
                email=address,
                email_record=found[0],
                idfa_record=found[1],
                gaid_record=found[2],
                created_at=now,
                updated_at=now,
                **values,
            )
        )
    ids = [profile.pk for profile in Profile.objects.bulk_create(made, batch_size=2000)]
    return Profile.objects.filter(pk__gte=min(ids), pk__lte=max(ids)) if ids else Profile.objects.none()


def sync_to(audience, operation="add", fields=EMAIL):
    """Return a sync that feeds (or drains) an audience."""
    return AudienceSync.objects.create(
        workspace=audience.ad_account.connection.workspace,
        partner=audience.ad_account.connection.partner,
        ad_account=audience.ad_account,
        audience=audience,
        operation=operation,
        match_fields=fields,
    )


def let_in(sync, profiles, now=None):
    """Let profiles enter a sync, as a Canvas would."""
    with transaction.atomic():
        return enter(sync, profiles, now=now or timezone.now())


def deliver(now: datetime | None = None, *, rounds: int = 200, before_each: Callable[[], object] | None = None) -> int:
    """Tick, and do what a worker does until nothing is due; return the number of batches sent.

    With `now`, as if it were that moment and time went on from there: retries that are due by then are made.
    `before_each` is called before each of them is sent.
    """
    ahead = (now or timezone.now()) - timezone.now()
    sent = 0
    for _ in range(rounds):
        moment = timezone.now() + ahead
        giving_up.give_up(moment)
        correcting.follow(moment)
        full = min(limits_of(partner.slug).users for partner in registry.partners())
        progress = False
        for lane in due_lanes(now=moment, flushed_at=moment, full=full):
            found = claiming.claim(
                lane.audience_id,
                lane.operation,
                limits=limits_of(lane.partner),
                fresh=lane.fresh,
                now=moment,
                first_id=lane.first_id,
            )
            if found is not None:
                if before_each is not None:
                    before_each()
                sending.send(found.batch, found.records, clock=lambda: timezone.now() + ahead)
                sent, progress = sent + 1, True
        if not progress:
            return sent
    raise AssertionError("There is always something due.")


def retry(sync: AudienceSync, *, reason: str = "", now: datetime) -> int:
    """Retry all errored users of a sync (with a reason); return how many are pending again."""
    return retrying.retry_all(retrying.errored_of_sync(sync, reason), now=now)


def resume_creations(now: datetime) -> int:
    """Take up every creation that was cut off, as upkeep does; return how many audiences are READY now."""
    return sum(creating.resume(audience, now) for audience in creating.cut_off(now))


def refresh_due(now: datetime) -> int:
    """Refresh every token that is due, as upkeep does; return how many were."""
    done = 0
    for connection in tokens.due(now):
        with suppress(PartnerError):
            tokens.refresh(connection, now)
            done += 1
    return done


def later(**delta) -> datetime:
    """Return a moment from now."""
    return timezone.now() + timedelta(**delta)


def figures(sync) -> dict[str, int]:
    """Return the five figures of a sync, checked against the rule that they add up."""
    totals = SyncTotals.objects.filter(pk=sync.pk).first() or SyncTotals(sync=sync)
    assert totals.entered == totals.synced + totals.not_synced + totals.pending + totals.errored
    return {name: getattr(totals, name) for name in ("entered", "synced", "not_synced", "pending", "errored")}


def reasons(sync) -> dict[str, int]:
    """Return how many users of a sync ended for which reason."""
    return dict(sync.reasons.filter(users__gt=0).values_list("reason", "users"))


def audience_named(name, ad_account, world):
    """Make an audience at the sandbox, without a request, and its copy here."""
    at = world.clock.now()
    target = world.create_customer_list(
        id=world.next_id(),
        ad_account_id=ad_account.external_id,
        name=name,
        list_type="EMAIL",
        records=PLACEHOLDER,
        at=at,
    )
    made = world.put_audience(
        id=world.next_id(),
        ad_account_id=ad_account.external_id,
        name=name,
        audience_type="CUSTOMER_LIST",
        rule={"customer_list_id": target.id},
        created=at,
        updated=at,
    )
    return Audience.objects.create(
        ad_account=ad_account, external_id=made.id, target_id=target.id, name=name, seen_at=timezone.now()
    )


def records_at(world, audience) -> set[str]:
    """Return the records in the audience's list at the sandbox, without the placeholder that made it."""
    return {record.hex() for record in world.customer_lists[audience.target_id].all_records()} - {PLACEHOLDER}


def records_of(profiles) -> set[str]:
    """Return the e-mail records of profiles."""
    return set(profiles.exclude(email_record=None).values_list("email_record", flat=True))


def break_it(sandbox, fault, **parameters):
    """Break something at the sandbox, through the door that scripts use."""
    body = json.dumps({"fault": fault, **parameters})
    status, _, answer = sandbox.answer("POST", "/_control/faults", {"Content-Type": "application/json"}, body)
    assert status in (200, 201), answer


def mend(sandbox):
    """End every fault that can be ended."""
    status, _, answer = sandbox.answer("DELETE", "/_control/faults")
    assert status in (200, 204), answer
