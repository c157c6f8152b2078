"""Anything that may happen to users on their way, in any order: in the end the partner has what was asked last.

The sandbox is the oracle: its sets are held against a model that knows nothing but who was asked what, and who has
which record now. The suite walks a few ways, always the same; PINSYNC_EXAMPLES=2000 walks as many new ones.
"""

import os
from datetime import timedelta

import pytest
import responses
from django.conf import settings as project
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from integrations.delivery import claiming, correcting, retrying, sending
from integrations.delivery.claiming import Claim
from integrations.delivery.limits import limits_of
from integrations.models import AdAccount, Arrival, Batch, Connection, Delivery, Pace
from integrations.pinterest.client import ask_to_start
from integrations.pinterest.sandbox.people import AD_ACCOUNTS
from integrations.pinterest.sandbox.sandbox import Sandbox
from integrations.pinterest.sandbox.testing import ManualClock, mount
from integrations.pinterest.sandbox.world import World
from pinsync.profiles.matching import RECORD_COLUMNS, MatchField
from pinsync.profiles.models import Profile
from pinsync.profiles.rows import make_row
from pinsync.profiles.upserting import write
from pinsync.workspaces.models import Workspace
from tests.helpers import EMAIL, audience_named, break_it, deliver, figures, let_in, mend, records_at, retry, sync_to
from tests.integrations.delivery.conftest import connect

EXAMPLES = int(os.environ.get("PINSYNC_EXAMPLES", "0"))
IDFA = "6d92078a-8246-4ba4-ae5b-{:012x}"
# Users by e-mail address and ad id: 0 and 1 share an address, 1 and 2 an ad id, 4 and 5 an address. The first four may
# get other addresses and ad ids, which nobody else has.
PEOPLE = (("same", 1), ("same", 2), ("two", 2), ("three", 3), ("pair", 4), ("pair", 5))
MAY_CHANGE = 4
FIELDS = (EMAIL, EMAIL | MatchField.IDFA)  # of the two audiences
FAULTS = (
    {"fault": "outage", "status": 503},
    {"fault": "drop_answer", "count": 1},
    {"fault": "drop_answer", "count": 3},
    {"fault": "garbage", "form": "html", "count": 1},
    {"fault": "rate_limit", "seconds": 30},
)

users = st.sets(st.integers(0, len(PEOPLE) - 1), min_size=1, max_size=3)
audiences = st.integers(0, len(FIELDS) - 1)
operations = st.sampled_from(["add", "remove"])


