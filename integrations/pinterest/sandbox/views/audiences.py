"""`/ad_accounts/{id}/audiences`: list, create, change and remove audiences."""

from dataclasses import asdict
from typing import Any

from django.http import JsonResponse

from ..audiences import Audience
from ..errors import Refusal, invalid, not_found
from ..facts import AUDIENCE_TYPES
from ..request import SandboxRequest, checked_id, choice_field, text_field
from .common import page_of

OPERATIONS = frozenset({"UPDATE", "REMOVE"})


def _invalid_query(message: str) -> Refusal:
    """Refuse wrong parameters of the list of audiences in the words of the OpenAPI description."""
    return Refusal(400, 400, "Invalid ad account audience parameters.")


def list_audiences(request: SandboxRequest, ad_account_id: str) -> JsonResponse:
    """Return a page of the ad account's audiences. None was ever received from another ad account."""
    ad_account = request.ad_account(ad_account_id)
    ownership = request.GET.get("ownership_type", "OWNED")
    if ownership not in ("OWNED", "RECEIVED"):
        raise _invalid_query("ownership_type")
    world = request.sandbox.world
    owned = world.audiences_of(ad_account.id) if ownership == "OWNED" else []
    return page_of(request, owned, world.audience_json, _invalid_query)


def create_audience(request: SandboxRequest, ad_account_id: str) -> JsonResponse:
    """Create an audience on a customer list, or one that resembles another audience."""
    request.log.operation = "CREATE"
    ad_account = request.ad_account(ad_account_id, to_write=True)
    body = request.json()
    _same_ad_account(body, ad_account.id)
    audience_type = choice_field(body, "audience_type", AUDIENCE_TYPES)
    name, description = text_field(body, "name"), text_field(body, "description", required=False)
    world, now = request.sandbox.world, request.sandbox.clock.now()
    with world.lock:
        rule, modelled_size = _rule(request, ad_account.id, audience_type, body.get("rule"))
        created = world.put_audience(
            id=world.next_id(),
            ad_account_id=ad_account.id,
            name=name,
            audience_type=audience_type,
            rule=rule,
            created=now,
            updated=now,
            description=description or None,
            company=ad_account.name,
            modelled_size=modelled_size,
        )
        return JsonResponse(world.audience_json(created))


def audience(request: SandboxRequest, ad_account_id: str, audience_id: str) -> JsonResponse:
    """Return one audience."""
    request.ad_account(ad_account_id)
    return JsonResponse(request.sandbox.world.audience_json(_find(request, ad_account_id, audience_id)))


def change_audience(request: SandboxRequest, ad_account_id: str, audience_id: str) -> JsonResponse:
    """Rename an audience, describe it or change its rule; or remove it. Its customer list stays."""
    request.ad_account(ad_account_id, to_write=True)
    found = _find(request, ad_account_id, audience_id)
    body = request.json()
    _same_ad_account(body, ad_account_id)
    request.log.operation = choice_field(body, "operation_type", OPERATIONS, default="UPDATE")
    world = request.sandbox.world
    with world.lock:
        found = _find(request, ad_account_id, audience_id)
        if request.log.operation == "REMOVE":
            answer = world.audience_json(found)
            world.remove_audience(id=found.id, with_list=False)
            return JsonResponse(answer)
        fields = asdict(found) | {"updated": request.sandbox.clock.now()}
        if "name" in body:
            fields["name"] = text_field(body, "name")
        if "description" in body:
            fields["description"] = text_field(body, "description", required=False) or None
        if "rule" in body:
            rule, modelled_size = _rule(request, ad_account_id, found.audience_type, body["rule"])
            fields |= {"rule": rule, "modelled_size": modelled_size}
        return JsonResponse(world.audience_json(world.put_audience(**fields)))


def _find(request: SandboxRequest, ad_account_id: str, audience_id: str) -> Audience:
    found = request.sandbox.world.audiences.get(checked_id("audience_id", audience_id))
    if found is None or found.ad_account_id != ad_account_id:
        raise not_found("Audience")
    return found


def _same_ad_account(body: dict[str, Any], ad_account_id: str) -> None:
    if body.get("ad_account_id", ad_account_id) != ad_account_id:
        raise invalid("ad_account_id is not the ad account of the path.")


def _rule(request: SandboxRequest, ad_account_id: str, audience_type: str, rule: Any) -> tuple[dict[str, Any], int]:
    """Return a checked rule, and the size of an audience that no customer list counts. Raises Refusal."""
    if not isinstance(rule, dict):
        raise invalid("rule has to be an object.")
    if audience_type == "CUSTOMER_LIST":
        return _customer_list_rule(request, ad_account_id, rule), 0
    if audience_type == "ACTALIKE":
        return _actalike_rule(request, ad_account_id, rule)
    raise invalid("Here only audiences of the types CUSTOMER_LIST and ACTALIKE can be created or changed.")


def _customer_list_rule(request: SandboxRequest, ad_account_id: str, rule: dict[str, Any]) -> dict[str, Any]:
    id = rule.get("customer_list_id")
    known = request.sandbox.world.customer_lists.get(id) if isinstance(id, str) else None
    if known is None or known.ad_account_id != ad_account_id:
        raise invalid("rule.customer_list_id is not a customer list of this ad account.")
    return {"customer_list_id": known.id}


def _actalike_rule(request: SandboxRequest, ad_account_id: str, rule: dict[str, Any]) -> tuple[dict[str, Any], int]:
    seeds, country, percentage = rule.get("seed_id"), rule.get("country"), rule.get("percentage")
    own = {known.id for known in request.sandbox.world.audiences_of(ad_account_id)}
    if not isinstance(seeds, list) or not seeds or not all(isinstance(seed, str) and seed in own for seed in seeds):
        raise invalid("rule.seed_id has to name audiences of this ad account.")
    if not isinstance(country, str) or len(country) != 2 or not (country.isascii() and country.isupper()):
        raise invalid("rule.country has to be a country of two letters.")
    if type(percentage) is not int or not 1 <= percentage <= 10:
        raise invalid("rule.percentage has to be between 1 and 10.")
    return {"seed_id": seeds, "country": country, "percentage": percentage}, percentage * 410_000
