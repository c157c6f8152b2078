"""Every page and the states it has, and why every other address is no page.

test_addresses.py holds both against the URL configuration: a new page needs a line here.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from django.urls import URLResolver, get_resolver, reverse
from playwright.sync_api import Page, expect

from integrations import registry
from integrations.models import Audience
from tests.browser.scene import PARTNER, Scene
from tests.browser.server import Site

ADMIN, VIEWER, NEWCOMER, NOBODY = "admin", "viewer", "newcomer", "nobody"


@dataclass(frozen=True)
class Visit:
    """One page in one state. `things` are names in the scene, by what stands in the address."""

    page: str
    state: str = ""
    things: dict[str, str] = field(default_factory=dict)
    workspace: str = "demo"
    who: str = ADMIN
    query: str = ""
    status: int = 200
    then: Callable[[Page], object] | None = None  # what a person does there before we look

    def __str__(self) -> str:
        return f"{self.page} {self.state}".strip()

    def url(self, site: Site, scene: Scene) -> str:
        """Return where it is; pages of the sandbox are at the sandbox."""
        space, _, route = self.page.partition(":")
        if space != "sandbox":
            return site.url + address(self.page, scene, self.things, self.workspace) + self.query
        if "audience" in self.things:
            audience = Audience.objects.get(pk=scene.ids["audience"][self.things["audience"]])
            route = f"audiences/{audience.external_id}"
        if self.state == "asks":
            return registry.partner(PARTNER).consent_url(redirect_uri=f"{site.url}/back", state="a-state")
        return f"{site.sandbox_url}/{route}{self.query}"


@cache
def addresses() -> dict[str, set[str]]:
    """Return the name of every address of Pinsync's own with what stands in it; Django admin is Django's."""
    return {name: set(pattern.regex.groupindex) | set(pattern.converters) for name, pattern in _walk(get_resolver())}


def _walk(resolver: URLResolver, space: str = "") -> Iterator[tuple[str, Any]]:
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLResolver):
            if pattern.namespace != "admin":
                yield from _walk(pattern, f"{pattern.namespace}:" if pattern.namespace else space)
        else:
            yield f"{space}{pattern.name or pattern.pattern}", pattern.pattern


def address(name: str, scene: Scene, things: dict[str, str], workspace: str = "demo") -> str:
    """Return an address with things of the scene, or texts, in it."""
    if ":" not in name and not name.startswith("account_"):
        return f"/{name}"  # it has no name but its place
    given: dict[str, object] = {"workspace": workspace, "partner": PARTNER}
    given |= {kind: scene.ids.get(kind, {}).get(thing, thing) for kind, thing in things.items()}
    return reverse(name, kwargs={kind: given[kind] for kind in addresses()[name]})


def open_menu(page: Page) -> None:
    page.locator("details.menu > summary:visible").first.click()


def open_editor(page: Page) -> None:
    page.get_by_role("link", name="Custom Audience").first.click()
    dialog = page.get_by_role("dialog")
    dialog.locator("input[role=combobox]").click()
    expect(dialog.locator("[role=listbox] [role=option]").first).to_be_visible()


def send_empty(page: Page) -> None:
    """Send the page's form with nothing in it, past the browser's own checks."""
    page.locator("main form[method=post]").first.evaluate("form => { form.noValidate = true; form.requestSubmit(); }")
    page.wait_for_load_state()


def search_in_vain(page: Page) -> None:
    """Search by what no list finds; some search as one types, some when they are told to."""
    field = page.locator("main input[type=search]")
    field.fill("no such thing")
    field.press("Enter")
    expect(page.locator("main .empty")).to_be_visible()


C = {"canvas": "active"}
S = C | {"step": "active"}

VISITS = [
    # --- before there is a workspace ------------------------------------------------------------------------------
    Visit("account_login", who=NOBODY),
    Visit("account_login", "refused", who=NOBODY, then=send_empty),
    Visit("account_signup", who=NOBODY),
    Visit("account_signup", "refused", who=NOBODY, then=send_empty),
    Visit("account_reset_password", who=NOBODY),
    Visit("account_reset_password_done", who=NOBODY),
    Visit("account_reset_password_from_key", "dead link", {"uidb36": "1", "key": "no-such-key"}, who=NOBODY),
    Visit("account_reset_password_from_key_done", who=NOBODY),
    Visit("account_confirm_email", "dead link", {"key": "no-such-key"}, who=NOBODY),
    Visit("account_email_verification_sent", who=NOBODY),
    Visit("account_inactive", who=NOBODY),
    Visit("account_logout"),
    Visit("account_reauthenticate"),
    Visit("account_change_password"),
    Visit("account_email"),
    Visit("workspaces:choose"),
    Visit("workspaces:choose", "none", who=NEWCOMER),
    Visit("workspaces:create"),
    Visit("workspaces:preferences"),
    Visit("workspaces:styleguide"),
    Visit("workspaces:create", "first", who=NEWCOMER),
    # --- workspace ------------------------------------------------------------------------------------------------
    Visit("workspaces:home"),
    Visit("workspaces:home", "menu open", then=open_menu),
    Visit("workspaces:home", "fresh", workspace="fresh"),
    Visit("workspaces:home", "token dead", workspace="broken"),
    Visit("workspaces:settings"),
    Visit("workspaces:notifications"),
    Visit("workspaces:members"),
    Visit("workspaces:members", "as Viewer", who=VIEWER),
    Visit("workspaces:api_keys"),
    Visit("workspaces:api_keys", "none", workspace="fresh"),
    Visit("workspaces:audit"),
    Visit("workspaces:audit", "refused", who=VIEWER, status=403),
    Visit("workspaces:home", "of strangers", who=NEWCOMER, status=404),
    # --- profiles -------------------------------------------------------------------------------------------------
    Visit("profiles:list"),
    Visit("profiles:list", "nothing found", then=search_in_vain),
    Visit("profiles:list", "none", workspace="fresh"),
    Visit("profiles:detail", "synced", {"profile": "synced"}),
    Visit("profiles:detail", "without values", {"profile": "without values"}),
    Visit("profiles:import"),
    Visit("profiles:import", "refused", then=send_empty),
    Visit("profiles:import", "none", workspace="fresh"),
    Visit("profiles:import_run", "done", {"run": "done"}),
    Visit("profiles:import_run", "waiting", {"run": "waiting"}),
    Visit("profiles:import_run", "failed", {"run": "failed"}),
    Visit("profiles:segments"),
    Visit("profiles:segments", "none", workspace="fresh"),
    Visit("profiles:segment_new"),
    Visit("profiles:segment", "two rules", {"segment": "two rules"}),
    Visit("profiles:segment", "as Viewer", {"segment": "two rules"}, who=VIEWER),
    # --- partners -------------------------------------------------------------------------------------------------
    Visit("integrations:partners"),
    Visit("integrations:partners", "nothing found", then=search_in_vain),
    Visit("integrations:partner", "never connected", workspace="fresh"),
    Visit("integrations:partner", "terms not ticked", workspace="fresh", then=send_empty),
    Visit("integrations:partner", "connected"),
    Visit("integrations:partner", "as Viewer", who=VIEWER),
    Visit("integrations:partner", "ad account lost", workspace="lost"),
    Visit("integrations:partner", "token dead", workspace="broken"),
    Visit("integrations:partner", "disconnected", workspace="gone"),
    Visit("integrations:choose", "", {"authorization": "choosing"}, workspace="choosing"),
    Visit("integrations:choose", "none chosen", {"authorization": "choosing"}, workspace="choosing", then=send_empty),
    Visit("integrations:ad_accounts_add"),
    Visit("integrations:ad_account_disconnect", "", {"ad_account": "first"}),
    Visit("integrations:disconnect"),
    Visit("integrations:disconnect", "nothing uses it", workspace="lost"),
    Visit("integrations:retry"),
    Visit("integrations:callback", "no such request", query="?state=unknown&code=x", status=400),
    Visit("integrations:lookalike", "", {"audience": "ready"}),
    Visit("integrations:recreation", "deleted", {"audience": "gone"}),
    Visit("integrations:recreation", "exists", {"audience": "ready"}),
    # --- Canvas ---------------------------------------------------------------------------------------------------
    Visit("canvas:list"),
    Visit("canvas:list", "archive", query="?show=archived"),
    Visit("canvas:list", "nothing found", query="?q=nothing-of-this-name"),
    Visit("canvas:list", "none", workspace="fresh"),
    Visit("canvas:create"),
    Visit("canvas:create", "refused", then=send_empty),
    Visit("canvas:detail", "empty", {"canvas": "empty"}),
    Visit("canvas:detail", "draft with problems", {"canvas": "draft"}),
    Visit("canvas:detail", "editor", {"canvas": "draft"}, then=open_editor),
    Visit("canvas:detail", "active", C),
    Visit("canvas:detail", "three steps", {"canvas": "journey"}),
    Visit("canvas:detail", "as Viewer", C, who=VIEWER),
    Visit("canvas:detail", "stopped", {"canvas": "stopped"}),
    Visit("canvas:detail", "archived", {"canvas": "archived"}),
    Visit("canvas:detail", "audience deleted", {"canvas": "deleted"}),
    Visit("canvas:detail", "pending", {"canvas": "waiting"}),
    Visit("canvas:settings", "basics", {"canvas": "draft", "section": "basics"}),
    Visit("canvas:settings", "schedule", {"canvas": "draft", "section": "schedule"}),
    Visit("canvas:settings", "target", {"canvas": "draft", "section": "target"}),
    Visit("canvas:settings", "send", {"canvas": "draft", "section": "send"}),
    Visit("canvas:settings", "launched", C | {"section": "schedule"}),
    Visit("canvas:summary", "draft", {"canvas": "draft"}),
    Visit("canvas:summary", "launched", {"canvas": "journey"}),
    Visit("canvas:step_details", "set up", S),
    Visit("canvas:step_details", "not set up", {"canvas": "draft", "step": "unset"}),
    Visit("canvas:step_details", "delay", {"canvas": "journey", "step": "delay"}),
    Visit("canvas:step", "set up", {"canvas": "draft", "step": "draft"}),
    Visit("canvas:step", "not set up", {"canvas": "draft", "step": "unset"}),
    Visit("canvas:step", "refused", {"canvas": "draft", "step": "unset"}, then=send_empty),
    Visit("canvas:step", "delay", {"canvas": "journey", "step": "delay"}),
    # --- analytics ------------------------------------------------------------------------------------------------
    Visit("canvas:analytics", "", C),
    Visit("canvas:analytics", "errored", {"canvas": "errored"}),
    Visit("canvas:step_analytics", "", S),
    Visit("canvas:step_analytics", "errored", {"canvas": "errored", "step": "errored"}),
    Visit("canvas:step_analytics", "pending", {"canvas": "waiting", "step": "waiting"}),
    Visit("canvas:users", "", S),
    Visit("canvas:users", "errored", {"canvas": "errored", "step": "errored"}, query="?state=errored"),
    Visit("canvas:users", "pending", {"canvas": "waiting", "step": "waiting"}, query="?state=pending"),
    Visit("canvas:users", "nothing found", S, then=search_in_vain),
    Visit("canvas:batches", "", S),
    Visit("canvas:batches", "errored", {"canvas": "errored", "step": "errored"}),
    Visit("canvas:person", "synced", {"profile": "synced"}),
    Visit("canvas:person", "nothing yet", {"profile": "without values"}),
    Visit("canvas:batch", "sent", {"batch": "sent"}),
    Visit("canvas:batch", "errored", {"batch": "errored"}),
    Visit("canvas:batch", "waiting", {"batch": "waiting"}),
    Visit("canvas:retry_step", "", {"canvas": "errored", "step": "errored"}),
    Visit("canvas:retry_user", "", {"canvas": "errored", "step": "errored", "delivery": "errored"}),
    Visit("canvas:retry_batch", "", {"batch": "errored"}),
    # --- simulator ------------------------------------------------------------------------------------------------
    Visit("canvas:simulator"),
    Visit("canvas:simulator", "not connected", workspace="fresh"),
    Visit("canvas:simulator", "as Viewer", who=VIEWER),
    Visit("canvas:simulator_run", "running", {"simulation": "running"}),
    Visit("canvas:simulator_run", "over", {"simulation": "over"}),
    Visit("canvas:scenarios"),
    Visit("canvas:scenarios", "not connected", workspace="fresh"),
    Visit("canvas:story", "told", {"story": "told"}),
    Visit("canvas:story", "begun", {"story": "begun"}),
    # --- the sandbox's own pages ----------------------------------------------------------------------------------
    Visit("sandbox:"),
    Visit("sandbox:control"),
    Visit("sandbox:requests"),
    Visit("sandbox:audiences/<str:audience_id>", "", {"audience": "ready"}),
    Visit("sandbox:oauth/", "asks"),
    Visit("sandbox:oauth/", "cannot ask", query="?client_id=unknown", status=400),
]

# What a browser gets where there is no page to look at; test_addresses.py asks each of them.
POST_ONLY, FRAGMENT, FILE, PROGRAM, LEADS_ON = "POST only", "part of a page", "file", "for programs", "leads on"
NO_PAGE = {
    "workspaces:root": LEADS_ON,
    "workspaces:theme": POST_ONLY,
    "workspaces:member_add": POST_ONLY,
    "workspaces:leave": POST_ONLY,
    "workspaces:member_role": POST_ONLY,
    "workspaces:member_remove": POST_ONLY,
    "workspaces:invitation_withdraw": POST_ONLY,
    "workspaces:api_key_create": POST_ONLY,
    "workspaces:api_key_revoke": POST_ONLY,
    "profiles:import_progress": FRAGMENT,
    "profiles:import_problems": FILE,
    "profiles:import_cancel": POST_ONLY,
    "profiles:segment_rules": POST_ONLY,
    "profiles:segment_count": POST_ONLY,
    "profiles:segment_delete": POST_ONLY,
    "profiles:api_profiles": PROGRAM,
    "integrations:connect": POST_ONLY,
    "integrations:change": POST_ONLY,
    "integrations:cancel": POST_ONLY,
    "integrations:ad_accounts_read": POST_ONLY,
    "integrations:audiences": FRAGMENT,
    "integrations:audiences_refresh": POST_ONLY,
    "integrations:recreation_live": FRAGMENT,
    "integrations:recreate": POST_ONLY,
    "integrations:retrying_live": FRAGMENT,
    "integrations:retrying_cancel": POST_ONLY,
    "canvas:preview": FRAGMENT,
    "canvas:coverage": FRAGMENT,
    "canvas:edit": LEADS_ON,
    "canvas:duplicate": POST_ONLY,
    "canvas:launch": POST_ONLY,
    "canvas:stop": POST_ONLY,
    "canvas:resume": POST_ONLY,
    "canvas:archive": POST_ONLY,
    "canvas:unarchive": POST_ONLY,
    "canvas:add_step": POST_ONLY,
    "canvas:move_step": POST_ONLY,
    "canvas:delete_step": POST_ONLY,
    "canvas:restore_step": POST_ONLY,
    "canvas:reread_audience": POST_ONLY,
    "canvas:analytics_live": FRAGMENT,
    "canvas:cards_live": FRAGMENT,
    "canvas:step_live": FRAGMENT,
    "canvas:retryings": FRAGMENT,
    "canvas:download_figures": FILE,
    "canvas:download_minutes": FILE,
    "canvas:download_history": FILE,
    "canvas:simulator_launch": POST_ONLY,
    "canvas:simulator_traffic": FRAGMENT,
    "canvas:simulator_faults": FRAGMENT,
    "canvas:simulator_break": POST_ONLY,
    "canvas:simulator_mend": POST_ONLY,
    "canvas:simulator_live": FRAGMENT,
    "canvas:simulator_stop": POST_ONLY,
    "canvas:scenario_start": POST_ONLY,
    "canvas:story_live": FRAGMENT,
    "canvas:story_cancel": POST_ONLY,
    "canvas:api_canvas": PROGRAM,
    "canvas:api_enter": PROGRAM,
    "canvas:api_events": PROGRAM,
    "account_set_password": LEADS_ON,  # everybody here has a password
    "account_confirm_login_code": LEADS_ON,  # nobody signs in by a code
    "healthz": PROGRAM,
    "readyz": PROGRAM,
    "metrics": PROGRAM,
}
