"""`/user_account` and `/ad_accounts`: who the token belongs to, and what they reach."""

from django.http import JsonResponse

from ..errors import Refusal, invalid
from ..people import AdAccount
from ..request import SandboxRequest, checked_id
from .common import page_of


def user_account(request: SandboxRequest) -> JsonResponse:
    """Return the token's person, or the owner of the ad account that the query names."""
    person = request.person
    if "ad_account_id" in request.GET:
        world = request.sandbox.world
        ad_account = world.ad_accounts.get(checked_id("ad_account_id", request.GET["ad_account_id"]))
        if ad_account is None or not request.sandbox.roles(person, ad_account):
            raise Refusal(403, 403, "Not authorized to access the user account.")
        person = world.pinterest_users[ad_account.owner_id]
    return JsonResponse(person.as_json())


def list_ad_accounts(request: SandboxRequest) -> JsonResponse:
    """Return the ad accounts that the person reaches; only their own if `include_shared_accounts` is false."""
    shared = request.GET.get("include_shared_accounts", "true")
    if shared not in ("true", "false"):
        raise invalid("include_shared_accounts has to be true or false.")
    reached = [
        ad_account
        for ad_account in request.sandbox.world.ad_accounts.values()
        if request.sandbox.roles(request.person, ad_account)
        and (shared == "true" or ad_account.owner_id == request.person.id)
    ]
    return page_of(request, reached, lambda ad_account: _as_json(request, ad_account))


def ad_account(request: SandboxRequest, ad_account_id: str) -> JsonResponse:
    """Return one ad account."""
    return JsonResponse(_as_json(request, request.ad_account(ad_account_id)))


def _as_json(request: SandboxRequest, found: AdAccount) -> dict[str, object]:
    return found.as_json(request.sandbox.world.pinterest_users[found.owner_id], request.person.id)
