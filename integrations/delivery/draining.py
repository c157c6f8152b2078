"""The loop that delivers: looks at what is due, claims it batch by batch, and has threads send what was claimed."""

import logging
import random
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, DatabaseError, Error, connections
from django.db import connection as database
from django.db.backends.base.base import BaseDatabaseWrapper

from integrations import registry
from integrations.delivery import claiming, rationing, seats
from integrations.delivery.clock import database_clock
from integrations.delivery.lanes import DueLane, Lookout
from integrations.delivery.limits import limits_of
from integrations.delivery.plans import always_by_index
from integrations.delivery.sending import send

log = logging.getLogger("pinsync.delivery")

# Seconds before its slot that a batch is claimed. The same for all processes, or one would always be the first.
LOOK_AHEAD = 0.3
LOOK_AHEAD_CROWDED = 0.5  # where the last batch was full: nobody comes too late for one that has not gone
HANDING_OVER = 2.0  # seconds in which another process sits down, unless all are at other tasks
LOOK_EVERY = 0.05  # seconds between two looks at what is due, while something is
LOOK_EVERY_AT_MOST = 0.07  # the same where looking takes long; less than lies between two requests of a person
LOOKING = 0.1  # of the time may go into looking
NOTHING_YET = 0.5  # seconds that a lane is left alone after it had nothing to claim
AFTER_ANOTHER = 1.0  # seconds without having met another process at a lane: until then there is work for two
LANE_HELD = 0.03  # the same after another process was found claiming from it, which takes milliseconds
LANE_HELD_MOST = 0.5  # found there time after time, it is left to it, and twice as long each time up to this
FAILED = 1.0  # the same after a sender failed at it, as all do while the database refuses connections


def drain(
    *, seconds: float, stop: Callable[[], bool] = lambda: False, hand_over: Callable[[], None] | None = None
) -> int:
    """Deliver until nothing is due or `seconds` are over; return the number of requests made.

    Any number of processes may drain at once: seats keep them few, lanes and leases keep them apart, and the pace
    row keeps all of them together within the partner's limits. `hand_over` is to have another process begin when the
    time is over; this one goes on until that has sat down, for `HANDING_OVER` seconds at most.
    """
    seat = seats.take()
    if seat is None:
        return 0
    try:
        return _Drain(time.monotonic() + seconds, seat, stop, hand_over).run()
    finally:
        seats.leave(seat)


class _Drain:
    def __init__(
        self, ends_at: float, seat: uuid.UUID, stop: Callable[[], bool], hand_over: Callable[[], None] | None
    ) -> None:
        self.ends_at = ends_at
        self.seat = seat
        self.stop = stop
        self.hand_over = hand_over
        self.offered = False  # whether the seat is free for another process
        self.renewed = time.monotonic()
        self.made = 0
        self.at_work: dict[Future[bool], DueLane] = {}
        self.rest_until: dict[tuple[int, str], float] = {}
        # Leases are taken and judged by one clock: a machine whose own is ahead would take batches that are being sent.
        self.clock = database_clock()
        self.held_at = 0.0  # when another process was last found claiming
        self.held_for: dict[tuple[int, str], float] = {}  # how long each lane is left to it next time
        self.claiming: set[int] = set()  # audiences that a thread of ours claims from right now
        self.lookout = Lookout()
        self.shared_turns: set[str] = set()  # of several lanes

    def run(self) -> int:
        look_at = 0.0
        with (
            self._threads(settings.CLAIMERS, "claimer") as self.claimers,
            self._threads(settings.SENDERS, "sender") as pool,
        ):
            while not self.stop() and self._may_go_on():
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
                if not self.offered:
                    seats.keep(self.seat)
        return self.made

    def _may_go_on(self) -> bool:
        """Return whether the seat is ours; when our time is over, offer it, and go on until somebody has taken it."""
        now = time.monotonic()
        if now >= self.ends_at:
            if self.offered or self.hand_over is None:
                return False
            self.offered, self.ends_at = True, now + HANDING_OVER
            seats.offer(self.seat)
            self.hand_over()
        elif self.offered:
            return seats.has(self.seat)
        elif now - self.renewed > seats.RENEW_EVERY:
            self.renewed = now
            return seats.keep(self.seat)
        return True

    @contextmanager
    def _threads(self, number: int, name: str) -> Iterator[ThreadPoolExecutor]:
        """Run threads, each with a database connection of its own, and close those when the threads have ended.

        A thread that ends leaves its connection open until the garbage is collected, which a server with room for a
        hundred does not wait for.
        """
        opened: list[BaseDatabaseWrapper] = []

        def remember_connection() -> None:
            one = connections[DEFAULT_DB_ALIAS]
            one.inc_thread_sharing()  # so that another thread may close it
            opened.append(one)

        try:
            with ThreadPoolExecutor(number, name, initializer=remember_connection) as pool:
                yield pool
        finally:
            for one in opened:
                with suppress(DatabaseError):  # that is gone already
                    one.close()

    def _look(self) -> list[DueLane]:
        full = min((limits_of(partner.slug).users for partner in registry.partners()), default=1)
        resting = {key for key, until in self.rest_until.items() if until > time.monotonic()}
        # By those who claim: what is found while they are busy would have to wait for them.
        lanes = self.claimers.submit(self._look_now, full).result()
        self.shared_turns = {turn for turn, number in Counter(lane.turn for lane in lanes).items() if number > 1}
        return [
            lane
            for lane in lanes
            if (lane.audience_id, lane.operation) not in resting and lane.audience_id not in self.claiming
        ]

    def _look_now(self, full: int) -> list[DueLane]:
        always_by_index()
        return self.lookout.due_lanes(now=self.clock(), full=full)

    def _choose(self, lanes: list[DueLane]) -> list[DueLane]:
        """Return what to start now: the best lanes of each partner user whose next slot is near."""
        free = settings.SENDERS - len(self.at_work)
        # Of a whole turn: a lane that was looked at earlier than its neighbours would be served before them. Where the
        # app has a quota, nothing is claimed for a slot that far away.
        crowded = {lane.turn for lane in lanes if lane.crowded and lane.turn != lane.partner}
        chosen: list[DueLane] = []
        for lane in lanes:
            near = LOOK_AHEAD_CROWDED if lane.turn in crowded else LOOK_AHEAD
            if len(chosen) < free and lane.next_slot_in <= near and lane.turn not in {c.turn for c in chosen}:
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
            # By few: claims at once are no faster than one after the other, and the slots of those who send pass by.
            claimed = self.claimers.submit(self._claim_now, lane).result()
        except claiming.LaneHeld:
            claimed, rest = None, self.held_for.get(key, LANE_HELD)
            if lane.turn not in self.shared_turns:
                self.held_for[key] = min(rest * 2, LANE_HELD_MOST)
            self.held_at = time.monotonic()
        else:
            self.held_for.pop(key, None)
        finally:
            self.claiming.discard(lane.audience_id)
        if claimed is None:
            self.rest_until[key] = time.monotonic() + rest
        return claimed

    def _claim_now(self, lane: DueLane) -> claiming.Claim | None:
        always_by_index()
        try:
            return claiming.claim(
                lane.audience_id,
                lane.operation,
                limits=limits_of(lane.partner),
                fresh=lane.fresh,
                retries=lane.retries,
                now=self.clock(),
                first_id=lane.first_id,
                last_served=lane.served_at if lane.turn in self.shared_turns else None,
            )
        except Error:
            database.close()
            raise

    def _gather(self) -> None:
        for future in [future for future in self.at_work if future.done()]:
            del self.at_work[future]
            self.made += future.result()
