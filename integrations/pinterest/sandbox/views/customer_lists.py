"""`/ad_accounts/{id}/customer_lists`: create lists, add records to them and remove records from them."""

from django.http import JsonResponse

from .. import records
from ..audiences import CustomerList
from ..errors import Refusal, invalid, not_found
from ..facts import LIST_TYPES
from ..request import SandboxRequest, checked_id, choice_field, text_field
from .common import page_of

OPERATIONS = frozenset({"ADD", "REMOVE"})


def list_customer_lists(request: SandboxRequest, ad_account_id: str) -> JsonResponse:
    """Return a page of the ad account's customer lists."""
    ad_account = request.ad_account(ad_account_id)
    now = request.sandbox.clock.now()
    return page_of(request, request.sandbox.world.lists_of(ad_account.id), lambda found: found.as_json(now))


def create_customer_list(request: SandboxRequest, ad_account_id: str) -> JsonResponse:
    """Create a customer list with at least one record."""
    request.log.operation = "CREATE"
    ad_account = request.ad_account(ad_account_id, to_write=True)
    body = request.json()
    name = text_field(body, "name")
    list_type = choice_field(body, "list_type", LIST_TYPES, default="EMAIL")
    given = _records(request, body)
    world, now = request.sandbox.world, request.sandbox.clock.now()
    with world.lock:
        created = world.create_customer_list(
            id=world.next_id(),
            ad_account_id=ad_account.id,
            name=name,
            list_type=list_type,
            records=given,
            at=now,
        )
    request.log.customer_list_id = created.id
    return JsonResponse(created.as_json(now))


def customer_list(request: SandboxRequest, ad_account_id: str, customer_list_id: str) -> JsonResponse:
    """Return one customer list."""
    request.ad_account(ad_account_id)
    return JsonResponse(_find(request, ad_account_id, customer_list_id).as_json(request.sandbox.clock.now()))


def change_customer_list(request: SandboxRequest, ad_account_id: str, customer_list_id: str) -> JsonResponse:
    """Add records to a list or remove them from it: all of them or, if one is wrong, none."""
    request.log.customer_list_id = customer_list_id
    request.ad_account(ad_account_id, to_write=True)
    found = _find(request, ad_account_id, customer_list_id)
    body = request.json()
    request.log.operation = choice_field(body, "operation_type", OPERATIONS)
    given = _records(request, body)
    world, now = request.sandbox.world, request.sandbox.clock.now()
    with world.lock:
        _find(request, ad_account_id, found.id)  # it may have been deleted while the records were read
        changed = world.change_records(id=found.id, operation=request.log.operation, records=given, at=now)
        return JsonResponse(changed.as_json(now))


def _find(request: SandboxRequest, ad_account_id: str, customer_list_id: str) -> CustomerList:
    found = request.sandbox.world.customer_lists.get(checked_id("customer_list_id", customer_list_id))
    if found is None or found.ad_account_id != ad_account_id:
        raise not_found("Customer list")
    return found


def _records(request: SandboxRequest, body: dict[str, object]) -> str:
    text = text_field(body, "records")
    number = request.log.records = records.count(text)
    most = request.sandbox.limits.records_per_request
    if number > most:
        raise Refusal(413, 413, f"A request may hold up to {most} records.")
    if number < 1:
        raise invalid("records has to hold at least one record.")
    try:
        given = records.as_digests(text)
    except records.BadRecord as bad:
        raise invalid(f"Record {bad.position} is neither a digest nor a lower-case e-mail address.") from None
    refused = {fault.parameters["digest"] for fault in request.sandbox.faults.active("refuse_record")}
    if refused and not refused.isdisjoint(given.split(",")):
        request.log.fault = "refuse_record"
        raise invalid("A record of this request was refused.")
    return given