class Walk(RuleBasedStateMachine):
    """One workspace with two audiences; everything it writes is rolled back."""

    sandbox: Sandbox

    def __init__(self) -> None:
        super().__init__()
        self.ground = transaction.atomic()
        self.ground.__enter__()
        mend(self.sandbox)
        workspace = Workspace.objects.create(name="Shop", slug="shop")
        self.connection = connect(workspace, self.sandbox)
        far = timezone.now() + timedelta(days=3650)
        Connection.objects.update(access_expires_at=far, refresh_expires_at=far)
        account = AdAccount.objects.create(
            connection=self.connection,
            external_id=AD_ACCOUNTS[0].id,
            name=AD_ACCOUNTS[0].name,
            state=AdAccount.State.CONNECTED,
            seen_at=timezone.now(),
        )
        self.audiences = [audience_named(f"Audience {n}", account, self.sandbox.world) for n in range(len(FIELDS))]
        self.syncs = {
            (place, operation): sync_to(audience, operation, FIELDS[place])
            for place, audience in enumerate(self.audiences)
            for operation in ("add", "remove")
        }
        self.workspace = workspace
        self.ahead = timedelta()
        self.fresh = 100
        self.held: list[Claim] = []
        self.entered = 0
        self.asked: list[tuple[int, int, str]] = []  # audience, user, operation: in the order of intent
        for number, (email, ad_id) in enumerate(PEOPLE):
            self._write(number, f"{email}@example.com", IDFA.format(ad_id))
        self.ids = dict(Profile.objects.values_list("external_id", "pk"))

    # --- what may happen -----------------------------------------------------------------------------------------

    @rule(place=audiences, operation=operations, chosen=users)
    def enter(self, place, operation, chosen):
        profiles = Profile.objects.filter(pk__in=[self.ids[str(number)] for number in chosen])
        let_in(self.syncs[place, operation], profiles, now=self.now)
        self.entered += len(chosen)
        self.asked += [(place, number, operation) for number in sorted(chosen)]

    @rule(number=st.integers(0, MAY_CHANGE - 1), field=st.sampled_from(["email", "idfa"]))
    def change(self, number, field):
        self.fresh += 1
        if field == "email":
            self._write(number, f"fresh{self.fresh}@example.com", "")
        else:
            self._write(number, "", IDFA.format(self.fresh))

    @rule()
    def deliver(self):
        deliver(self.now, rounds=400, before_each=self._forget_pace)
        found = [figures(sync) for sync in self.syncs.values()]
        if not correcting.waiting() and not any(each["pending"] + each["errored"] for each in found):
            self._compare()

    @rule(seconds=st.sampled_from([5, 70, 700, 50_000]))
    def wait(self, seconds):
        self.ahead += timedelta(seconds=seconds)

    @rule(fault=st.sampled_from(FAULTS))
    def break_the_partner(self, fault):
        break_it(self.sandbox, **fault)

    @rule(number=st.integers(0, len(PEOPLE) - 1), column=st.sampled_from(["email_record", "idfa_record"]))
    def refuse_a_record(self, number, column):
        digest = Profile.objects.values_list(column, flat=True).get(pk=self.ids[str(number)])
        break_it(self.sandbox, "refuse_record", digest=digest)

    @rule()
    def mend(self):
        mend(self.sandbox)

    @rule(state=st.sampled_from([Connection.State.BROKEN, Connection.State.CONNECTED]))
    def lose_or_regain_the_connection(self, state):
        Connection.objects.update(state=state)

    @rule(place=audiences, operation=operations)
    def retry(self, place, operation):
        sync = self.syncs[place, operation]
        said = retrying.errored_of_sync(sync).wanted()
        assert retry(sync, now=self.now) == said

    @rule(place=audiences, operation=operations)
    def claim_and_fall_asleep(self, place, operation):
        if not Connection.objects.filter(state=Connection.State.CONNECTED).exists():
            return
        found = claiming.claim(
            self.audiences[place].pk, operation, limits=limits_of("pinterest"), fresh=True, now=self.now
        )
        if found is not None:
            self.held.append(found)

    @rule()
    def wake_up_and_send(self):
        if self.held:
            found = self.held.pop(0)
            self._forget_pace()
            sending.send(found.batch, found.records, clock=lambda: self.now)

    # --- what must hold ------------------------------------------------------------------------------------------

    @invariant()
    def everybody_is_in_one_state(self):
        assert Arrival.objects.count() + Delivery.objects.count() == self.entered
        under_way = (
            Arrival.objects.count() + Delivery.objects.filter(batch__settled_at=None, batch__isnull=False).count()
        )
        found = [figures(sync) for sync in self.syncs.values()]
        assert sum(each["entered"] for each in found) == self.entered
        assert sum(each["pending"] for each in found) == under_way
        assert not Batch.objects.filter(settled_at=None, users=0, is_correction=False).exists()

    def teardown(self):
        try:
            self._settle()
            self._compare()
        finally:
            transaction.set_rollback(True)
            self.ground.__exit__(None, None, None)

    def _settle(self) -> None:
        """Mend all, and deliver and retry until nothing waits and nobody is left to be retried."""
        mend(self.sandbox)
        Connection.objects.update(state=Connection.State.CONNECTED)
        for _ in range(12):
            self.ahead += timedelta(minutes=12)
            self.deliver()
            self.everybody_is_in_one_state()
            retried = sum(retry(sync, now=self.now) for sync in self.syncs.values())
            if not retried and not correcting.waiting() and not sum(figures(s)["pending"] for s in self.syncs.values()):
                return
        raise AssertionError("Something waits for ever.")

    def _compare(self) -> None:
        for place, audience in enumerate(self.audiences):
            assert records_at(self.sandbox.world, audience) == self._wanted(place)

    def _wanted(self, place: int) -> set[str]:
        """Return the records that belong into an audience: by record, the last intent of those who have it now."""
        last: dict[str, str] = {}
        columns = [RECORD_COLUMNS[name] for name in FIELDS[place].names]
        has = {pk: records for pk, *records in Profile.objects.values_list("pk", *columns)}
        for where, number, operation in self.asked:
            if where == place:
                last.update(dict.fromkeys(has[self.ids[str(number)]], operation))
        return {record for record, operation in last.items() if operation == "add"}

    # --- hands ---------------------------------------------------------------------------------------------------

    @property
    def now(self):
        return timezone.now() + self.ahead

    def _write(self, number: int, email: str, idfa: str) -> None:
        write(self.workspace, [make_row(str(number), email, idfa, "", {})], run=None, now=self.now)

    def _forget_pace(self) -> None:
        """Let the time pass that requests keep from each other, here and at the sandbox."""
        Pace.objects.update(next_slot=0, slowdown=1, blocked_until=0, blocked_at=0)
        self.sandbox.clock.sleep(10)


@pytest.mark.django_db
def test_the_partner_ends_with_what_was_asked_last(settings_of_walk):
    run_state_machine_as_test(settings_of_walk, settings=_settings())


def _settings() -> settings:
    return settings(
        max_examples=EXAMPLES or 8,
        stateful_step_count=40 if EXAMPLES else 25,
        derandomize=not EXAMPLES,
        deadline=None,
        database=None,
        print_blob=False,
        suppress_health_check=list(HealthCheck),
    )


@pytest.fixture
def settings_of_walk(settings):
    """A sandbox in this process, small batches, and the walk on them."""
    settings.USERS_PER_REQUEST = 3
    settings.PINTEREST_API_URL = "http://127.0.0.1:8100/v5"
    settings.PINTEREST_OAUTH_URL = "http://127.0.0.1:8100/oauth/"
    settings.PINTEREST_SANDBOX_URL = "http://127.0.0.1:8100"
    world = World(clock=ManualClock())
    world.begin(at=world.clock.now())
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        sandbox = Sandbox(world)
        mount(mock, sandbox, project.PINTEREST_SANDBOX_URL, before=ask_to_start)
        yield type("Walk", (Walk,), {"sandbox": sandbox})
