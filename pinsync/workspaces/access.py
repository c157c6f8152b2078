"""Who may enter a page: the one place that decides it, for people and for programs.

Every view of a workspace wears one of the two decorators; both leave the role they ask for in `required_role`, and a
test walks the URL conf and asks every view as Admin, Viewer, outsider and anonymous.
"""

import json
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeGuard, cast
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import resolve_url
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django_ratelimit.core import get_usage

from pinsync.ids import may_be_ids
from pinsync.workspaces.keys import find_key
from pinsync.workspaces.models import ApiKey, Member, Role, User, Workspace

View = Callable[..., HttpResponseBase]
Decorator = Callable[[View], View]

LAST_WORKSPACE = "workspace"  # session key: the slug of the workspace used last


class WorkspaceRequest(HttpRequest):
    """What a view behind `workspace_view` gets: a signed-in member of the workspace."""

    user: User
    workspace: Workspace
    member: Member


class ApiRequest(HttpRequest):
    """What a view behind `api_view` gets: a program with a key of the workspace."""

    workspace: Workspace
    api_key: ApiKey


class ApiError(Exception):
    """Raised by API views: answered as `{"error": {"code", "message"}}`."""

    def __init__(self, status: int, code: str, message: str, *, retry_after: int = 60) -> None:
        super().__init__(code)
        self.status, self.code, self.message, self.retry_after = status, code, message, retry_after


def workspace_view(role: Role) -> Decorator:
    """Let members with at least `role` in; the view is called with (request, workspace, **kwargs).

    Anonymous people are sent to sign in, outsiders see a 404 as if nothing were there, the wrong role a 403.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, workspace: str, **kwargs: Any) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return _to_sign_in(request)
            if not may_be_ids(kwargs.values()):
                raise Http404
            member = (
                Member.objects.select_related("workspace").filter(workspace__slug=workspace, user=request.user).first()
            )
            if member is None:
                raise Http404
            inside = cast(WorkspaceRequest, request)
            inside.workspace, inside.member = member.workspace, member
            if not member.may(role):
                raise PermissionDenied
            if request.session.get(LAST_WORKSPACE) != member.workspace.slug:
                request.session[LAST_WORKSPACE] = member.workspace.slug
            return _keep_private(view(inside, member.workspace, **kwargs))

        guarded.required_role = role  # type: ignore[attr-defined]
        return guarded

    return decorate


def api_view(role: Role) -> Decorator:
    """Let programs with a key of at least `role` in; the view is called with (request, workspace, **kwargs).

    `Authorization: Bearer KEY`; the key names the workspace. Every refusal is JSON. An ApiError, a 404, a 403 or a
    405 of the view comes out as JSON too.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
            try:
                inside = cast(ApiRequest, request)
                inside.api_key = _api_key(request)
                inside.workspace = inside.api_key.workspace
                _limit(request, "api", str(inside.api_key.pk), settings.API_REQUESTS_PER_MINUTE)
                if Role(inside.api_key.role).rank < role.rank:
                    raise ApiError(403, "forbidden", _("This key's role does not allow that."))
                if not may_be_ids(kwargs.values()):
                    raise Http404
                response = view(inside, inside.workspace, **kwargs)
            except ApiError as error:
                return _refuse(error)
            except Http404:
                return _refuse(ApiError(404, "not_found", _("There is no such thing in this workspace.")))
            except PermissionDenied:
                return _refuse(ApiError(403, "forbidden", _("This key's role does not allow that.")))
            except RequestDataTooBig:
                return _refuse(ApiError(413, "too_large", _("The request is too large; send it in parts.")))
            if isinstance(response, HttpResponseNotAllowed):
                refusal = _refuse(ApiError(405, "method_not_allowed", _("This address does not take that method.")))
                refusal["Allow"] = response["Allow"]
                return refusal
            return _keep_private(response)

        guarded.required_role = role  # type: ignore[attr-defined]
        return csrf_exempt(guarded)

    return decorate


def json_body(request: HttpRequest) -> dict[str, Any]:
    """Return the request's JSON object. Raises ApiError."""
    try:
        body = json.loads(request.body)
    except (ValueError, RecursionError):  # the latter: nested thousands of times
        raise ApiError(400, "invalid_json", _("The body is not valid JSON.")) from None
    if not isinstance(body, dict):
        raise ApiError(400, "invalid_json", _("The body must be a JSON object."))
    return body


def is_text(value: object) -> TypeGuard[str]:
    """Return whether a value of a JSON body is a text with something in it that both databases can compare.

    No database takes half a character (a lone surrogate), and PostgreSQL no NUL.
    """
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _api_key(request: HttpRequest) -> ApiKey:
    scheme, _blank, secret = request.headers.get("Authorization", "").partition(" ")
    known = scheme.lower() == "bearer" and secret.strip()
    found = find_key(secret.strip(), timezone.now()) if known else None
    if found is None:
        _limit(request, "api-unknown", request.META.get("REMOTE_ADDR", ""), settings.API_REQUESTS_PER_MINUTE)
        raise ApiError(401, "unauthorized", _("Send a valid key as “Authorization: Bearer KEY”."))
    return found


def _limit(request: HttpRequest, group: str, who: str, per_minute: int) -> None:
    usage = get_usage(request, group=group, key=lambda *_: who, rate=f"{per_minute}/m", increment=True)
    if usage and usage["should_limit"]:
        wait = max(1, usage["time_left"])
        raise ApiError(429, "rate_limited", _("Too many requests; try again in a minute."), retry_after=wait)


def _refuse(error: ApiError) -> HttpResponse:
    response = JsonResponse({"error": {"code": error.code, "message": error.message}}, status=error.status)
    if error.status == 401:
        response["WWW-Authenticate"] = "Bearer"
    if error.status == 429:
        response["Retry-After"] = str(error.retry_after)
    response["Cache-Control"] = "no-store"
    return response


def _to_sign_in(request: HttpRequest) -> HttpResponse:
    """Send to the sign-in page and back here; a fragment asks htmx to take the whole page there."""
    if request.headers.get("HX-Request") != "true":
        return redirect_to_login(request.get_full_path())
    try:
        page = urlsplit(request.headers.get("HX-Current-URL", "")).path or "/"
    except ValueError:  # no address at all
        page = "/"
    response = HttpResponse(status=401)
    response["HX-Redirect"] = redirect_to_login(page, resolve_url(settings.LOGIN_URL)).url
    return response


def _keep_private(response: HttpResponseBase) -> HttpResponseBase:
    """Keep pages of a workspace out of shared caches, and out of every cache unless they carry an ETag.

    A polled fragment with an ETag may be kept by the browser, so that "unchanged" costs no body.
    """
    if not response.has_header("Cache-Control"):
        response["Cache-Control"] = "private, no-cache" if response.has_header("ETag") else "private, no-store"
    return response
