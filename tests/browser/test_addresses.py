"""Every address is either visited or known to be no page: a new page needs a visit."""

import pytest
from django.test import Client

from integrations.pinterest.sandbox import urls as sandbox_urls
from integrations.pinterest.sandbox.views import pages
from tests.browser.visits import FILE, FRAGMENT, LEADS_ON, NO_PAGE, POST_ONLY, PROGRAM, VISITS, address, addresses

VISITED = {visit.page for visit in VISITS}
THINGS = {
    "canvas": "active",
    "step": "active",
    "batch": "sent",
    "delivery": "errored",
    "simulation": "running",
    "story": "told",
    "run": "done",
    "segment": "two rules",
    "profile": "synced",
    "ad_account": "first",
    "audience": "ready",
    "authorization": "choosing",
    "member": "viewer",
    "invitation": "invited",
    "key": "key",
    "many": "ended",
    "form": "csv",
}


def test_every_address_is_visited_or_no_page():
    ours = {page for page in VISITED if not page.startswith("sandbox:")}
    assert ours | set(NO_PAGE) == set(addresses())
    assert not ours & set(NO_PAGE)
    assert len(ours) > 40


def test_every_page_of_the_sandbox_is_visited():
    shown = {
        f"sandbox:{pattern.pattern}"
        for pattern in sandbox_urls.urlpatterns
        if getattr(pattern.callback, "views", {}).get("GET") in SHOWN or str(pattern.pattern) == "oauth/"
    }
    assert {page for page in VISITED if page.startswith("sandbox:")} == shown


SHOWN = [getattr(pages, name) for name in ("ads_manager", "audience", "control_panel", "request_log")]


@pytest.mark.parametrize("name", NO_PAGE)
def test_what_is_called_no_page_is_none(scene, name: str):
    client = Client()
    client.force_login(scene.admin, backend="allauth.account.auth_backends.AuthenticationBackend")
    answer = client.get(address(name, scene, THINGS))
    kind = answer.headers.get("Content-Type", "").split(";")[0]
    match NO_PAGE[name]:
        case what if what == POST_ONLY:
            assert answer.status_code == 405
        case what if what == FRAGMENT:
            assert (answer.status_code, kind) == (200, "text/html")
            assert b"<html" not in answer.content
        case what if what == FILE:
            assert (answer.status_code, answer.headers["Content-Disposition"][:10]) == (200, "attachment")
        case what if what == LEADS_ON:
            assert answer.status_code == 302
        case what if what == PROGRAM:
            assert kind != "text/html" or answer.status_code in (401, 404, 405)
