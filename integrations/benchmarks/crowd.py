"""Workspaces, profiles, connections and audiences for a run, made set-wise straight in the models."""

import hashlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from urllib.parse import parse_qs, urlsplit

from integrations import connecting, consenting, creating, registry
from integrations.benchmarks.processes import NotReady
from integrations.models import AdAccount, Audience, AudienceSync, Authorization, Connection
from pinsync.profiles.matching import MatchField
from pinsync.profiles.models import Profile
from pinsync.workspaces.models import Member, Role, User, Workspace

PARTNER = "pinterest"
EMAIL = MatchField.EMAIL
AT_ONCE = 10_000


def workspace(name: str) -> Workspace:
    """Make a workspace with one Admin, who connects it."""
    made = Workspace.objects.create(name=name, slug=name.lower().replace(" ", "-"))
    person = User(email=f"{made.slug}@example.com")
    person.set_unusable_password()
    person.save()
    Member.objects.create(workspace=made, user=person, role=Role.ADMIN)
    return made


def admin_of(place: Workspace) -> User:
    return User.objects.get(memberships__workspace=place)


def consent(place: Workspace, now: datetime) -> Authorization:
    """Go to the consent page and back, as a person would. Raises ConsentProblem or PartnerError."""
    playground = registry.partner(PARTNER).playground()
    if playground is None:
        raise NotReady("The partner of this run is no playground.")
    person = admin_of(place)
    page = consenting.begin(place, person, PARTNER, Authorization.Purpose.CONNECT, now)
    query = parse_qs(urlsplit(playground.consent(page)).query)
    answer = {name: query.get(name, [""])[0] for name in ("state", "code", "error")}
    return consenting.come_back(PARTNER, person, **answer, now=now)


def connect(place: Workspace, now: datetime) -> Connection:
    """Connect a workspace with every ad account that the person may write to."""
    authorization = consent(place, now)
    chosen = [info.id for info in consenting.infos(authorization) if info.may_write]
    return connecting.complete(authorization, chosen, now)


def reconnect(place: Workspace, now: datetime) -> Connection:
    return connecting.take_over(consent(place, now), now)


def account_without_partner(place: Workspace, now: datetime) -> AdAccount:
    """Connect a workspace in our tables alone: for what is measured without any request."""
    link = Connection.objects.create(workspace=place, partner=PARTNER, partner_user_id="1", connected_at=now)
    return AdAccount.objects.create(
        connection=link, external_id="1", name="Account", state=AdAccount.State.CONNECTED, seen_at=now
    )


def audience_without_partner(ad_account: AdAccount, number: int, now: datetime) -> Audience:
    return Audience.objects.create(
        ad_account=ad_account,
        external_id=str(number),
        target_id=str(number),
        name=f"Audience {number}",
        seen_at=now,
    )


def audience(ad_account: AdAccount, name: str, now: datetime) -> Audience:
    """Create an audience at the partner, through the product's own function."""
    made = creating.create(ad_account, name, "", now)
    if made.state != Audience.State.READY:
        raise NotReady(f"The audience could not be created: {made.failure}.")
    return made


def sync(place: Audience, operation: str, fields: MatchField) -> AudienceSync:
    link = place.ad_account.connection
    return AudienceSync.objects.create(
        workspace=link.workspace,
        partner=link.partner,
        ad_account=place.ad_account,
        audience=place,
        operation=operation,
        match_fields=fields,
    )


def fill(place: Workspace, number: int, now: datetime, *, useless_every: int = 0) -> range:
    """Make profiles, each with an address and an ad id of its own; return the range of their ids.

    Every `useless_every`-th has no usable value at all.
    """
    rows = _profiles(place, number, now, useless_every)
    ids: list[int] = []
    while chunk := list(islice(rows, AT_ONCE)):
        ids += [made.pk for made in Profile.objects.bulk_create(chunk)]
    if not ids or max(ids) - min(ids) + 1 != number:
        raise NotReady("The ids of new profiles have gaps: somebody else writes to this database.")
    return range(min(ids), max(ids) + 1)


def _profiles(place: Workspace, number: int, now: datetime, useless_every: int) -> Iterator[Profile]:
    for n in range(number):
        usable = not useless_every or (n + 1) % useless_every
        address = f"user-{place.pk}-{n}@example.com"
        yield Profile(
            workspace=place,
            external_id=f"user-{n}",
            email=address if usable else "n/a",
            email_record=hashlib.sha256(address.encode()).hexdigest() if usable else None,
            gaid_record=hashlib.sha256(f"gaid {address}".encode()).hexdigest() if usable else None,
            created_at=now,
            updated_at=now,
        )


def alive_for(tokens: dict[str, object], now: datetime) -> dict[str, object]:
    """Return the columns of a Connection for what the sandbox's control side answered."""
    return {
        "partner_user_id": tokens["pinterest_user"],
        "access_token": tokens["access_token"],
        "refresh_token": tokens["refresh_token"],
        "scopes": str(tokens["scope"]).split(),
        "access_expires_at": now + timedelta(days=30),
        "refresh_expires_at": now + timedelta(days=60),
        "connected_at": now,
    }
