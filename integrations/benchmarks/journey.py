"""A Canvas, made through its pages as a person would: this side of the house knows nothing of Canvases."""

import re
from typing import Any

from django.test import Client

from integrations.benchmarks import crowd
from integrations.benchmarks.processes import NotReady
from integrations.models import Audience, AudienceSync
from pinsync.profiles.matching import MatchField
from pinsync.workspaces.models import Workspace


class Journey:
    """A draft with the settings that are told, by the name of their section; steps are added, then it is launched."""

    def __init__(self, workspace: Workspace, name: str, **sections: dict[str, str]) -> None:
        self.workspace = workspace
        self.client = Client(HTTP_HOST="127.0.0.1")
        self.client.force_login(crowd.admin_of(workspace))
        made = self._post(f"/w/{workspace.slug}/canvas/new/", {"name": name})
        self.page = made.headers["Location"].split("settings/")[0]
        for section, values in sections.items():
            self._post(f"{self.page}settings/{section}/", values)

    @property
    def id(self) -> int:
        return int(self.page.rstrip("/").rsplit("/", 1)[1])

    def steps(self) -> list[int]:
        """Return the ids of its steps, in the order in which they were added."""
        return sorted(set(map(int, re.findall(r"/steps/(\d+)/", self.client.get(self.page).content.decode()))))

    def add_sync(self, audience: Audience, operation: str, fields: MatchField) -> AudienceSync:
        """Add an Audience Sync step and return what it is set to."""
        self._post(f"{self.page}steps/add/", {"kind": "audience_sync"})
        step = self.steps()[-1]
        values = {
            "name": f"Step {step}",
            "partner": crowd.PARTNER,
            "ad_account": audience.ad_account_id,
            "audience": audience.pk,
            "audience_text": audience.name,
            "operation": operation,
            "fields_to_match": fields.names,
            "do": "done",
        }
        self._post(f"{self.page}steps/{step}/", values)
        return AudienceSync.objects.filter(workspace=self.workspace).latest("pk")

    def launch(self) -> None:
        self._post(f"{self.page}launch/", {})

    def _post(self, address: str, values: dict[str, object] | dict[str, str]) -> Any:
        answer = self.client.post(address, values)
        if answer.status_code != 302:
            raise NotReady(f"{address} answered {answer.status_code}.")
        return answer
