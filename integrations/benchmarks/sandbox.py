"""The sandbox as a process beside us, and its control side."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests
from django.conf import settings

from integrations.benchmarks.processes import MANAGE, Process, until

SECONDS = (2, 20)


class Sandbox(Process):
    """`manage.py pinterest_sandbox` with its journal in the ground's folder."""

    def __init__(self, folder: Path, env: Mapping[str, str], *options: str) -> None:
        command = [*MANAGE, "pinterest_sandbox", "--port", str(settings.SANDBOX_PORT), *options]
        super().__init__("sandbox", command, env, folder / "sandbox.log")
        self.url = str(settings.PINTEREST_SANDBOX_URL)
        self.seen: list[dict[str, Any]] = []
        self.seen_until = 0.0

    def is_ready(self) -> bool:
        try:
            return requests.get(f"{self.url}/_control/health", timeout=SECONDS).ok
        except requests.RequestException:
            return False

    def begin(self) -> None:
        """Start it and wait until it answers."""
        self.start()
        until(self.is_ready, 30, "The sandbox does not answer.")

    def break_it(self, fault: str, **parameters: Any) -> None:
        answer = requests.post(f"{self.url}/_control/faults", json={"fault": fault, **parameters}, timeout=SECONDS)
        answer.raise_for_status()

    def mend(self, fault: str = "") -> None:
        """End the faults of a name, or all of them."""
        chosen = {"fault": fault} if fault else {}
        requests.delete(f"{self.url}/_control/faults", params=chosen, timeout=SECONDS).raise_for_status()

    def tokens(self, person: str) -> dict[str, Any]:
        """Return tokens of a person without the consent page."""
        answer = requests.post(f"{self.url}/_control/tokens", json={"pinterest_user": person}, timeout=SECONDS)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def records(self, target_id: str) -> set[str]:
        """Return the records in a list."""
        answer = requests.get(f"{self.url}/_control/customer_lists/{target_id}/records", timeout=60)
        answer.raise_for_status()
        return set(answer.text.split())

    def read_log(self) -> bool:
        """Take over what the request log has since we looked; it dies with the process. Return whether it answered."""
        try:
            answer = requests.get(f"{self.url}/_control/requests?since={max(self.seen_until, 1e9):.6f}", timeout=20)
            lines = answer.json()
        except requests.RequestException:
            return False
        known = {(line["time"], line["path"]) for line in self.seen[-2000:]}
        fresh = [line for line in lines if (line["time"], line["path"]) not in known]
        self.seen += fresh
        # A request is logged when it is answered, sorted in by when it arrived: look back past the slowest answer.
        self.seen_until = max(self.seen_until, max((line["time"] for line in lines), default=0.0) - 35.0)
        return True
