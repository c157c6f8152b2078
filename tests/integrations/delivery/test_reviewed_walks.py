"""Random walks of users in and out, with what breaks on the way: in the end the lists hold the last intents."""

import random
from datetime import timedelta

import pytest
from django.utils import timezone

from integrations.delivery import giving_up, retrying
from integrations.models import Arrival, Batch
from pinsync.profiles.models import Profile
from tests.helpers import break_it, deliver, figures, let_in, mend, people, records_at, sync_to


@pytest.mark.parametrize("seed", [0, 4, 11])  # 4 and 11 found a retry of an earlier intent
def test_the_list_ends_with_the_last_intents(workspace, audience, sandbox, settings, seed):
    settings.USERS_PER_REQUEST = 4
    chance = random.Random(seed)
    syncs = [sync_to(audience, operation) for operation in ("add", "remove", "add")]
    ids = list(people(workspace, 8).values_list("pk", flat=True))
    wanted: dict[int, str] = {}
    ahead = timedelta()

    def now():
        return timezone.now() + ahead

    for _ in range(40):
        match chance.choice(("enter",) * 4 + ("deliver", "break", "wait", "wait", "give up", "give up", "retry")):
            case "enter":
                sync, some = chance.choice(syncs), chance.sample(ids, chance.randint(1, 5))
                let_in(sync, Profile.objects.filter(pk__in=some), now=now())
                wanted.update(dict.fromkeys(some, sync.operation))
            case "deliver":
                deliver(now(), rounds=400)
                mend(sandbox)
            case "break":
                fault = chance.choice(({"fault": "outage", "status": 503}, {"fault": "drop_answer", "count": 2}))
                break_it(sandbox, **fault)
            case "wait":
                ahead += timedelta(minutes=chance.choice((1, 11, 800)))
            case "give up":
                giving_up.give_up(now())
            case "retry":
                sync = chance.choice(syncs)
                expected = retrying.errored_of_sync(sync).wanted()
                assert retrying.retry_sync(sync, now=now()) == expected
        assert Arrival.objects.count() + sum(
            Batch.objects.filter(settled_at=None).values_list("users", flat=True)
        ) == sum(figures(sync)["pending"] for sync in syncs)

    mend(sandbox)
    for _ in range(3):
        ahead += timedelta(minutes=11)
        deliver(now())
        for sync in syncs:
            retrying.retry_sync(sync, now=now())
    assert sum(figures(sync)["pending"] for sync in syncs) == 0
    inside = Profile.objects.filter(pk__in=[pk for pk, operation in wanted.items() if operation == "add"])
    assert records_at(sandbox.world, audience) == set(inside.values_list("email_record", flat=True))
