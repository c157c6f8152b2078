"""The bundled sandbox as a playground: its control side, for the simulator page and for tests."""

import re
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import requests
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from integrations import errors
from integrations.contract import Fault, Playground

TIMEOUT_SECONDS = (2, 5)  # it runs beside us

# What people read of each fault; one that is missing here speaks for itself, in the sandbox's English.
SAID: dict[str, tuple[str | Promise, str | Promise]] = {
    "revoke_token": (
        _("Revoke the tokens"),
        _("All access and refresh tokens of a Pinterest user stop working now, as after a changed password."),
    ),
    "remove_ad_account_access": (
        _("Take the ad account rights away"),
        _("A Pinterest user no longer reaches an ad account: somebody removed them from the Business Hub."),
    ),
    "delete_audience": (
        _("Delete an audience"),
        _("Somebody deletes an audience in Ads Manager; its customer list goes with it."),
    ),
    "outage": (_("Outage"), _("Pinterest is down: every call of the API fails. Users wait; nobody is lost.")),
    "rate_limit": (
        _("429 storm"),
        _("Every write is answered 429 Too Many Requests. Pinsync slows down; no user fails for it."),
    ),
    "latency": (_("Slow answers"), _("Every answer of the API waits, after the request was applied.")),
    "refuse_record": (
        _("Refuse a record"),
        _("Any request that holds this record is refused as a whole, without saying which record it was."),
    ),
    "drop_answer": (
        _("Drop the answer"),
        _("The request is applied, then the connection closes without an answer. Sending twice changes nothing."),
    ),
    "cut": (_("Cut the connection"), _("The connection closes before the request is applied.")),
    "garbage": (_("Broken answers"), _("The request is applied, then answered with something that makes no sense.")),
    "terms": (
        _("Terms of service not accepted"),
        _("Writes to an ad account are refused until its owner accepts Pinterest’s terms."),
    ),
    "clock": (
        _("Jump forward in time"),
        _("Pinterest’s clock jumps: sizes and statuses settle, tokens age and expire. Pinsync’s own clock stays."),
    ),
}
LABELS: dict[str, str | Promise] = {
    "pinterest_user": _("Pinterest user"),
    "ad_account_id": _("Ad account"),
    "audience_id": _("Audience"),
    "status": _("HTTP status"),
    "seconds": _("Seconds"),
    "html": _("Answer with a web page"),
    "path": _("Only paths with"),
    "header": _("Say when to try again"),
    "only_reset": _("Only in X-RateLimit-Reset"),
    "ms": _("Milliseconds"),
    "digest": _("Record"),
    "count": _("Answers"),
    "form": _("Form"),
    "hours": _("Hours"),
}
# What each parameter wants; one that the sandbox refuses is answered with it.
WANTED: dict[str, str | Promise] = {
    "pinterest_user": _("the name or id of a Pinterest user is needed, or nothing for all of them."),
    "ad_account_id": _("the id of an ad account at the sandbox is needed."),
    "audience_id": _("the id of an audience at the sandbox is needed."),
    "status": _("a number from 400 to 599 is needed."),
    "digest": _("a digest, or an e-mail address in lower case, is needed."),
    "form": _("json, html, error or redirect is needed."),
}
WANTED |= dict.fromkeys(("html", "header", "only_reset"), _("true or false is needed."))
A_NUMBER = _("a number from 0 to 9,999,999 is needed.")


class PinterestSandbox(Playground):
    def __init__(self, url: str) -> None:
        self.url = f"{url.rstrip('/')}/"

    def faults(self) -> list[Fault]:
        """Return the sandbox's own catalogue. Raises PartnerError when it does not answer."""
        return [_fault(kind) for kind in self._ask("GET", "faults")["catalogue"]]

    def active(self) -> list[dict[str, Any]]:
        """See Playground; each also says what people call it and its parameters."""
        found: list[dict[str, Any]] = self._ask("GET", "faults")["faults"]
        return [
            {
                **fault,
                "label": str(SAID.get(fault["fault"], (fault["fault"], ""))[0]),
                "labels": {name: str(LABELS.get(name, name)) for name in fault["parameters"]},
            }
            for fault in found
        ]

    def break_it(self, fault: str, parameters: dict[str, Any]) -> int | None:
        """Raises InvalidSettings, with a sentence for people, for no such fault or a parameter that makes no sense."""
        answer = self._ask("POST", "faults", {**parameters, "fault": fault})
        at_once = {kind["fault"] for kind in answer["catalogue"] if kind["acts_at_once"]}
        numbers = [int(active["id"]) for active in answer["faults"] if active["fault"] == fault]
        return max(numbers) if numbers and fault not in at_once else None

    def mend(self, number: int | None = None, *, name: str = "") -> None:
        which = {"id": str(number)} if number is not None else {"fault": name} if name else {}
        self._ask("DELETE", f"faults?{urlencode(which)}" if which else "faults")

    def records(self, audience_id: str) -> int | None:
        found = self._ask("GET", f"audiences?{urlencode({'id': audience_id})}")
        return int(found[0]["size"]) if found else None

    def requests(self, since: float) -> list[dict[str, Any]]:
        """See Playground; every line also has the sandbox's own fields."""
        lines: list[dict[str, Any]] = self._ask("GET", f"requests?since={since:.3f}")
        return [
            {**line, "user": line["pinterest_user"], "ads_write": line["category"] == "ads_write"} for line in lines
        ]

    def consent(self, consent_url: str, person: str = "") -> str:
        """See Playground: with all scopes that are asked for."""
        parts = urlsplit(consent_url)
        if (parts.hostname or "").endswith("pinterest.com"):
            raise errors.InvalidSettings("This consent page is no sandbox's")
        try:
            page = requests.get(consent_url, timeout=TIMEOUT_SECONDS, allow_redirects=False)
            first = re.search(r'name="pinterest_user" value="([^"]+)"', page.text)
            if page.status_code != requests.codes.ok or first is None:
                raise errors.InvalidSettings("The consent page asks nobody", http_status=page.status_code)
            form = {
                "pinterest_user": person or first[1],
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
            refused = body.get("parameter", "") if isinstance(body, dict) else ""
            raise errors.InvalidSettings(_refusal(refused), http_status=response.status_code)
        return body


def _refusal(parameter: str) -> str:
    if not parameter:
        return gettext("The sandbox does not do that.")
    return f"{LABELS.get(parameter, parameter)}: {WANTED.get(parameter, A_NUMBER)}"


def _fault(kind: dict[str, Any]) -> Fault:
    label, meaning = SAID.get(kind["fault"], (kind["fault"].replace("_", " ").capitalize(), kind["description"]))
    names = [parameter["name"] for parameter in kind["parameters"]]
    return Fault(
        name=kind["fault"],
        label=str(label),
        meaning=str(meaning),
        parameters={parameter["name"]: parameter["default"] for parameter in kind["parameters"]},
        at_once=bool(kind["acts_at_once"]),
        labels={name: str(LABELS.get(name, name)) for name in names},
    )
