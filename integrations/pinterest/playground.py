"""The bundled sandbox as a playground: its control side, for the simulator page and for tests."""

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

from integrations import errors
from integrations.contract import Fault, Playground

TIMEOUT_SECONDS = (2, 5)  # it runs beside us


class PinterestSandbox(Playground):
    def __init__(self, url: str) -> None:
        self.url = f"{url.rstrip('/')}/"

    def faults(self) -> list[Fault]:
        """Return the sandbox's own catalogue. Raises PartnerError when it does not answer."""
        return [
            Fault(
                name=kind["fault"],
                label=kind["fault"].replace("_", " ").capitalize(),
                meaning=kind["description"],
                parameters={parameter["name"]: parameter["default"] for parameter in kind["parameters"]},
            )
            for kind in self._ask("GET", "faults")["catalogue"]
        ]

    def active(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._ask("GET", "faults")["faults"]
        return found

    def break_it(self, fault: str, parameters: dict[str, Any]) -> None:
        """Raises InvalidSettings with the sandbox's sentence when it knows no such fault or parameter."""
        self._ask("POST", "faults", {**parameters, "fault": fault})

    def mend(self) -> None:
        self._ask("DELETE", "faults")

    def requests(self, since: float) -> list[dict[str, Any]]:
        """See Playground; every line also has the sandbox's own fields."""
        lines: list[dict[str, Any]] = self._ask("GET", f"requests?since={since:.3f}")
        return [
            {**line, "user": line["pinterest_user"], "ads_write": line["category"] == "ads_write"} for line in lines
        ]

    def consent(self, consent_url: str) -> str:
        """See Playground: as the first of the sandbox's people, with all scopes that are asked for."""
        parts = urlsplit(consent_url)
        if (parts.hostname or "").endswith("pinterest.com"):
            raise errors.InvalidSettings("This consent page is no sandbox's")
        try:
            page = requests.get(consent_url, timeout=TIMEOUT_SECONDS, allow_redirects=False)
            person = re.search(r'name="pinterest_user" value="([^"]+)"', page.text)
            if page.status_code != requests.codes.ok or person is None:
                raise errors.InvalidSettings("The consent page asks nobody", http_status=page.status_code)
            form = {
                "pinterest_user": person[1],
                "scope": parse_qs(parts.query).get("scope", [""])[0].split(","),
                "decision": "allow",
            }
            answer = requests.post(consent_url, data=form, timeout=TIMEOUT_SECONDS, allow_redirects=False)
        except requests.RequestException as problem:
            raise errors.Unavailable(f"The sandbox does not answer: {type(problem).__name__}") from None
        if not answer.headers.get("Location"):
            raise errors.InvalidSettings("The consent page leads nowhere", http_status=answer.status_code)
        return answer.headers["Location"]

    def _ask(self, method: str, path: str, json: dict[str, Any] | None = None) -> Any:
        try:
            response = requests.request(
                method, f"{self.url}_control/{path}", json=json, timeout=TIMEOUT_SECONDS, allow_redirects=False
            )
            body = response.json()
        except requests.RequestException as problem:
            raise errors.Unavailable(f"The sandbox does not answer: {type(problem).__name__}") from None
        if response.status_code != requests.codes.ok:
            message = str(body.get("message", "")) if isinstance(body, dict) else ""
            raise errors.InvalidSettings(message, http_status=response.status_code)
        return body
