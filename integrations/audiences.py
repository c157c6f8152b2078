"""The local copy of a partner's audiences that pages search, and what keeps a sync from working."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q, prefetch_related_objects
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from integrations import lookalikes, registry, sizes
from integrations.contract import AudienceInfo
from integrations.creating import NEW_FOR, CannotCreate, create
from integrations.delivery import claiming, recreating
from integrations.delivery.reading import reads_of
from integrations.errors import AudienceGone
from integrations.fields import fold
from integrations.models import AdAccount, Audience, AudienceSync, Connection
from integrations.problems import Problem
from integrations.tokens import with_token
from pinsync.ids import row_id

__all__ = ["CannotCreate", "create"]  # these live in creating.py

PAGE = 50
ROWS_PER_INSERT = 500
OLD_AFTER = timedelta(hours=6)  # then a copy is read again by itself
TRY_AGAIN = timedelta(minutes=10)  # between two tries by upkeep


@dataclass(frozen=True)
class Page:
    """Some audiences in the order of their names; `after` asks for the next page and is "" on the last."""

    audiences: list[Audience]
    after: str


def search(ad_account: AdAccount, text: str = "", cursor: str = "") -> Page:
    """Return a page of the audiences that users can be written to and whose name or id contains `text`.

    Reads the local copy only. `cursor` is the `after` of the page before; one that makes no sense starts anew.
    """
    found = Audience.objects.filter(ad_account=ad_account, state=Audience.State.READY)
    wanted = text.strip()
    if "\0" in wanted:  # no name has one, and PostgreSQL would refuse to look
        return Page([], "")
    if wanted:
        found = found.filter(Q(name_folded__contains=fold(wanted)) | Q(external_id__contains=wanted))
    after = row_id(cursor)
    last = Audience.objects.filter(ad_account=ad_account, pk=after).first() if after else None
    if last:
        found = found.filter(Q(name_folded__gt=last.name_folded) | Q(name_folded=last.name_folded, pk__gt=last.pk))
    rows = list(found.order_by("name_folded", "pk")[: PAGE + 1])
    return Page(rows[:PAGE], str(rows[PAGE - 1].pk) if len(rows) > PAGE else "")


def named(ad_account: AdAccount, name: str) -> Audience | None:
    """Return the existing audience of exactly this name, apart from upper and lower case."""
    return Audience.objects.filter(
        ad_account=ad_account, state=Audience.State.READY, name_folded=fold(name.strip())
    ).first()


def refresh(ad_account: AdAccount, now: datetime) -> int:
    """Read all audiences of the ad account from the partner into the local copy; return how many can be written to.

    Only a list that was read to its end says that something is gone: an outage in the middle changes nothing.
    Raises PartnerError.
    """
    connection = ad_account.connection
    partner = registry.partner(connection.partner)
    with reads_of(connection.partner, connection.partner_user_id):
        infos = with_token(connection, lambda token: list(partner.audiences(token, ad_account.external_id)), now)
    by_id = {info.id: info for info in infos if info.target_id}
    with transaction.atomic():
        _adopt(ad_account, infos, now)
        sizes.remember(ad_account, by_id, now)
        lookalikes.remember(ad_account, {info.id: info for info in infos if not info.target_id}, now)
        Audience.objects.bulk_create(
            [_row(ad_account, info, now) for info in by_id.values()],
            batch_size=ROWS_PER_INSERT,
            update_conflicts=True,
            unique_fields=["ad_account", "external_id"],
            update_fields=[
                "target_id",
                "name",
                "name_folded",
                "description",
                "state",
                "failure",
                "status",
                "size",
                "created_at",
                "seen_at",
            ],
        )
        is_new = Q(made_here=True, created_at__gt=now - NEW_FOR)
        Audience.objects.filter(ad_account=ad_account, state=Audience.State.READY, seen_at__lt=now).exclude(
            is_new
        ).update(state=Audience.State.GONE, failure=AudienceGone.code)
        AdAccount.objects.filter(pk=ad_account.pk).update(audiences_refreshed_at=now)
    return len(by_id)


def _adopt(ad_account: AdAccount, infos: list[AudienceInfo], now: datetime) -> None:
    """Recognise audiences whose creation was cut off after the partner had made them, by what they stand on.

    The lane is locked before its audience's row, and lanes in the order of their ids, as by all who hold both: whoever
    claims or gives up makes a batch, whose foreign key waits for a row that gets another id.
    """
    unfinished = Audience.objects.filter(
        ad_account=ad_account, external_id=None, state__in=(Audience.State.CREATING, Audience.State.FAILED)
    ).exclude(target_id="")
    by_target = {info.target_id: info for info in infos}
    for audience in unfinished.order_by("pk"):
        info = by_target.get(audience.target_id)
        if info and not Audience.objects.filter(ad_account=ad_account, external_id=info.id).exists():
            claiming.wait_for_lane(audience.pk)
            Audience.objects.filter(pk=audience.pk, external_id=None).update(
                external_id=info.id, state=Audience.State.READY, failure="", lease_until=None, seen_at=now
            )
            recreating.exists_again(audience.pk, now)


def _row(ad_account: AdAccount, info: AudienceInfo, now: datetime) -> Audience:
    return Audience(
        ad_account=ad_account,
        external_id=info.id,
        target_id=info.target_id,
        name=info.name[:300] or info.id,
        description=info.description[:500],
        state=Audience.State.READY,
        status=info.status[:30],
        size=info.size,
        created_at=info.created_at,
        seen_at=now,
    )


def take_old(now: datetime, at_most: int) -> list[AdAccount]:
    """Return connected ad accounts whose copy is missing or old, for this caller to refresh: the oldest first."""
    is_old = Q(audiences_refreshed_at=None) | Q(audiences_refreshed_at__lte=now - OLD_AFTER)
    is_due = Q(audiences_tried_at=None) | Q(audiences_tried_at__lte=now - TRY_AGAIN)
    found = (
        AdAccount.objects.filter(
            is_old,
            is_due,
            state=AdAccount.State.CONNECTED,
            connection__state=Connection.State.CONNECTED,
            connection__paused_at=None,
        )
        .select_related("connection")
        .order_by(F("audiences_refreshed_at").asc(nulls_first=True), "pk")[:at_most]
    )
    return [
        ad_account
        for ad_account in found
        if AdAccount.objects.filter(is_due, pk=ad_account.pk).update(audiences_tried_at=now)
    ]


def connection_of(sync: AudienceSync) -> Connection | None:
    """Return the connection that the sync's requests need; asks nothing where it came with the ad account."""
    link = sync.ad_account.connection if sync.ad_account else None
    if link is not None and (link.workspace_id, link.partner) == (sync.workspace_id, sync.partner):
        return link
    return Connection.objects.filter(workspace=sync.workspace_id, partner=sync.partner).first()


