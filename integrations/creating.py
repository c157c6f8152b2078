"""Create an audience at a partner, in steps that are taken up again where they were cut off.

One write request per step, and what its answer said is saved before the next. A process that dies leaves the row
CREATING; when its lease is over, upkeep first looks at the partner for what the lost answer may have made (find_draft)
and goes on from there. Only a process that died is resumed by itself: a refusal is shown to the person, who may try
again, on the same row.

An audience that was deleted at the partner is made anew the same way, on its own row, by upkeep from the beginning;
delivery/recreating.py brings its users back.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from integrations import registry
from integrations.contract import AudienceDraft
from integrations.delivery import claiming, recreating
from integrations.delivery.asking import Request, in_turn, write_down
from integrations.delivery.clock import clock_from
from integrations.delivery.pacing import TurnTooFar, pace_of
from integrations.delivery.rationing import quota_of
from integrations.delivery.reading import reads_of
from integrations.delivery.writing import writing
from integrations.errors import InvalidSettings, NeedsReconnect, PartnerError, RateLimited, Unavailable
from integrations.fields import fold
from integrations.models import AdAccount, Audience, Connection
from integrations.tokens import with_live, with_token
from pinsync.workspaces import audit
from pinsync.workspaces.models import User

log = logging.getLogger("pinsync.audiences")

LEASE = timedelta(minutes=3)  # longer than two turns and two calls, each with a refreshed token
# What we made so recently may not be in the partner's list yet; that it is missing there says nothing.
NEW_FOR = timedelta(minutes=15)
TRY_FOR = timedelta(hours=13)  # after somebody wanted it, as long as a user waits
LONGEST_WAIT = 10.0  # seconds that a person waits for a turn
BEFORE_ITS_TURN = timedelta(seconds=8)  # less than that
Made = TypeVar("Made")
MOST_STEPS = 5  # a partner that is not done by then never will be


class CannotCreate(Exception):
    """Nothing was asked of the partner. `str()` is the sentence for the person."""


def create(ad_account: AdAccount, name: str, description: str, now: datetime) -> Audience:
    """Create an audience and return it: READY, or FAILED with the error's code in `failure`.

    May wait 10 s for its turn before each of two requests. A failed one of the same name is tried again on its row.
    Raises CannotCreate with a sentence where the name can't be used or the ad account is not connected.
    """
    partner = registry.partner(ad_account.connection.partner)
    name, description = " ".join(name.split()), description.strip()
    if not name:
        raise CannotCreate(_("Give the audience a name."))
    if len(name) > partner.longest_name:
        raise CannotCreate(_("The name may have up to {number} characters.").format(number=partner.longest_name))
    if ad_account.state != AdAccount.State.CONNECTED:
        raise CannotCreate(_("The ad account “{name}” is not connected.").format(name=ad_account.name))
    audience, is_again = _row(ad_account, name, description[:500], now)
    return _go_on(audience, now, look_first=is_again, is_resumed=False)


def recreate(audience: Audience, user: User | None, now: datetime) -> bool:
    """Have upkeep make a deleted audience anew and send its users again; return whether this call began it.

    One that failed is taken up where it stopped. Of several who ask at once, one begins.
    Raises CannotCreate with a sentence where nothing may be asked of the partner.
    """
    ad_account = audience.ad_account
    if ad_account.state != AdAccount.State.CONNECTED or not ad_account.may_write:
        raise CannotCreate(_("The ad account “{name}” is not connected.").format(name=ad_account.name))
    if ad_account.connection.state != Connection.State.CONNECTED:
        raise CannotCreate(_("The partner refuses the token, or is not connected. Reconnect first."))
    try:
        with transaction.atomic():
            begun = recreating.begin(audience, user.pk if user else None, now)
            if not begun and recreating.unfinished(audience.pk):
                begun = take_up(audience, now, failed_only=True)
            if begun:
                workspace = ad_account.connection.workspace
                audit.record(workspace, user, "audience.recreated", audience.name, now=now, audience=audience.pk)
            return begun
    except IntegrityError:
        sentence = _("Another audience “{name}” is being created just now. Try again in a minute.")
        raise CannotCreate(sentence.format(name=audience.name)) from None


def cut_off(now: datetime) -> list[Audience]:
    """Return the creations whose lease is over."""
    is_over = Q(lease_until=None) | Q(lease_until__lt=now)
    return list(Audience.objects.filter(is_over, state=Audience.State.CREATING).order_by("pk"))


def resume(audience: Audience, now: datetime) -> bool:
    """Take up a creation that was cut off; return whether the audience is READY now. One caller does it."""
    ours = Audience.objects.filter(
        pk=audience.pk, state=Audience.State.CREATING, lease_until=audience.lease_until
    ).update(lease_until=now + LEASE)
    if not ours:
        return False
    taken = Audience.objects.select_related("ad_account__connection").get(pk=audience.pk)
    return _go_on(taken, now, look_first=True, is_resumed=True).state == Audience.State.READY


def take_up(audience: Audience, now: datetime, *, failed_only: bool = False) -> bool:
    """Have the next upkeep go on with a creation that failed or hangs; return whether there is anything to go on with.

    Upkeep looks at the partner first, so nothing is made twice.
    """
    unfinished = Q(state=Audience.State.FAILED, external_id=None)
    if not failed_only:
        unfinished |= Q(state=Audience.State.CREATING)
    try:
        with transaction.atomic():
            ours = Audience.objects.filter(unfinished, pk=audience.pk).exclude(lease_until__gt=now)
            return ours.update(state=Audience.State.CREATING, failure="", asked_at=now, lease_until=now) == 1
    except IntegrityError:  # another one of this name is being created just now
        return False


def _row(ad_account: AdAccount, name: str, description: str, now: datetime) -> tuple[Audience, bool]:
    """Return a row that is CREATING and leased to us, and whether an earlier attempt may have left traces."""
    same = Audience.objects.filter(ad_account=ad_account, name_folded=fold(name))
    if same.filter(state=Audience.State.READY).exists():
        raise CannotCreate(_("An audience “{name}” exists already. Choose it, or use another name.").format(name=name))
    try:
        with transaction.atomic():
            tried = same.filter(state=Audience.State.FAILED, name=name, external_id=None)
            # One that is made anew brings its users along: nobody asked for them here.
            failed = tried.exclude(pk__in=recreating.audiences()).order_by("-pk").first()
            if failed and same.filter(pk=failed.pk, state=Audience.State.FAILED).update(
                state=Audience.State.CREATING,
                failure="",
                description=description,
                asked_at=now,
                lease_until=now + LEASE,
            ):
                return same.select_related("ad_account__connection").get(pk=failed.pk), True
            return Audience.objects.create(
                ad_account=ad_account,
                name=name,
                description=description,
                state=Audience.State.CREATING,
                made_here=True,
                began_at=now,
                asked_at=now,
                lease_until=now + LEASE,
                seen_at=now,
            ), False
    except IntegrityError:
        raise CannotCreate(_("The audience “{name}” is being created just now.").format(name=name)) from None


def _go_on(audience: Audience, now: datetime, *, look_first: bool, is_resumed: bool) -> Audience:
    ad_account = audience.ad_account
    partner = registry.partner(ad_account.connection.partner)
    clock = clock_from(now)
    draft = AudienceDraft(
        name=audience.name,
        description=audience.description,
        target_id=audience.target_id,
        id=audience.external_id or "",
        began_at=audience.began_at,
    )

    def step(live: Connection, draft: AudienceDraft) -> AudienceDraft:
        return one_write(live, lambda: partner.create_audience(live.access_token, ad_account.external_id, draft), clock)

    try:
        if look_first:
            draft = _find(audience, draft, now)
        for _step in range(MOST_STEPS):
            if draft.done:
                break
            draft = with_live(ad_account.connection_id, lambda live, so_far=draft: step(live, so_far), now)  # type: ignore[misc]
            _save(audience, draft)
        if not draft.done:
            raise InvalidSettings("The creation of an audience does not end")
    except PartnerError as problem:
        return _fail(audience, problem, now, is_resumed=is_resumed)
    with writing():
        claiming.wait_for_lane(audience.pk)  # before the row, as everybody does who holds both
        Audience.objects.filter(pk=audience.pk, state=Audience.State.CREATING).update(
            state=Audience.State.READY, failure="", lease_until=None, made_here=True, seen_at=now, created_at=now
        )
        recreating.exists_again(audience.pk, now)
    log.info("audience created", extra={"audience": audience.pk})
    return Audience.objects.select_related("ad_account__connection").get(pk=audience.pk)


def one_write(live: Connection, call: Callable[[], Made], clock: Callable[[], datetime]) -> Made:
    """Return what `call` makes in its one write request, which keeps the pace and is written down.

    May wait 10 s for its turn. Raises PartnerError; RateLimited, without an HTTP status, when the turn is further away.
    """
    made: list[Request] = []
    try:
        with in_turn(made, pace_of(live), clock, at_most=LONGEST_WAIT):
            return call()
    except TurnTooFar as far:
        raise RateLimited(retry_after=timedelta(seconds=far.seconds)) from None
    finally:
        write_down(made)


def _find(audience: Audience, draft: AudienceDraft, now: datetime) -> AudienceDraft:
    ad_account = audience.ad_account
    partner = registry.partner(ad_account.connection.partner)
    connection = ad_account.connection
    with reads_of(connection.partner, connection.partner_user_id):
        found = with_token(connection, lambda token: partner.find_draft(token, ad_account.external_id, draft), now)
    if found != draft:
        _save(audience, found)
    return found


def _save(audience: Audience, draft: AudienceDraft) -> None:
    Audience.objects.filter(pk=audience.pk, state=Audience.State.CREATING).update(
        target_id=draft.target_id, external_id=draft.id or None
    )


def _fail(audience: Audience, problem: PartnerError, now: datetime, *, is_resumed: bool) -> Audience:
    """Say why, or wait for the next try."""
    log.warning("audience not created", extra={"audience": audience.pk, "outcome": problem.code})
    slug = audience.ad_account.connection.partner
    asked_at = audience.asked_at or audience.began_at
    wait = wait_for_next_try(slug, problem, asked_at, now, is_resumed=is_resumed)
    ours = Audience.objects.filter(pk=audience.pk, state=Audience.State.CREATING)
    if wait is not None:
        ours.update(lease_until=now + wait)
    else:
        ours.update(state=Audience.State.FAILED, failure=problem.code, lease_until=None)
    return Audience.objects.select_related("ad_account__connection").get(pk=audience.pk)


def wait_for_next_try(
    partner_slug: str, problem: PartnerError, asked_at: datetime | None, now: datetime, *, is_resumed: bool
) -> timedelta | None:
    """Return how long to wait until upkeep takes a creation up again; None when it failed and a person is told why.

    What was cut off and met an outage waits for the next try, as nobody is there to read it.
    """
    if isinstance(problem, RateLimited) and not problem.http_status and quota_of(partner_slug) is not None:
        # Its turn comes: upkeep takes it up shortly before, so that the next slot can be taken ahead of others.
        return max((problem.retry_after or LEASE) - BEFORE_ITS_TURN, BEFORE_ITS_TURN / 4)
    is_passing = isinstance(problem, (Unavailable, RateLimited, NeedsReconnect))
    if is_resumed and is_passing and asked_at and asked_at > now - TRY_FOR:
        return max(problem.retry_after or LEASE, LEASE)
    return None
