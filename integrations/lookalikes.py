"""Audiences of people who resemble those of one of ours, made by a partner that offers it.

One write request, at the pace of all others. A process that dies leaves the row CREATING; when its lease is over,
upkeep first looks at the partner for what the lost answer may have made, and goes on from there (as creating.py does).
"""

import logging
from collections.abc import Mapping
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from integrations import registry
from integrations.contract import AudienceInfo, LookalikeDraft, LookalikeOffer
from integrations.creating import LEASE, NEW_FOR, CannotCreate, one_write, wait_for_next_try
from integrations.delivery.clock import clock_from
from integrations.delivery.reading import reads_of
from integrations.errors import AudienceGone, PartnerError
from integrations.models import AdAccount, Audience, Lookalike
from integrations.tokens import with_live, with_token
from pinsync.workspaces import audit
from pinsync.workspaces.models import User

log = logging.getLogger("pinsync.audiences")

SHOWN = 50  # of one audience


def offer_of(audience: Audience) -> LookalikeOffer | None:
    """Return what the audience's partner offers, if it does; its ad account and connection come with the audience."""
    slug = audience.ad_account.connection.partner
    return next((partner.lookalikes for partner in registry.partners() if partner.slug == slug), None)


def countries(audience: Audience) -> list[str]:
    """Return the countries to choose from: the ad account's own first."""
    offer = offer_of(audience)
    own = audience.ad_account.country
    return list(dict.fromkeys([*([own] if own else []), *offer.countries])) if offer else []


def of(audience: Audience) -> list[Lookalike]:
    """Return those that were asked for, the newest first."""
    return list(Lookalike.objects.filter(seed=audience).order_by("-pk")[:SHOWN])


def create(seed: Audience, name: str, country: str, percent: int, user: User | None, now: datetime) -> Lookalike:
    """Have the partner make one, and return it: READY, FAILED with the error's code, or CREATING until its turn comes.

    May wait 10 s for its turn. One of the same name that failed or is gone is made again on its row.
    Raises CannotCreate with a sentence where nothing may be asked of the partner.
    """
    name = " ".join(name.split())
    _check(seed, name, country, percent)
    row, is_again = _row(seed, name, country, percent, user, now)
    return _go_on(row, now, look_first=is_again, is_resumed=False)


def remember(ad_account: AdAccount, told: Mapping[str, AudienceInfo], now: datetime) -> None:
    """Keep what the partner tells of ours, by its ids. Only a list that was read to its end may come here.

    In the caller's transaction: until it ends, none of them is made again.
    """
    is_there = Q(state__in=(Lookalike.State.READY, Lookalike.State.GONE))
    ours = Lookalike.objects.filter(is_there, seed__ad_account=ad_account)
    known = [one for one in ours.select_for_update(of=("self",)) if one.external_id in told]
    for one in known:
        info = told[one.external_id]
        one.state, one.failure = Lookalike.State.READY, ""
        one.status, one.size, one.seen_at = info.status[:30], info.size, now
    Lookalike.objects.bulk_update(known, ["state", "failure", "status", "size", "seen_at"], batch_size=500)
    missing = ours.filter(state=Lookalike.State.READY).exclude(pk__in=[one.pk for one in known])
    missing.filter(made_at__lte=now - NEW_FOR).update(state=Lookalike.State.GONE, failure=AudienceGone.code)


def cut_off(now: datetime) -> list[Lookalike]:
    """Return the creations whose lease is over."""
    is_over = Q(lease_until=None) | Q(lease_until__lt=now)
    return list(Lookalike.objects.filter(is_over, state=Lookalike.State.CREATING).order_by("pk"))


def resume(lookalike: Lookalike, now: datetime) -> bool:
    """Take up a creation that was cut off; return whether it is READY now. One caller does it."""
    ours = Lookalike.objects.filter(
        pk=lookalike.pk, state=Lookalike.State.CREATING, lease_until=lookalike.lease_until
    ).update(lease_until=now + LEASE)
    return ours == 1 and _go_on(_fresh(lookalike), now, look_first=True, is_resumed=True).external_id != ""


