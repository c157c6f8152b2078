"""PostgreSQL's short way from a lane to a batch comes to what the long one, user by user, comes to."""

import random

import pytest
from django.db import connection, transaction
from django.utils import timezone

from integrations.delivery import claiming, taking
from integrations.delivery.limits import Limits
from integrations.models import Arrival, Delivery
from pinsync.profiles.models import Profile
from tests.helpers import let_in, people, sync_to

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has the long way only"),
]
FIELDS = ("email_record", "idfa_record", "gaid_record")


def crowd(workspace, syncs, chance: random.Random) -> None:
    """Let users of all kinds enter, and have some of them lose their records, or be deleted, while they wait."""
    now = timezone.now()
    for n in range(30):
        has = [field for field in FIELDS if chance.random() < 0.7]
        records = {field: f"{chance.getrandbits(256):064x}" for field in has}
        one = Profile.objects.create(workspace=workspace, external_id=str(n), created_at=now, updated_at=now, **records)
        let_in(chance.choice(syncs), Profile.objects.filter(pk=one.pk))
    for one in Profile.objects.filter(pk__in=Arrival.objects.values("profile")):
        if chance.random() < 0.2:
            Profile.objects.filter(pk=one.pk).update(**dict.fromkeys(FIELDS))
        elif chance.random() < 0.2:
            one.delete()


def outcome(audience, limits: Limits, first: int) -> tuple[object, ...]:
    """Return what a claim comes to, and take it back."""
    now = timezone.now()
    with transaction.atomic():
        claim = claiming.claim(audience.pk, "add", limits=limits, fresh=True, now=now, first_id=first)
        ended = set(Delivery.objects.exclude(reason="").values_list("profile", "reason"))
        members = set(Delivery.objects.exclude(batch=None).values_list("sync", "profile", "entered_at", "match_fields"))
        wait = set(Arrival.objects.values_list("pk", flat=True))
        batch = claim and (claim.batch.users, claim.batch.records, claim.batch.oldest_entered_at)
        if claim is not None:
            assert set(Delivery.objects.exclude(batch=None).values_list("batch", flat=True)) == {claim.batch.pk}
        transaction.set_rollback(True)
    return batch, claim and sorted(claim.records), members, ended, wait


@pytest.mark.parametrize("seed", range(12))
def test_both_ways_take_the_same_users(workspace, audience, seed, monkeypatch):
    chance = random.Random(seed)
    crowd(workspace, [sync_to(audience, "add", fields=mask) for mask in (1, 3, 6, 7)], chance)
    limits = Limits(users=chance.randint(1, 30), records=chance.randint(1, 30))
    first = chance.choice([0, Arrival.objects.order_by("pk")[5].pk])
    short = outcome(audience, limits, first)
    monkeypatch.setattr(taking, "take", lambda *args, **kwargs: None)
    assert outcome(audience, limits, first) == short
    assert any(short)


def test_where_somebody_waits_for_the_opposite_nobody_is_taken(workspace, audience):
    let_in(sync_to(audience, "add"), people(workspace, 3))
    limits = Limits(users=10, records=10)
    with transaction.atomic():
        taken = taking.take(audience.pk, "add", limits)
        assert taken is not None
        assert taken.users == 3
        transaction.set_rollback(True)
    let_in(sync_to(audience, "remove"), people(workspace, 1, name="other"))
    assert taking.take(audience.pk, "add", limits) is None
    assert Arrival.objects.count() == 4
