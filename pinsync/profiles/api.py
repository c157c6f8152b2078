"""`POST /api/v1/profiles`: programs send up to 1,000 users at a time, through the same door as a file."""

from typing import Any

from django.db import transaction
from django.http import HttpResponse, JsonResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from pinsync.profiles.reasons import sentence
from pinsync.profiles.rows import LONGEST_NAME, MOST_ATTRIBUTES, Row, RowRefused, Value, in_utc, make_row
from pinsync.profiles.upserting import write
from pinsync.workspaces.access import ApiError, ApiRequest, api_view, json_body
from pinsync.workspaces.models import Role, Workspace

MOST = 1_000
LARGEST_NUMBER = 1e15  # beyond it a double is not exact
_TEXTS = ("external_id", "email", "idfa", "gaid")


@api_view(Role.EDITOR)
@require_POST
def profiles(request: ApiRequest, workspace: Workspace) -> HttpResponse:
    """Take `{"profiles": [{external_id, email, idfa, gaid, attributes}, …]}`.

    Answers 200 when every object was taken and 207 when some were not; `errors` then names each by its place in the
    list. A blank text or null changes nothing; later objects win. Safe to repeat.
    """
    objects = json_body(request).get("profiles")
    if not isinstance(objects, list) or not objects:
        raise ApiError(400, "no_profiles", _("Send a list of objects as “profiles”."))
    if len(objects) > MOST:
        raise ApiError(413, "too_many", _("Send at most %(most)s profiles at a time.") % {"most": f"{MOST:,}"})
    rows: list[Row] = []
    errors: list[dict[str, Any]] = []
    for place, one in enumerate(objects):
        try:
            rows.append(row_of(one))
        except RowRefused as refused:
            errors.append({"index": place, "code": refused.reason, "message": sentence(refused.reason, refused.values)})
    with transaction.atomic():
        written = write(workspace, rows, run=None, now=timezone.now())
    body = {"created": written.created, "updated": written.updated, "rejected": len(errors), "errors": errors}
    return JsonResponse(body, status=207 if errors else 200)


def row_of(one: Any) -> Row:
    """Return the row that an object describes. Raises RowRefused."""
    if not isinstance(one, dict):
        raise RowRefused("not_an_object")
    for key in one:
        if key not in (*_TEXTS, "attributes"):
            raise RowRefused("unknown_key", column=key[:LONGEST_NAME])
    texts = [_text(one, name) for name in _TEXTS]
    attributes = one.get("attributes") or {}
    if not isinstance(attributes, dict):
        raise RowRefused("not_plain", column="attributes")
    if len(attributes) > MOST_ATTRIBUTES:
        raise RowRefused("too_many_attributes", most=MOST_ATTRIBUTES)
    kept: dict[str, Value] = {}
    for name, value in attributes.items():
        if not name or len(name) > LONGEST_NAME:
            raise RowRefused("too_long", column=name[:LONGEST_NAME], most=LONGEST_NAME)
        _check_characters(name)
        if value is not None and value != "":
            kept[name] = _plain(name, value)
    return make_row(texts[0], texts[1], texts[2], texts[3], kept)


def _text(one: dict[str, Any], name: str) -> str:
    value = one.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise RowRefused("not_text", column=name)
    _check_characters(value)
    return value


def _plain(name: str, value: Any) -> Value:
    """Return an attribute as it is kept: JSON has types of its own, so that only times are brought to UTC."""
    if isinstance(value, str):
        _check_characters(value)
        return in_utc(value) if len(value) > len("2026-01-31") and value[:4].isdigit() else value
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float) and abs(value) < LARGEST_NUMBER:  # NaN is not
        return value
    raise RowRefused("not_plain", column=name)


def _check_characters(text: str) -> None:
    if "\0" in text:
        raise RowRefused("nul")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise RowRefused("surrogate") from None
