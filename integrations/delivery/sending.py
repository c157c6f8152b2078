"""The road from a claim to a settled batch, and the loop that drives it.

No transaction is open while a socket is: claim and settle are transactions of their own around the request.
"""

import logging
import random
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections
from django.db import connection as database
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from integrations import registry
from integrations.delivery import claiming, pacing, rationing, seats, settling
from integrations.delivery.asking import Request, in_turn, write_down
from integrations.delivery.clock import database_clock
from integrations.delivery.lanes import DueLane, Lookout, flushed_at
from integrations.delivery.limits import limits_of
from integrations.delivery.reading import in_background, reads_of
from integrations.errors import Follows, PartnerError, Told
from integrations.models import AdAccount, Audience, Batch, Connection
from integrations.tokens import with_live

log = logging.getLogger("pinsync.delivery")

LOOK_AHEAD = 0.3  # seconds before its slot that a batch is claimed: time enough to claim, no queue of claims
LOOK_EVERY = 0.05  # seconds between two looks at what is due, while something is
LOOK_EVERY_AT_MOST = 0.12  # the same where looking takes long; less than lies between two requests of a person
LOOKING = 0.1  # of the time may go into looking
NOTHING_YET = 0.5  # seconds that a lane is left alone after it had nothing to claim
AFTER_ANOTHER = 1.0  # seconds without having met another process at a lane: until then there is work for two
LANE_HELD = 0.03  # the same after another process was found claiming from it, which takes milliseconds
LANE_HELD_MOST = 0.5  # found there time after time, it is left to it, and twice as long each time up to this
FAILED = 1.0  # the same after a sender failed at it, as all do while the database refuses connections


class _LeaseLost(Exception):
    """Turns, refreshed tokens and repeated calls took so long that another sender has the batch."""


def send(batch: Batch, records: list[str], *, clock: Callable[[], datetime] = timezone.now) -> bool:
    """Send a claimed batch in one request and settle it; return whether it was accepted.

    Waits up to 2 s for its turn; `clock` tells the time before and after, and is the one by which the batch was
    claimed. Safe to repeat: adding someone twice changes nothing at the partner.
    """
    audience = Audience.objects.select_related("ad_account").get(pk=batch.audience_id)
    if audience.state == Audience.State.CREATING:  # a deleted one is being made anew, and has no ids yet
        settling.postpone(batch, timedelta(seconds=settings.TICK_SECONDS), now=clock())
        return False
    made: list[Request] = []

    def still_ours() -> None:
        if not settling.keep(batch, now=clock()):
            raise _LeaseLost

    def request(live: Connection) -> None:
        partner = registry.partner(live.partner)
        if audience.state == Audience.State.GONE:
            # What an audience stands on may outlive it, and would go on taking users.
            with in_background(), reads_of(live.partner, live.partner_user_id):
                partner.audience(live.access_token, audience.ad_account.external_id, audience.external_id or "")
        with in_turn(made, pacing.pace_of(live), clock, check=still_ours):
            receipt = partner.send(
                live.access_token,
                audience.ad_account.external_id,
                audience.target_id,
                "add" if batch.operation == "add" else "remove",
                records,
            )
        made[-1].http_status = receipt.http_status

    error: PartnerError | None = None
    try:
        if records:
            with_live(audience.ad_account.connection_id, request, clock())
    except pacing.TurnTooFar as far:
        write_down(made, batch_id=batch.pk)
        settling.postpone(batch, timedelta(seconds=far.seconds), now=clock())
        return False
    except _LeaseLost:
        write_down(made, batch_id=batch.pk)
        log.warning("lease lost before a request", extra={"batch": batch.pk, "audience": audience.pk})
        return False
    except PartnerError as raised:
        error = raised
    ended = clock()
    if error is not None:
        _learn(error, audience)
    was_well = audience.state == Audience.State.READY and audience.ad_account.state == AdAccount.State.CONNECTED
    answer = settling.Answer(ended, error, tuple(made), was_well)
    ours = settling.settle(batch, answer)
    log.log(
        logging.INFO if error is None or error.meaning.told is Told.NOBODY else logging.WARNING,
        "batch settled",
        extra={
            "batch": batch.pk,
            "audience": audience.pk,
            "operation": batch.operation,
            "users": batch.users,
            "records": len(records),
            "outcome": error.code if error else "accepted",
            "http_status": answer.http_status,
            "requests": len(made),
            "seconds": round((answer.duration_ms or 0) / 1000, 3),
            "ours": ours,
        },
    )
    return error is None