def problems(sync: AudienceSync) -> list[Problem]:
    """Return what keeps this sync from working, most basic first; empty when users can be sent."""
    return problems_of([sync])[sync.pk]


def problems_of(syncs: Sequence[AudienceSync]) -> dict[int, list[Problem]]:
    """Return the problems of each by its id, in a number of queries that does not depend on how many there are.

    Audiences and ad accounts come with the syncs.
    """
    prefetch_related_objects(syncs, "workspace")
    found = Connection.objects.filter(
        workspace__in={sync.workspace_id for sync in syncs}, partner__in={sync.partner for sync in syncs}
    )
    connections = {(connection.workspace_id, connection.partner): connection for connection in found}
    not_there = (Audience.State.CREATING, Audience.State.FAILED)
    coming_back = recreating.unfinished_of(
        {sync.audience.pk for sync in syncs if sync.audience and sync.audience.state in not_there}
    )
    return {
        sync.pk: _problems(sync, connections.get((sync.workspace_id, sync.partner)), sync.audience_id in coming_back)
        for sync in syncs
    }


def _problems(sync: AudienceSync, connection: Connection | None, is_coming_back: bool) -> list[Problem]:
    if not sync.partner or sync.partner not in {partner.slug for partner in registry.partners()}:
        return [Problem(_("Choose a partner."))]
    name = registry.name_of(sync.partner)
    page = reverse("integrations:partner", kwargs={"workspace": sync.workspace.slug, "partner": sync.partner})
    found = _connection_problems(connection, name, page)
    found += _ad_account_problems(sync.ad_account, connection, page)
    found += _audience_problems(sync, is_coming_back)
    if not sync.match_fields:
        found.append(Problem(_("Choose at least one field to match on.")))
    return found


