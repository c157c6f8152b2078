"""`/oauth/`: the page on which a person lets an app in. Scripts may POST its form without looking at it."""

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit, urlunsplit

from django.http import HttpResponse, QueryDict

from ..errors import Refusal
from ..facts import SCOPES
from ..pages import render
from ..request import SandboxRequest

SENTENCES = {
    "user_accounts:read": "See your user accounts and followers",
    "ads:read": "See all of your advertising data, including ads, ad groups, campaigns etc.",
    "ads:write": "Create, update, or delete ads, ad groups, campaigns etc.",
}


@dataclass(frozen=True, slots=True)
class Question:
    """What an app asks for: which scopes, and where to send the answer."""

    redirect_uri: str
    state: str
    scopes: list[str]

    def answer(self, **fields: str) -> HttpResponse:
        """Send the person back to the app."""
        parts = urlsplit(self.redirect_uri)
        fields |= {"state": self.state} if self.state else {}
        query = "&".join(filter(None, (parts.query, urlencode(fields))))
        return HttpResponse(status=302, headers={"Location": urlunsplit(parts._replace(query=query, fragment=""))})


class Unaskable(Exception):
    """The question is wrong in a way that must not be sent back to the app's address."""


def ask(request: SandboxRequest) -> HttpResponse:
    """Show who asks for what."""
    try:
        question = _question(request)
    except Unaskable as problem:
        return render("consent.html", {"problem": str(problem)}, status=400)
    return render(
        "consent.html",
        {
            "question": question,
            "host": urlsplit(question.redirect_uri).netloc,
            "users": list(request.sandbox.world.pinterest_users.values()),
            "scopes": [(scope, SENTENCES.get(scope, "")) for scope in question.scopes],
            "action": f"?{request.META['QUERY_STRING']}",
        },
    )


def decide(request: SandboxRequest) -> HttpResponse:
    """Send the person back with a code, or with the news that they said no."""
    form = _form(request)
    try:
        question = _question(request)
        if form.get("decision") == "cancel":
            return question.answer(error="access_denied", error_description="The person did not give access.")
        user = request.sandbox.world.pinterest_user(form.get("pinterest_user", ""))
        if form.get("decision") != "allow" or user is None:
            raise Unaskable("Choose a Pinterest user, and give access or cancel.")
    except Unaskable as problem:
        return render("consent.html", {"problem": str(problem)}, status=400)
    scopes = [scope for scope in question.scopes if scope in form.getlist("scope")]
    now = request.sandbox.clock.now()
    return question.answer(code=request.sandbox.tokens.new_code(user.id, scopes, question.redirect_uri, now))


def _form(request: SandboxRequest) -> QueryDict:
    if request.content_type != "application/x-www-form-urlencoded":
        raise Refusal(415, 415, "The content type has to be application/x-www-form-urlencoded.")
    return QueryDict(request.content(), encoding="utf-8")


def _question(request: SandboxRequest) -> Question:
    """Return what the query asks, as https://www.pinterest.com/oauth/ takes it. Raises Unaskable."""
    query = request.GET
    if query.get("client_id") != request.sandbox.app.id:
        raise Unaskable("No app has this client_id. The sandbox knows one app; its id is set when the sandbox starts.")
    redirect_uri = query.get("redirect_uri", "")
    if not _may_redirect(redirect_uri, only_loopback=request.sandbox.app.only_loopback):
        raise Unaskable("redirect_uri has to be an http address on this machine.")
    if query.get("response_type") != "code":
        raise Unaskable("response_type has to be code.")
    scopes = query.get("scope", "").replace(",", " ").split()
    if not scopes or not SCOPES.issuperset(scopes):
        raise Unaskable("scope is empty or holds one that Pinterest does not know.")
    return Question(redirect_uri, query.get("state", ""), list(dict.fromkeys(scopes)))


def _may_redirect(redirect_uri: str, *, only_loopback: bool) -> bool:
    try:
        parts = urlsplit(redirect_uri)
        host = parts.hostname or ""
    except ValueError:
        return False
    if (
        parts.scheme not in ("http", "https")
        or not host
        or any(character <= " " or character == "\\" for character in redirect_uri)
    ):
        return False
    if not only_loopback or host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
