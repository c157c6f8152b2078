"""Pages for people: a small Ads Manager, a control panel and the log of requests."""

from collections import Counter
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse

from ..audiences import Audience
from ..breaking import break_on_purpose
from ..catalogue import BY_NAME, KINDS, LABELS, BadFault
from ..errors import not_found
from ..facts import HOUR
from ..faults import Fault
from ..pages import HERE, render
from ..people import AD_ACCOUNTS, AdAccount
from ..request import SandboxRequest, whole_number
from .control import body_of

AUDIENCES_A_PAGE = 50
SHOWN_HAPPENINGS = 200
SHOWN_REQUESTS = 100
SHOWN_SECONDS = 60
BAR_WIDTH, CHART_HEIGHT = 10, 120


def ads_manager(request: SandboxRequest) -> HttpResponse:
    """Show the audiences of one ad account, newest first, page by page; those with a name if searched."""
    world = request.sandbox.world
    ad_account = world.ad_accounts.get(request.GET.get("ad_account_id", AD_ACCOUNTS[0].id))
    if ad_account is None:
        raise not_found("AdAccount")
    search = request.GET.get("search", "").strip()
    found = [
        audience
        for audience in reversed(world.audiences_of(ad_account.id))
        if search.casefold() in audience.name.casefold() or search == audience.id
    ]
    pages = max(1, -(-len(found) // AUDIENCES_A_PAGE))
    page = min(max(1, whole_number(request.GET.get("page", "1")) or 1), pages)
    shown = found[(page - 1) * AUDIENCES_A_PAGE : page * AUDIENCES_A_PAGE]
    same = {"ad_account_id": ad_account.id, "search": search}
    return render(
        "ads_manager.html",
        {
            "here": "ads_manager",
            "ad_accounts": [(known, len(world.audiences_of(known.id))) for known in world.ad_accounts.values()],
            "ad_account": ad_account,
            "people": _people(request, ad_account),
            "search": search,
            "found": _number(len(found)),
            "audiences": [_row(request, audience) for audience in shown],
            "page": page,
            "pages": pages,
            "newer": urlencode(same | {"page": page - 1}) if page > 1 else "",
            "older": urlencode(same | {"page": page + 1}) if page < pages else "",
        },
    )


def audience(request: SandboxRequest, audience_id: str) -> HttpResponse:
    """Show one audience with what was added to it and removed from it."""
    world = request.sandbox.world
    found = world.audiences.get(audience_id)
    if found is None:
        return render("gone.html", {"here": "ads_manager", "audience_id": audience_id}, status=404)
    customer_list = world.customer_list_of(found)
    history = list(customer_list.history)[-SHOWN_HAPPENINGS:] if customer_list else []
    return render(
        "audience.html",
        {
            "here": "ads_manager",
            "follow_seconds": 5,
            "following": "follow" in request.GET,
            "audience": _row(request, found),
            "ad_account": world.ad_accounts[found.ad_account_id],
            "customer_list": customer_list,
            "seeds": [world.audiences[id] for id in found.rule.get("seed_id", []) if id in world.audiences],
            "rule": found.rule,
            "list_status": _words(customer_list.status(world.clock.now())).lower() if customer_list else "",
            "figures": [
                (name, _number(number))
                for name, number in (
                    ("Batches", customer_list.batches),
                    ("Records uploaded", customer_list.uploaded),
                    ("Records removed", customer_list.removed),
                )
            ]
            if customer_list
            else [],
            "history": [
                {
                    "time": _moment(happening.at),
                    "operation": _words(happening.operation),
                    "records": _number(happening.records),
                    "status": happening.status,
                }
                for happening in reversed(history)
            ],
            "cut": customer_list is not None and len(customer_list.history) > SHOWN_HAPPENINGS,
        },
    )


def control_panel(request: SandboxRequest, told: str = "", problem: str = "") -> HttpResponse:
    """Show every fault as a small form, and those that are active."""
    sandbox = request.sandbox
    now = sandbox.clock.time()
    active = [
        {
            "id": fault.id,
            "title": BY_NAME[fault.name].title,
            "details": _details(request, fault, now),
        }
        for fault in sandbox.faults.active()
    ]
    return render(
        "control.html",
        {
            "here": "control",
            "kinds": KINDS,
            "active": active,
            "users": list(sandbox.world.pinterest_users.values()),
            "ad_accounts": list(sandbox.world.ad_accounts.values()),
            "now": _moment(sandbox.clock.now()),
            "jumped": f"{sandbox.clock.jumped_hours:g}" if sandbox.clock.jumped_hours else "",
            "trial": _trial(request),
            "told": told or request.GET.get("told", ""),
            "problem": problem,
        },
        status=400 if problem else 200,
    )


def _trial(request: SandboxRequest) -> dict[str, str] | None:
    """Return what an app with trial access has used of its day; None with standard access."""
    sandbox = request.sandbox
    if sandbox.limits.trial_calls is None:
        return None
    used = sandbox.windows.used_of_app(sandbox.clock.now())
    hours = f"{sandbox.limits.trial_seconds / HOUR:g} hours"
    seconds = sandbox.limits.trial_seconds
    return {
        "used": _number(used),
        "limit": _number(sandbox.limits.trial_calls),
        "span": hours if seconds >= HOUR else f"{seconds:g} seconds",
    }


def _details(request: SandboxRequest, fault: Fault, now: float) -> str:
    """Say in words how something is broken: what is as it is anyway, and what counts down beside, is left out."""
    known = request.sandbox.world.ad_accounts
    details = []
    for name, value in fault.parameters.items():
        if value is None or value is False or name in ("seconds", "count"):
            continue
        said = known[value].name if name == "ad_account_id" and value in known else value
        details.append(LABELS[name] if value is True else f"{LABELS[name]} {said}")
    if fault.until is not None:
        details.append(f"{max(0, round(fault.until - now))} s left")
    if fault.left is not None:
        details.append(f"{fault.left} left")
    return " · ".join(details)


def press(request: SandboxRequest) -> HttpResponse:
    """Do what a button of the control panel says, then show the panel again."""
    form = body_of(request)
    button = str(form.pop("button", ""))
    if button == "reset":
        request.sandbox.reset()
        return _panel_again("Everything is as at the start.")
    if button == "clear":
        request.sandbox.faults.clear(id=whole_number(str(form.get("id", ""))))
        return _panel_again("Cleared.")
    try:
        return _panel_again(break_on_purpose(request.sandbox, button, form))
    except BadFault as bad:
        return control_panel(request, problem=_problem(button, bad))


def _problem(button: str, bad: BadFault) -> str:
    """Say what is wrong by the names that the panel uses; the API says it by its own."""
    kind = BY_NAME.get(button)
    parameter = next((one for one in kind.parameters if one.name == bad.parameter), None) if kind else None
    if kind is None or parameter is None:
        return str(bad)
    needed = f"a {parameter.kind} is needed." if parameter.kind in ("number", "digest") else parameter.sentence
    return f"{kind.title}. {parameter.label}: {needed}"


def _panel_again(told: str) -> HttpResponse:
    return HttpResponse(status=303, headers={"Location": f"/control?{urlencode({'told': told})}"})


def request_log(request: SandboxRequest) -> HttpResponse:
    """Show the latest requests, and a bar for each of the last 60 seconds against the limit."""
    sandbox = request.sandbox
    now = sandbox.clock.time()
    users = sandbox.world.pinterest_users
    return render(
        "requests.html",
        {
            "here": "requests",
            "follow_seconds": 3,
            "following": "follow" in request.GET,
            "limit": sandbox.limits.writes_per_second,
            "charts": [_chart(request, user.id, user.username, now) for user in users.values()],
            "requests": [
                {
                    "entry": entry,
                    "time": _moment(entry.time, "%H:%M:%S.%f")[:-3],
                    "user": users[entry.pinterest_user].username if entry.pinterest_user else "",
                    "records": "" if entry.records is None else _number(entry.records),
                    "duration": f"{entry.duration_ms:,.0f} ms",
                }
                for entry in sandbox.log.latest(SHOWN_REQUESTS)
            ],
        },
    )


def _chart(request: SandboxRequest, user_id: str, username: str, now: float) -> dict[str, Any]:
    """Return the bars of one Pinterest user: write requests by the second of their arrival."""
    limit = request.sandbox.limits.writes_per_second
    passed: Counter[int] = Counter()
    refused: Counter[int] = Counter()
    for entry in request.sandbox.log.since(SHOWN_SECONDS, now):
        if entry.pinterest_user == user_id and entry.category == "ads_write":
            (refused if entry.status == 429 else passed)[int(entry.time)] += 1
    tallest = max([limit * 1.4, *((passed + refused).values())])
    scale = CHART_HEIGHT / tallest
    seconds = range(int(now) - SHOWN_SECONDS + 1, int(now) + 1)
    return {
        "username": username,
        "total": _number(passed.total()),
        "refused": _number(refused.total()),
        "line": f"{CHART_HEIGHT - limit * scale:.1f}",
        "bars": [
            {
                "x": place * BAR_WIDTH,
                "passed_y": f"{CHART_HEIGHT - passed[second] * scale:.1f}",
                "passed": f"{passed[second] * scale:.1f}",
                "refused_y": f"{CHART_HEIGHT - (passed[second] + refused[second]) * scale:.1f}",
                "refused": f"{refused[second] * scale:.1f}",
                "title": f"{_moment(second, '%H:%M:%S')}: {passed[second]} passed, {refused[second]} refused",
            }
            for place, second in enumerate(seconds)
            if passed[second] or refused[second]
        ],
    }


def stylesheet(request: SandboxRequest) -> HttpResponse:
    """Return the one stylesheet."""
    return HttpResponse(_css(), content_type="text/css; charset=utf-8", headers={"Cache-Control": "max-age=60"})


@cache
def _css() -> bytes:
    return (HERE / "sandbox.css").read_bytes()


def _row(request: SandboxRequest, audience: Audience) -> dict[str, Any]:
    world = request.sandbox.world
    shown = world.audience_json(audience)
    return {
        "id": audience.id,
        "name": audience.name,
        "description": audience.description,
        "type": audience.audience_type,
        "type_words": _words(audience.audience_type),
        "size": "—" if shown["size"] is None else _number(shown["size"]),
        "true_size": _number(world.size(audience)),
        "status": shown["status"],
        "status_words": _words(shown["status"]),
        "created": _moment(audience.created, "%Y-%m-%d"),
    }


def _people(request: SandboxRequest, ad_account: AdAccount) -> list[str]:
    users = request.sandbox.world.pinterest_users.values()
    roles = [(user.username, request.sandbox.roles(user, ad_account)) for user in users]
    return [f"{username}: {', '.join(held) or 'no access'}" for username, held in roles]


def _moment(at: float, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    return datetime.fromtimestamp(at, UTC).strftime(form)


def _words(code: str) -> str:
    """Return a code of the API in words: TOO_SMALL, Too small."""
    return code.replace("_", " ").capitalize()


def _number(number: int) -> str:
    return f"{number:,}"