def _connection_problems(connection: Connection | None, name: str, page: str) -> list[Problem]:
    if connection is None or connection.state == Connection.State.DISCONNECTED:
        return [Problem(_("{partner} is not connected. Connect it.").format(partner=name), page)]
    if connection.state == Connection.State.BROKEN:
        return [Problem(_("{partner} refuses the token. Reconnect.").format(partner=name), page)]
    if connection.paused_at:
        return [Problem(_("The connection to {partner} is paused by staff.").format(partner=name), page)]
    return []


def _ad_account_problems(ad_account: AdAccount | None, connection: Connection | None, page: str) -> list[Problem]:
    if ad_account is None or connection is None or ad_account.connection_id != connection.pk:
        return [Problem(_("Choose an ad account."))]
    if connection.state == Connection.State.DISCONNECTED:
        return []  # said already, and connecting chooses the ad accounts
    if ad_account.state == AdAccount.State.AVAILABLE:
        sentence = _("The ad account “{name}” is not connected. Add it on the partner page.")
    elif ad_account.state == AdAccount.State.LOST or not ad_account.may_write:
        sentence = _("The connected person may not manage audiences in the ad account “{name}”. Ask its admin.")
    else:
        return []
    return [Problem(sentence.format(name=ad_account.name), page)]


def _audience_problems(sync: AudienceSync, is_coming_back: bool) -> list[Problem]:
    audience = sync.audience
    if audience is None or audience.ad_account_id != sync.ad_account_id:
        return [Problem(_("Choose an audience, or create one."))]
    state = Audience.State(audience.state)
    if state == Audience.State.GONE:
        sentence = _("The audience “{name}” does not exist any more. Recreate it, or choose another one.")
        return [Problem(sentence.format(name=audience.name), _recreation_page(sync), _("Recreate audience"))]
    if is_coming_back:
        if state == Audience.State.CREATING:
            sentence, action = _("The deleted audience “{name}” is being created again."), _("Show progress")
        else:
            sentence, action = _("The deleted audience “{name}” could not be created again."), _("Try again")
        return [Problem(sentence.format(name=audience.name), _recreation_page(sync), action)]
    sentences = {
        Audience.State.CREATING: _("The audience “{name}” is still being created. Wait a minute."),
        Audience.State.FAILED: _("The audience “{name}” could not be created. Try again, or choose another one."),
    }
    found = sentences.get(state)
    return [Problem(found.format(name=audience.name))] if found else []


def progress(sync: AudienceSync) -> Problem | None:
    """Return, as a sentence and a page, that the users of a recreated audience are on their way back."""
    recreation = recreating.unfinished(sync.audience_id) if sync.audience_id else None
    if recreation is None or recreation.made_at is None or sync.audience is None:
        return None
    sentence = ngettext(
        "The audience “{name}” was created again; {users} user is being sent again.",
        "The audience “{name}” was created again; {users} users are being sent again.",
        recreation.sent_again,
    )
    text = sentence.format(name=sync.audience.name, users=f"{recreation.sent_again:,}")
    return Problem(text, _recreation_page(sync), _("Show progress"))


def _recreation_page(sync: AudienceSync) -> str:
    """Return the page that offers to make a deleted audience anew, and shows how far that is."""
    return reverse("integrations:recreation", args=[sync.workspace.slug, sync.partner, sync.audience_id])
