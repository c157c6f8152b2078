"""`/oauth/token` and `/oauth/token/revoke`: codes and refresh tokens for tokens."""

import base64
import hmac

from django.http import HttpResponse, JsonResponse, QueryDict

from ..errors import Refusal, invalid, unauthenticated
from ..facts import ACCESS_TOKEN_SECONDS, REFRESH_TOKEN_SECONDS
from ..request import SandboxRequest
from ..tokens import Pair


def token(request: SandboxRequest) -> JsonResponse:
    """Return new tokens for a code or for a refresh token."""
    form = _form_of_the_app(request)
    now = request.sandbox.clock.now()
    tokens = request.sandbox.tokens
    grant_type = form.get("grant_type")
    if grant_type == "authorization_code":
        pair = tokens.redeem(_field(form, "code"), _field(form, "redirect_uri"), now)
    elif grant_type == "refresh_token":
        scopes = form.get("scope", "").replace(",", " ").split() or None
        pair = tokens.refresh(_field(form, "refresh_token"), scopes, now)
    else:
        raise invalid("grant_type has to be authorization_code or refresh_token.")
    return JsonResponse(as_json(pair, grant_type))


def as_json(pair: Pair, response_type: str) -> dict[str, object]:
    """Return tokens as Pinterest's `OauthAccessTokenResponse`."""
    return {
        "response_type": response_type,
        "access_token": pair.access,
        "token_type": "bearer",
        "expires_in": ACCESS_TOKEN_SECONDS,
        "scope": " ".join(pair.scopes),
        "refresh_token": pair.refresh,
        "refresh_token_expires_in": REFRESH_TOKEN_SECONDS,
        "refresh_token_expires_at": int(pair.refresh_expires),
    }


def revoke(request: SandboxRequest) -> HttpResponse:
    """Make a token unusable. Safe to repeat; Pinterest does this for system users only, the sandbox for everybody."""
    form = _form_of_the_app(request)
    if form.get("token_type_hint", "access_token") not in ("access_token", "refresh_token"):
        raise invalid("token_type_hint has to be access_token or refresh_token.")
    request.sandbox.tokens.revoke(_field(form, "token"))
    return HttpResponse(status=200)


def _form_of_the_app(request: SandboxRequest) -> QueryDict:
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    try:
        given = base64.b64decode(encoded, validate=True)
    except ValueError:
        raise unauthenticated() from None
    app = request.sandbox.app
    if scheme.lower() != "basic" or not hmac.compare_digest(given, f"{app.id}:{app.secret}".encode()):
        raise unauthenticated()
    if request.content_type != "application/x-www-form-urlencoded":
        raise Refusal(415, 415, "The content type has to be application/x-www-form-urlencoded.")
    return QueryDict(request.content(), encoding="utf-8")


def _field(form: QueryDict, name: str) -> str:
    value = form.get(name)
    if not value:
        raise invalid(f"{name} is missing.")
    return value
