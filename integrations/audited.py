"""What the ids in the audit log stand for, of partners."""

from typing import Any

from integrations import registry
from integrations.models import AdAccount, Audience, Connection
from integrations.reasons import REASONS, reason
from pinsync.workspaces.audit import Thing
from pinsync.workspaces.models import Workspace


def audiences(workspace: Workspace, ids: list[Any]) -> dict[Any, Thing]:
    found = Audience.objects.filter(ad_account__connection__workspace=workspace, pk__in=ids)
    return {pk: Thing(name) for pk, name in found.values_list("pk", "name")}


def ad_accounts(workspace: Workspace, ids: list[Any]) -> dict[Any, Thing]:
    """Find ad accounts by the partner's ids."""
    found = AdAccount.objects.filter(connection__workspace=workspace, external_id__in=ids)
    return {external_id: Thing(name) for external_id, name in found.values_list("external_id", "name")}


def partner_users(workspace: Workspace, ids: list[Any]) -> dict[Any, Thing]:
    found = Connection.objects.filter(workspace=workspace, partner_user_id__in=ids).exclude(partner_user_name="")
    return {pk: Thing(name) for pk, name in found.values_list("partner_user_id", "partner_user_name")}


def reasons(workspace: Workspace, codes: list[Any]) -> dict[Any, Thing]:
    called = registry.partners()[0].name
    return {code: Thing(str(reason(code, called).name)) for code in codes if code in REASONS}