def _learn(error: PartnerError, audience: Audience) -> None:
    """Take from an answer what concerns more than its batch; the pace and the connection have learned before."""
    follows = error.meaning.follows
    if follows is Follows.AUDIENCE_GONE:
        # Not if it was made anew meanwhile: what is gone is the one that this request went to.
        Audience.objects.filter(pk=audience.pk, target_id=audience.target_id, state=Audience.State.READY).update(
            state=Audience.State.GONE, failure=error.code
        )
    elif follows is Follows.AD_ACCOUNT_LOST:
        AdAccount.objects.filter(pk=audience.ad_account_id, state=AdAccount.State.CONNECTED).update(
            state=AdAccount.State.LOST
        )


def drain(*, seconds: float, stop: Callable[[], bool] = lambda: False) -> int:
    """Deliver until nothing is due or `seconds` are over; return the number of requests made.

    Any number of processes may drain at once: seats keep them few, lanes and leases keep them apart, and the pace
    row keeps all of them together within the partner's limits.
    """
    seat = seats.take()
    if seat is None:
        return 0
    try:
        return _Drain(time.monotonic() + seconds, seat, stop).run()
    finally:
        seats.leave(seat)


class _Drain:
    def __init__(self, ends_at: float, seat: uuid.UUID, stop: Callable[[], bool]) -> None:
        self.ends_at = ends_at
        self.seat = seat
        self.stop = stop
        self.made = 0
        self.at_work: dict[Future[bool], DueLane] = {}
        self.rest_until: dict[tuple[int, str], float] = {}
        # Leases are taken and judged by one clock: a machine whose own is ahead would take batches that are being sent.
        self.clock = database_clock()
        self.held_at = 0.0  # when another process was last found claiming
        self.held_for: dict[tuple[int, str], float] = {}  # how long each lane is left to it next time
        self.claiming: set[int] = set()  # audiences that a thread of ours claims from right now
        self.lookout = Lookout()
        self.connections: list[BaseDatabaseWrapper] = []  # of the senders

    def run(self) -> int:
        renewed = time.monotonic()
        look_at = 0.0
        with self._senders() as pool:
            while not self.stop() and time.monotonic() < self.ends_at:
                if time.monotonic() - renewed > seats.RENEW_EVERY:
                    if not seats.keep(self.seat):
                        break
                    renewed = time.monotonic()
                # Not behind every answer: where many come at once, looking would cost more than sending.
                time.sleep(max(look_at - time.monotonic(), 0))
                self._gather()
                began = time.monotonic()
                lanes = self._look()
                rest = min(max(LOOK_EVERY, (time.monotonic() - began) / LOOKING), LOOK_EVERY_AT_MOST)
                # Uneven, or of processes in step the same one would find every slot taken.
                look_at = began + rest * random.uniform(0.5, 1.5)
                for lane in self._choose(lanes):
                    self.claiming.add(lane.audience_id)
                    self.at_work[pool.submit(self._in_thread, lane)] = lane
                # What may go in hours only is for later ticks: looking at it all the time would cost a core.
                if self.at_work or time.monotonic() - self.held_at < AFTER_ANOTHER:
                    continue
                if all(lane.next_slot_in > settings.TICK_SECONDS for lane in lanes):
                    if self.lookout.saw_all:
                        break
                    self.lookout.see_all()
            while self.at_work:  # the seat stays ours until the last answer is in
                wait(self.at_work, timeout=seats.RENEW_EVERY)
                self._gather()
                seats.keep(self.seat)
        return self.made

    @contextmanager
    def _senders(self) -> Iterator[ThreadPoolExecutor]:
        """Run threads, each with a database connection of its own, and close those when the threads have ended.

        A thread that ends leaves its connection open until the garbage is collected, which a server with room for a
        hundred does not wait for.
        """
        try:
            with ThreadPoolExecutor(settings.SENDERS, "sender", initializer=self._remember_connection) as pool:
                yield pool
        finally:
            for one in self.connections:
                with suppress(DatabaseError):  # that is gone already
                    one.close()

    def _remember_connection(self) -> None:
        one = connections[DEFAULT_DB_ALIAS]
        one.inc_thread_sharing()  # so that another thread may close it
        self.connections.append(one)

    def _look(self) -> list[DueLane]:
        now = self.clock()
        full = min((limits_of(partner.slug).users for partner in registry.partners()), default=1)
        resting = {key for key, until in self.rest_until.items() if until > time.monotonic()}
        lanes = self.lookout.due_lanes(now=now, flushed_at=flushed_at(), full=full)
        return [
            lane
            for lane in lanes
            if (lane.audience_id, lane.operation) not in resting and lane.audience_id not in self.claiming
        ]

    def _choose(self, lanes: list[DueLane]) -> list[DueLane]:
        """Return what to start now: the best lanes of each partner user whose next slot is near."""
        free = settings.SENDERS - len(self.at_work)
        chosen: list[DueLane] = []
        for lane in lanes:
            if len(chosen) < free and lane.next_slot_in <= LOOK_AHEAD and lane.turn not in {c.turn for c in chosen}:
                chosen.append(lane)
        return chosen

    def _in_thread(self, lane: DueLane) -> bool:
        try:
            return self._serve(lane)
        except Exception:
            # The lease runs out and another sender takes the batch; what failed is in the log, by ids only.
            log.exception("sender failed", extra={"audience": lane.audience_id})
            self.rest_until[lane.audience_id, lane.operation] = time.monotonic() + FAILED
            database.close()
            return False

    def _serve(self, lane: DueLane) -> bool:
        if rationing.quota_of(lane.partner) is None:
            return self._claim_and_send(lane)
        lease = None
        try:
            lease = rationing.may_claim(lane.partner, within=LOOK_AHEAD)
        finally:
            if lease is None:
                self.claiming.discard(lane.audience_id)
        if lease is None:
            return False
        try:
            return self._claim_and_send(lane)
        finally:
            rationing.release(lane.partner, lease)

    def _claim_and_send(self, lane: DueLane) -> bool:
        claimed = self._claim(lane)
        if claimed is None:
            return False
        send(claimed.batch, claimed.records, clock=self.clock)
        return True

    def _claim(self, lane: DueLane) -> claiming.Claim | None:
        key, rest = (lane.audience_id, lane.operation), NOTHING_YET
        try:
            limits = limits_of(lane.partner)
            claimed = claiming.claim(
                lane.audience_id,
                lane.operation,
                limits=limits,
                fresh=lane.fresh,
                retries=lane.retries,
                now=self.clock(),
                first_id=lane.first_id,
            )
        except claiming.LaneHeld:
            claimed, rest = None, self.held_for.get(key, LANE_HELD)
            self.held_for[key] = min(rest * 2, LANE_HELD_MOST)
            self.held_at = time.monotonic()
        else:
            self.held_for.pop(key, None)
        finally:
            self.claiming.discard(lane.audience_id)
        if claimed is None:
            self.rest_until[key] = time.monotonic() + rest
        return claimed

    def _gather(self) -> None:
        for future in [future for future in self.at_work if future.done()]:
            del self.at_work[future]
            self.made += future.result()
