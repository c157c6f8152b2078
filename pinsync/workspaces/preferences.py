"""How a person likes their pages: theme, language, time zone. What nobody chose, the browser says."""

from collections.abc import Callable
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone, translation
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from pinsync.workspaces.models import Theme, User

ZONE_COOKIE = "timezone"  # set by static/js/app.js
# Of the names in the IANA database, those that are places; the others are old or technical.
AREAS: dict[str, str | Promise] = {
    "Africa": _("Africa"),
    "America": _("America"),
    "Antarctica": _("Antarctica"),
    "Arctic": _("Arctic"),
    "Asia": _("Asia"),
    "Atlantic": _("Atlantic"),
    "Australia": _("Australia"),
    "Europe": _("Europe"),
    "Indian": _("Indian Ocean"),
    "Pacific": _("Pacific"),
}


@lru_cache
def known_zones() -> frozenset[str]:
    """Return every name that a time zone may have."""
    return frozenset(available_timezones())


def places_by_area() -> list[tuple[str, list[tuple[str, str]]]]:
    """Return what people choose a zone from: areas, and in each (IANA name, place)."""
    found: dict[str, list[tuple[str, str]]] = {area: [] for area in AREAS}
    for name in sorted(known_zones()):
        area, slash, place = name.partition("/")
        if slash and area in found:
            found[area].append((name, place.replace("_", " ").replace("/", ", ")))
    return [(str(AREAS[area]), places) for area, places in found.items() if places]


def zone_of(request: HttpRequest) -> ZoneInfo:
    """Return the zone that the person chose, else the browser's, else the installation's. Names that are none fall."""
    chosen = request.user.time_zone if isinstance(request.user, User) else ""
    for name in (chosen, request.COOKIES.get(ZONE_COOKIE, "").replace("%2F", "/")):
        if name in known_zones():
            return ZoneInfo(name)
    return ZoneInfo(settings.TIME_ZONE)


def language_of(user: object) -> str | None:
    """Return the language that the person chose, or None."""
    chosen = user.language if isinstance(user, User) else ""
    return chosen if chosen in dict(settings.LANGUAGES) else None


def save_theme(user: User, theme: Theme) -> None:
    """Write down the theme; the same one again changes nothing."""
    User.objects.filter(pk=user.pk).update(theme=theme)
    user.theme = theme


def save(user: User, *, theme: Theme, language: str, time_zone: str) -> None:
    """Write down all preferences; "" leaves language or zone to the browser."""
    User.objects.filter(pk=user.pk).update(theme=theme, language=language, time_zone=time_zone)
    user.theme, user.language, user.time_zone = theme, language, time_zone


class PreferencesMiddleware:
    """Speak the person's language, in the time of their place, for one request. Stands behind authentication.

    Whoever has no session costs no query.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        language = language_of(request.user) or translation.get_language()
        request.LANGUAGE_CODE = language
        with translation.override(language), timezone.override(zone_of(request)):
            response = self.get_response(request)
        # LocaleMiddleware stands outside and would say what it found itself.
        response.headers.setdefault("Content-Language", language)
        return response
