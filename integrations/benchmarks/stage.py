"""What a measurement runs on: a sandbox with many partner users, workspaces, audiences, workers and a meter."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from django.db import connection
from django.utils import timezone

from integrations import registry
from integrations.benchmarks import crowd
from integrations.benchmarks.meter import Meter, backends_of, worker_roles
from integrations.benchmarks.processes import MANAGE, Process, family, until
from integrations.benchmarks.sandbox import Sandbox
from integrations.models import AdAccount, Audience, AudienceSync, Connection, Heartbeat
from pinsync.workspaces.models import Workspace


@dataclass
class Stage:
    folder: Path
    sandbox: Sandbox
    workers: list[Process]
    meter: Meter
    workspaces: list[Workspace] = field(default_factory=list)

    def stop(self) -> None:
        self.meter.stop()
        for process in (*self.workers, self.sandbox):
            process.stop()

    def start_workers(self) -> None:
        """Start the workers, wait until all tick, and begin to measure."""
        for worker in self.workers:
            worker.start()
        until(lambda: Heartbeat.objects.count() == len(self.workers), 60, "The workers do not start.")
        self.meter.start()


def build(folder: Path, *, people: int, workers: int, variables: Mapping[str, str] | None = None) -> Stage:
    """Start the sandbox with `people` partner users of our own; workers start later."""
    env = dict(os.environ) | dict(variables or {})
    sandbox = Sandbox(folder, env, "--more-people", str(people))
    sandbox.begin()
    started = [Process(f"worker {n}", [*MANAGE, "worker"], env, folder / f"worker-{n}.log") for n in range(workers)]
    return Stage(folder, sandbox, started, Meter([lambda: _roles(folder, sandbox, started)]))


def connected(stage: Stage, person: int, name: str) -> AdAccount:
    """Make a workspace that is connected as one of the sandbox's people; return that person's own ad account."""
    place = crowd.workspace(name)
    stage.workspaces.append(place)
    now = timezone.now()
    values = crowd.alive_for(stage.sandbox.tokens(f"person_{person}"), now)
    link = Connection.objects.create(workspace=place, partner=crowd.PARTNER, **values)
    (info,) = registry.partner(crowd.PARTNER).ad_accounts(link.access_token)
    return AdAccount.objects.create(
        connection=link,
        external_id=info.id,
        name=info.name,
        roles=list(info.roles),
        state=AdAccount.State.CONNECTED,
        seen_at=now,
        audiences_refreshed_at=now,
    )


def fed(account: AdAccount, name: str, *operations: str) -> tuple[Audience, list[AudienceSync]]:
    """Create an audience and a sync for each of the operations."""
    made = crowd.audience(account, name, timezone.now())
    return made, [crowd.sync(made, operation, crowd.EMAIL) for operation in operations]


def _roles(folder: Path, sandbox: Sandbox, workers: list[Process]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {"sandbox": sandbox.family()}
    for worker in workers:
        if worker.is_up():
            for role, pids in worker_roles(worker.pid).items():
                found[role] = found.get(role, []) + pids
    if connection.vendor == "postgresql":
        server = folder / "database-pid"
        database = str(connection.settings_dict["NAME"])
        found["database"] = family(int(server.read_text())) if server.exists() else backends_of(database)
    return found
