"""Consent at Pinterest, and the tokens that come of it.

allauth has a client for this, but it wants a web request and puts the answer's body into its errors; four short
functions are less than what it would take to keep it quiet.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.conf import settings

from integrations import errors
from integrations.contract import Tokens
from integrations.pinterest import limits
from integrations.pinterest.answers import About
from integrations.pinterest.client import app_auth, call

# Without it, apps made before 2025-09-25 get the legacy refresh token: 365 days, then log in again.
CONTINUOUS = {"continuous_refresh": "true"}


def consent_url(*, redirect_uri: str, state: str) -> str:
    """Return Pinterest's consent page for our scopes."""
    query = {
        "client_id": settings.PINTEREST_APP_ID,
        "redirect_uri": redirect_uri,
        "response_type": "code",
        "scope": ",".join(sorted(limits.SCOPES)),
        "state": state,
    }
    return f"{settings.PINTEREST_OAUTH_URL}?{urlencode(query)}"


def exchange(*, code: str, redirect_uri: str) -> Tokens:
    """Exchange an authorization code. Not to be repeated: a code works once. Raises PartnerError."""
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri, **CONTINUOUS}
    _, body = call("POST", "/oauth/token", About.CONSENT, app_auth(), form=form)
    return _tokens(body, refresh_token="")


def refresh(refresh_token: str) -> Tokens:
    """Exchange a refresh token for new tokens. Raises NeedsReconnect when it is dead, else PartnerError."""
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token, **CONTINUOUS}
    _, body = call("POST", "/oauth/token", About.REFRESH, app_auth(), form=form)
    return _tokens(body, refresh_token=refresh_token)


def revoke(token: str, hint: str) -> None:
    """Take a token back. Pinterest does so for system users only: for others it raises AccessLost."""
    call(
        "POST",
        "/oauth/token/revoke",
        About.REVOCATION,
        app_auth(),
        form={"token": token, "token_type_hint": hint},
        has_answer=False,
    )


def _tokens(body: Mapping[str, Any], *, refresh_token: str) -> Tokens:
    access, lifetime, scope = body.get("access_token"), body.get("expires_in"), body.get("scope")
    if not isinstance(access, str) or not access or not isinstance(lifetime, int) or not isinstance(scope, str):
        raise errors.Unavailable("A token answer lacks its token, lifetime or scope")
    new_refresh, refresh_lifetime = body.get("refresh_token"), body.get("refresh_token_expires_in")
    return Tokens(
        access_token=access,
        refresh_token=new_refresh if isinstance(new_refresh, str) and new_refresh else refresh_token,
        access_lifetime=timedelta(seconds=lifetime),
        refresh_lifetime=timedelta(seconds=refresh_lifetime) if isinstance(refresh_lifetime, int) else None,
        scopes=frozenset(scope.replace(",", " ").split()),
    )
