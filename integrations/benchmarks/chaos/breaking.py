"""Breaks what a plan says, and notes what has to be put right again and when."""

import time
from collections import Counter
from collections.abc import Callable
from random import Random

import requests
from django.db import Error, connection
from django.utils import timezone

from integrations.benchmarks import crowd
from integrations.benchmarks.chaos.plan import FAULTS, Breakage
from integrations.benchmarks.chaos.scene import LATENCY_MS, Scene
from integrations.benchmarks.processes import Process, children, kill, kill_group, threads
from integrations.connecting import CannotConnect
from integrations.consenting import ConsentProblem
from integrations.errors import PartnerError
from integrations.models import Connection

RECONNECT_EVERY = 2.0


class Breaker:
    """Breaks things in a scene. `repair` does what is due: things come back some seconds after they were killed."""

    def __init__(self, scene: Scene, chance: Random) -> None:
        self.scene, self.chance = scene, chance
        self.done: Counter[str] = Counter()
        self.missed: Counter[str] = Counter()
        self.happened: list[tuple[float, str]] = []  # seconds since the epoch
        self.repairs: list[tuple[float, Callable[[], object]]] = []
        self.reconnect_at = 0.0
        self.reconnected = 0

    def break_it(self, breakage: Breakage) -> None:
        """Break one thing. What is away already cannot be broken, and is counted as missed."""
        try:
            hit = self._hit(breakage)
        except (requests.RequestException, PartnerError, Error):
            connection.close()
            hit = False
        (self.done if hit else self.missed)[breakage.what] += 1
        if hit:
            self.happened.append((time.time(), breakage.what))

    def repair(self) -> None:
        """Start again what has been away for long enough; reconnect what lost its token."""
        due = [repair for repair in self.repairs if repair[0] <= time.monotonic()]
        for at, work in due:
            self.repairs.remove((at, work))
            try:
                work()
            except requests.RequestException:  # the sandbox is away; the fault waits in its journal
                self.repairs.append((time.monotonic() + 1, work))
        if time.monotonic() >= self.reconnect_at:
            self.reconnect_at = time.monotonic() + RECONNECT_EVERY
            self._reconnect()

    def mend_everything(self) -> None:
        """End every fault; start everything that is away. Connections are mended by `repair`."""
        for process in (self.scene.sandbox, self.scene.web, *self.scene.workers):
            if not process.is_up():
                process.start()
        self.repairs = [(0.0, self._mend)]

    def _mend(self) -> None:
        self.scene.sandbox.mend()

    def _hit(self, breakage: Breakage) -> bool:
        what, values = breakage.what, breakage.values
        if what == "latency":
            self._slow(values["ms"])
            self.repairs.append((time.monotonic() + values["seconds"], lambda: self._slow(LATENCY_MS)))
            return True
        if what in FAULTS:
            self.scene.sandbox.break_it(what, **values)
            return True
        if what.startswith("worker "):
            return self._hit_worker(what, values["pause"])
        if what == "web":
            return self._kill(self.scene.web, values["pause"])
        if what == "sandbox":
            self.scene.sandbox.read_log()
            return self._kill(self.scene.sandbox, values["pause"])
        if what == "token":
            self.scene.sandbox.break_it("revoke_token")
            return True
        if what == "rights":
            return self._take_rights(values["pause"])
        if what == "database connections":
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            return True
        (self.scene.folder / "database-pause").write_text(str(values["pause"]))
        return kill(int((self.scene.folder / "database-pid").read_text()))

    def _kill(self, process: Process, pause: float) -> bool:
        if not process.is_up():
            return False
        process.kill()
        self.repairs.append((time.monotonic() + pause, process.start))
        return True

    def _hit_worker(self, what: str, pause: float) -> bool:
        worker = self.chance.choice(self.scene.workers)
        if not worker.is_up():
            return False
        if what == "worker supervisor":
            return self._kill(worker, pause)
        parent = next(iter(children(worker.pid)), None)
        if parent is None:
            return False
        if what == "worker parent":
            return kill_group(parent) if self.chance.random() < 0.5 else kill(parent)
        guard = next(iter(children(parent)), None)
        if guard is None:
            return False
        if what == "worker guard":
            return kill(guard)
        wants_busy = what == "worker busy child"
        # A child that delivers has threads that send; one that waits for a task has none.
        found = [child for child in children(guard) if (threads(child) > 1) == wants_busy]
        return bool(found) and kill(self.chance.choice(found))

    def _slow(self, ms: int) -> None:
        self.scene.sandbox.mend("latency")  # of two latencies the older one counts
        self.scene.sandbox.break_it("latency", ms=ms)

    def _take_rights(self, pause: float) -> bool:
        account = self.chance.choice(self.scene.places).audience.ad_account
        self.scene.sandbox.break_it("remove_ad_account_access", ad_account_id=account.external_id)
        self.repairs.append((time.monotonic() + pause, self._give_rights))
        return True

    def _give_rights(self) -> None:
        self.scene.sandbox.mend("remove_ad_account_access")

    def _reconnect(self) -> None:
        """Go through the consent page for every connection that was found to have a dead token."""
        try:
            for place in self.scene.workspaces:
                if Connection.objects.filter(workspace=place, state=Connection.State.BROKEN).exists():
                    crowd.reconnect(place, timezone.now())
                    self.reconnected += 1
        except (ConsentProblem, CannotConnect, PartnerError, Error):
            connection.close()  # something else is broken just now; the next round tries again