def _check(seed: Audience, name: str, country: str, percent: int) -> None:
    ad_account, offer = seed.ad_account, offer_of(seed)
    partner = registry.name_of(ad_account.connection.partner)
    if offer is None:
        raise CannotCreate(_("{partner} offers no such audiences.").format(partner=partner))
    longest = registry.partner(ad_account.connection.partner).longest_name
    if not name:
        raise CannotCreate(_("Give the audience a name."))
    if len(name) > longest:
        raise CannotCreate(_("The name may have up to {number} characters.").format(number=longest))
    if country not in countries(seed):
        raise CannotCreate(_("Choose one of the countries."))
    if percent not in offer.percents:
        sentence = _("The share must be between {least} and {most} percent.")
        raise CannotCreate(sentence.format(least=offer.percents[0], most=offer.percents[-1]))
    if ad_account.state != AdAccount.State.CONNECTED or not ad_account.may_write:
        raise CannotCreate(_("The ad account “{name}” is not connected.").format(name=ad_account.name))
    if seed.state != Audience.State.READY:
        raise CannotCreate(_("The audience “{name}” does not exist at the partner.").format(name=seed.name))


def _row(
    seed: Audience, name: str, country: str, percent: int, user: User | None, now: datetime
) -> tuple[Lookalike, bool]:
    """Return a row that is CREATING and leased to us, and whether an earlier attempt may have left traces."""
    asked = {"country": country, "percent": percent, "created_by": user, "asked_at": now, "lease_until": now + LEASE}
    anew = {"failure": "", "external_id": "", "status": "", "size": None, "made_at": None, "seen_at": None}
    is_over = Q(state__in=(Lookalike.State.FAILED, Lookalike.State.GONE))
    try:
        with transaction.atomic():
            ended = Lookalike.objects.filter(is_over, seed=seed, name=name).first()
            if ended and Lookalike.objects.filter(is_over, pk=ended.pk).update(
                state=Lookalike.State.CREATING, **anew, **asked
            ):
                return _fresh(ended), True
            made = Lookalike.objects.create(seed=seed, name=name, began_at=now, **asked)
            workspace = seed.ad_account.connection.workspace
            audit.record(workspace, user, "audience.lookalike_asked", name, now=now, audience=seed.pk)
            return made, False
    except IntegrityError:
        raise CannotCreate(_("There is one called “{name}” already. Use another name.").format(name=name)) from None


def _go_on(lookalike: Lookalike, now: datetime, *, look_first: bool, is_resumed: bool) -> Lookalike:
    ad_account = lookalike.seed.ad_account
    connection = ad_account.connection
    partner = registry.partner(connection.partner)
    clock = clock_from(now)
    draft = LookalikeDraft(
        lookalike.name, lookalike.seed.external_id or "", lookalike.country, lookalike.percent, lookalike.began_at
    )
    id = ""
    try:
        if look_first:
            with reads_of(connection.partner, connection.partner_user_id):
                id = with_token(
                    connection, lambda token: partner.find_lookalike(token, ad_account.external_id, draft), now
                )
        id = id or with_live(
            connection.pk,
            lambda live: one_write(
                live, lambda: partner.create_lookalike(live.access_token, ad_account.external_id, draft), clock
            ),
            now,
        )
    except PartnerError as problem:
        return _fail(lookalike, problem, now, is_resumed=is_resumed)
    made = {"external_id": id, "made_at": now, "failure": "", "lease_until": None}
    _ours(lookalike).update(state=Lookalike.State.READY, **made)
    log.info("lookalike created", extra={"lookalike": lookalike.pk, "audience": lookalike.seed_id})
    return _fresh(lookalike)


def _fail(lookalike: Lookalike, problem: PartnerError, now: datetime, *, is_resumed: bool) -> Lookalike:
    log.warning("lookalike not created", extra={"lookalike": lookalike.pk, "outcome": problem.code})
    slug = lookalike.seed.ad_account.connection.partner
    asked_at = lookalike.asked_at or lookalike.began_at
    wait = wait_for_next_try(slug, problem, asked_at, now, is_resumed=is_resumed)
    if wait is not None:
        _ours(lookalike).update(lease_until=now + wait)
    else:
        _ours(lookalike).update(state=Lookalike.State.FAILED, failure=problem.code, lease_until=None)
    return _fresh(lookalike)


def _ours(lookalike: Lookalike) -> QuerySet[Lookalike]:
    return Lookalike.objects.filter(pk=lookalike.pk, state=Lookalike.State.CREATING)


def _fresh(lookalike: Lookalike) -> Lookalike:
    return Lookalike.objects.select_related("seed__ad_account__connection__workspace").get(pk=lookalike.pk)
