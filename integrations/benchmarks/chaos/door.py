"""The door for programs: users enter by REST, through a web process that may be killed before, while or after."""

from dataclasses import dataclass, field

import requests
from django.utils import timezone

from integrations.benchmarks import crowd
from integrations.benchmarks.journey import Journey
from integrations.benchmarks.processes import NotReady
from integrations.models import Audience, AudienceSync
from pinsync.profiles.matching import MatchField
from pinsync.workspaces.keys import create_key
from pinsync.workspaces.models import Role, Workspace

SECONDS = (2, 20)


@dataclass
class Door:
    """API-triggered Canvases, one for each sync that is fed by calls."""

    address: str  # of the web process
    keys: dict[int, str] = field(default_factory=dict)  # by workspace
    canvases: dict[int, int] = field(default_factory=dict)  # by sync

    def make(self, audience: Audience, operation: str, fields: MatchField) -> AudienceSync:
        """Launch a Canvas that a call triggers, again and again, with one step; return the step's sync."""
        workspace = audience.ad_account.connection.workspace
        if workspace.pk not in self.keys:
            self.keys[workspace.pk] = self._key(workspace)
        journey = Journey(
            workspace, f"{operation} {audience.name}", schedule={"entry_kind": "api"}, send={"reentry": "on"}
        )
        made = journey.add_sync(audience, operation, fields)
        journey.launch()
        self.canvases[made.pk] = journey.id
        return made

    def knock(self, sync: AudienceSync, external_ids: list[str], key: str) -> bool:
        """Call once; return whether it is known that everybody entered. Safe to repeat with the same key."""
        try:
            answer = requests.post(
                f"{self.address}/api/v1/canvases/{self.canvases[sync.pk]}/enter",
                json={"external_ids": external_ids},
                headers={"Authorization": f"Bearer {self.keys[sync.workspace_id]}", "Idempotency-Key": key},
                timeout=SECONDS,
            )
        except requests.RequestException:
            return False
        if answer.status_code == 429 or answer.status_code >= 500:
            return False
        if answer.status_code != 202 or answer.json()["entered"] != len(external_ids):
            raise NotReady(f"A call answered {answer.status_code}: {answer.text[:200]}")
        return True

    def _key(self, workspace: Workspace) -> str:
        return create_key(workspace, "Chaos", Role.EDITOR, crowd.admin_of(workspace), timezone.now())[1]
