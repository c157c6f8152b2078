"""Canvases built by programs: what a person does with the editor, in a call or two."""

from datetime import datetime

from django.db.models.functions import Length
from django.utils.translation import gettext as _

from canvas import editing
from canvas.models import Canvas, Step
from canvas.steps import audience_sync
from integrations import audiences, registry
from integrations.connecting import connection_of
from integrations.delivery import forecast
from integrations.errors import PartnerError
from integrations.models import AdAccount, Audience, Connection
from integrations.reasons import reason
from pinsync.profiles.matching import MatchField
from pinsync.workspaces.models import Workspace
from pinsync.workspaces.templatetags.ui import duration


class CannotBuild(Exception):
    """Something is missing that a person must mend first; `str()` is the sentence for them."""


def connection_in_use(workspace: Workspace) -> Connection:
    """Return the workspace's first working connection. Raises CannotBuild, which says what is wrong with it."""
    found = [connection_of(workspace, partner.slug) for partner in registry.partners()]
    there = [each for each in found if each is not None and each.state != Connection.State.DISCONNECTED]
    working = [each for each in there if each.may_call]
    if working:
        return working[0]
    names = ", ".join(partner.name for partner in registry.partners())
    if not there:
        said = _("The workspace “%(workspace)s” is not connected to %(partner)s. Connect it on the partner page.")
        raise CannotBuild(said % {"workspace": workspace.name, "partner": names})
    name = registry.name_of(there[0].partner)
    if there[0].state == Connection.State.BROKEN:
        raise CannotBuild(_("%(partner)s refuses the token. Reconnect on the partner page.") % {"partner": name})
    raise CannotBuild(_("The connection to %(partner)s is paused by staff.") % {"partner": name})


def usable_ad_accounts(connection: Connection) -> list[AdAccount]:
    """Return the ad accounts that audiences can be written to, the oldest at the partner first."""
    usable = AdAccount.objects.filter(connection=connection, state=AdAccount.State.CONNECTED, may_write=True)
    return list(usable.select_related("connection").order_by(Length("external_id"), "external_id"))


def ad_account_in_use(workspace: Workspace, external_id: str = "") -> AdAccount:
    """Return the ad account with this id of the partner's, or the first connected one. Raises CannotBuild."""
    connection = connection_in_use(workspace)
    if not external_id:
        usable = usable_ad_accounts(connection)
        if not usable:
            raise CannotBuild(_("No ad account is connected. Choose one on the partner page."))
        return usable[0]
    accounts = AdAccount.objects.filter(connection=connection).select_related("connection")
    found = accounts.filter(external_id=external_id).first()
    if found is None:
        raise CannotBuild(_("There is no ad account %(id)s in this connection.") % {"id": external_id})
    if found.state == AdAccount.State.AVAILABLE:
        raise CannotBuild(
            _("The ad account “%(name)s” is not connected. Add it on the partner page.") % {"name": found.name}
        )
    if found.state == AdAccount.State.LOST or not found.may_write:
        said = _("The connected person may not manage audiences in the ad account “%(name)s”. Ask its admin.")
        raise CannotBuild(said % {"name": found.name})
    return found


def audience_called(ad_account: AdAccount, name: str, now: datetime) -> Audience:
    """Return the audience of this name; one that is unknown here is looked for at the partner, then created there.

    Safe to repeat. Raises CannotBuild.
    """
    found = audiences.named(ad_account, name)
    if found is None:
        try:
            audiences.refresh(ad_account, now)
        except PartnerError as problem:
            said = _("The audiences of “%(name)s” could not be read.") % {"name": ad_account.name}
            raise CannotBuild(f"{said} {_explained(ad_account, problem.code)}") from None
        found = audiences.named(ad_account, name)
    if found is not None:
        return found
    try:
        made = audiences.create(ad_account, name, "", now)
    except audiences.CannotCreate as refusal:
        raise CannotBuild(str(refusal)) from None
    if made.state == Audience.State.CREATING:
        said = _("The audience “%(name)s” is being created: its turn comes in about %(time)s. Repeat this then.")
        wait = duration(max(forecast.next_slot_in(ad_account.connection), 1))
        raise CannotBuild(said % {"name": made.name, "time": wait})
    if made.state != Audience.State.READY:
        said = _("Failed to create audience '%(name)s'.") % {"name": made.name}
        raise CannotBuild(f"{said} {_explained(ad_account, made.failure)}")
    return made


def add_sync(canvas: Canvas, audience: Audience, operation: str, fields: MatchField, *, name: str = "") -> Step:
    """Append an Audience Sync step that is ready to launch. Raises NotDraft."""
    step = editing.add_step(canvas, audience_sync.kind.slug, name=name)
    audience_sync.configure(step, audience=audience, operation=operation, fields=fields)
    return step


def _explained(ad_account: AdAccount, code: str) -> str:
    why = reason(code, registry.name_of(ad_account.connection.partner))
    return f"{why.name}: {why.cause} {why.way_out}"
