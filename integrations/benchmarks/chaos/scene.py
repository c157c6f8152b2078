"""Everything a run of chaos acts on: processes, workspaces, audiences, syncs and users."""

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from integrations.benchmarks import crowd
from integrations.benchmarks.chaos.door import Door
from integrations.benchmarks.processes import MANAGE, Process, children, until
from integrations.benchmarks.sandbox import Sandbox
from integrations.models import AdAccount, Audience, AudienceSync, Heartbeat
from pinsync.profiles.matching import MatchField
from pinsync.workspaces.models import Workspace

PEOPLE = 4_000  # profiles of a workspace
USELESS_EVERY = 40
MASKS = (MatchField.EMAIL, MatchField.EMAIL | MatchField.GAID, MatchField.GAID)
LATENCY_MS = 120  # of every answer while nothing else is broken, so that there is something in flight to break


@dataclass
class Place:
    """An audience with two syncs that add and two that remove, and the users who may enter them.

    The second of each is the step of a Canvas that users enter by REST (door.py).
    """

    audience: Audience
    workspace: Workspace
    profiles: range
    fields: MatchField
    syncs: dict[str, list[AudienceSync]]
    before: set[str]  # the partner's records of it before anybody was sent


@dataclass
class Scene:
    folder: Path
    sandbox: Sandbox
    web: Process
    workers: list[Process]
    door: Door
    workspaces: list[Workspace] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)

    def parents(self) -> dict[str, list[int]]:
        """Return the process that ticks in each worker; none while its cluster is away. Safe in any thread."""
        running = [(worker.name, worker.running) for worker in self.workers]
        return {name: children(one.pid) if one and one.poll() is None else [] for name, one in running}

    def stop(self) -> None:
        for process in (*self.workers, self.web, self.sandbox):
            process.stop()


def make(folder: Path, *, workers: int, audiences: int, users_per_request: int) -> Scene:
    """Make the data and start everything; users have not entered yet."""
    env = dict(os.environ) | {"PINSYNC_WORKERS": "2", "PINSYNC_USERS_PER_REQUEST": str(users_per_request)}
    command = [sys.executable, "-m", "gunicorn", "pinsync.wsgi", "--bind", f"127.0.0.1:{env['PORT']}"]
    scene = Scene(
        folder,
        Sandbox(folder, env),
        Process("web", [*command, "--worker-class", "gthread", "--no-control-socket"], env, folder / "web.log"),
        [
            Process(f"worker {number}", [*MANAGE, "worker"], env, folder / f"worker-{number}.log")
            for number in range(workers)
        ],
        Door(f"http://127.0.0.1:{env['PORT']}"),
    )
    settings.USERS_PER_REQUEST = users_per_request
    scene.sandbox.begin()
    _people(scene, audiences)
    scene.sandbox.break_it("latency", ms=LATENCY_MS)
    scene.web.start()
    for worker in scene.workers:
        worker.start()
    until(lambda: Heartbeat.objects.count() == workers, 60, "The workers do not start.")
    return scene


def _people(scene: Scene, audiences: int) -> None:
    """Make two workspaces that share one partner user, so that they share its pace, and the audiences."""
    stretches = []
    accounts = []
    for name in ("North", "South"):
        made = crowd.workspace(name)
        scene.workspaces.append(made)
        stretches.append(crowd.fill(made, PEOPLE, timezone.now(), useless_every=USELESS_EVERY))
        link = crowd.connect(made, timezone.now())
        accounts.append(list(AdAccount.objects.filter(connection=link, state=AdAccount.State.CONNECTED)))
    for number in range(audiences):
        side = number % 2
        account = accounts[side][number // 2 % len(accounts[side])]
        made_audience = crowd.audience(account, f"Chaos {number}", timezone.now())
        fields = MASKS[number % len(MASKS)]
        scene.places.append(
            Place(
                made_audience,
                scene.workspaces[side],
                stretches[side],
                fields,
                {
                    operation: [
                        crowd.sync(made_audience, operation, fields),
                        scene.door.make(made_audience, operation, fields),
                    ]
                    for operation in ("add", "remove")
                },
                scene.sandbox.records(made_audience.target_id),
            )
        )
