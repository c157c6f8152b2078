"""The sidebar: where one can go in a workspace. Pages of apps that are not installed do not show."""

from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from pinsync.workspaces.models import Member, Role


@dataclass(frozen=True)
class Place:
    label: str | Promise
    icon: str
    url_name: str
    role: Role = Role.VIEWER


@dataclass(frozen=True)
class Link:
    """A place of one workspace; `current` when the page lies in it."""

    label: str | Promise
    icon: str
    url: str
    current: bool


HOME = Place(_("Home"), "house", "workspaces:home")
SECTIONS: tuple[tuple[str | Promise, tuple[Place, ...]], ...] = (
    (
        "",
        (
            HOME,
            Place(_("Canvas"), "workflow", "canvas:list"),
        ),
    ),
    (
        _("Audience"),
        (
            Place(_("Profiles"), "users", "profiles:list"),
            Place(_("Segments"), "list-filter", "profiles:segments"),
            Place(_("Import"), "upload", "profiles:import", Role.EDITOR),
        ),
    ),
    (
        _("Integrations"),
        (
            Place(_("Partner Integrations"), "plug", "integrations:partners"),
            Place(_("Simulator"), "flask-conical", "canvas:simulator"),
        ),
    ),
    (
        _("Settings"),
        (
            Place(_("Workspace"), "settings", "workspaces:settings", Role.ADMIN),
            Place(_("Members"), "user-round-cog", "workspaces:members"),
            Place(_("Notifications"), "bell", "workspaces:notifications"),
            Place(_("API keys"), "key-round", "workspaces:api_keys", Role.ADMIN),
            Place(_("Audit log"), "scroll-text", "workspaces:audit", Role.ADMIN),
        ),
    ),
)


def sections(request: HttpRequest, member: Member) -> list[tuple[str | Promise, list[Link]]]:
    """Return the sidebar's sections for this member. The current place is the longest one that leads to the page.

    Every address begins with the home page's; a page that no other place leads to is not it.
    """
    slug = member.workspace.slug
    found = [
        (title, [(place, url) for place in places if member.may(place.role) and (url := _url(place, slug))])
        for title, places in SECTIONS
    ]
    urls = [url for _title, pairs in found for _place, url in pairs if request.path.startswith(url)]
    current = max(urls, key=len, default="")
    if current == _url(HOME, slug) != request.path:
        current = ""
    return [
        (title, [Link(place.label, place.icon, url, url == current) for place, url in pairs])
        for title, pairs in found
        if pairs
    ]


def _url(place: Place, slug: str) -> str:
    try:
        return reverse(place.url_name, kwargs={"workspace": slug})
    except NoReverseMatch:
        return ""
