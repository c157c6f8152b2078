"""Demo data, made as a person makes it: through the product's own functions and a real round trip to the partner.

Safe to repeat, also after an interruption: what is there is left as it is, whatever somebody did to it meanwhile.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from allauth.account.models import EmailAddress
from django.db import transaction

from canvas import building, editing, launching, schedules
from canvas.models import Canvas, Step
from canvas.round_trip import consent
from canvas.ticking import work_until
from integrations import audiences, connecting, consenting, registry
from integrations.contract import Playground
from integrations.models import AdAccount, Audience, Operation, SyncTotals
from pinsync.profiles import sample_csv
from pinsync.profiles.importing import run_import
from pinsync.profiles.matching import MatchField
from pinsync.profiles.models import Import, Segment
from pinsync.profiles.segments import save_segment
from pinsync.workspaces.accounts import create_person
from pinsync.workspaces.creating import create_workspace
from pinsync.workspaces.models import Member, Role, User, Workspace

Clock = Callable[[], datetime]

LEFT_FOR_LATER = 2  # ad accounts that are not chosen, so that some can be added
DELIVER_SECONDS = 20.0

LAPSED, FREQUENT = "Lapsed customers", "Frequent buyers"


def _rules(*rules: dict[str, str]) -> dict[str, Any]:
    return {"match": "all", "groups": [{"match": "all", "rules": list(rules)}]}


SEGMENTS = {
    LAPSED: _rules({"field": "attribute:last_purchase_at", "operator": "date.days_ago", "value": "180"}),
    FREQUENT: _rules({"field": "attribute:orders", "operator": "number.greater", "value": "2"}),
    "Gold members in Korea": _rules(
        {"field": "attribute:country", "operator": "text.equals", "value": "KR"},
        {"field": "attribute:loyalty_level", "operator": "text.equals", "value": "gold"},
    ),
    "Reachable by e-mail": _rules({"field": "email", "operator": "match.present"}),
}


def person(email: str, password: str) -> User:
    """Return the demo person, who can sign in with this password and may see the admin."""
    user = User.objects.filter(email=email).first()
    if user is None:
        return create_person(email, password, is_staff=True, is_superuser=True)
    if not (user.check_password(password) and user.is_staff and user.is_superuser and user.is_active):
        user.set_password(password)
        user.is_staff = user.is_superuser = user.is_active = True
        user.save()
    EmailAddress.objects.update_or_create(user=user, email=email, defaults={"verified": True, "primary": True})
    return user


def workspace(name: str, slug: str, user: User, now: datetime) -> Workspace:
    """Return the workspace, whose Admin the person is."""
    found = Workspace.objects.filter(slug=slug).first()
    if found is None:
        return create_workspace(name, user, now)
    Member.objects.update_or_create(workspace=found, user=user, defaults={"role": Role.ADMIN})
    return found


def playground() -> tuple[str, Playground] | None:
    """Return the first partner that has a stand-in here, and the stand-in."""
    for partner in registry.partners():
        found = partner.playground()
        if found is not None:
            return partner.slug, found
    return None


def connect(demo: Workspace, user: User, slug: str, ground: Playground, clock: Clock) -> None:
    """Connect the workspace unless it ever was. Raises PartnerError, ConsentProblem or CannotConnect."""
    if connecting.connection_of(demo, slug) is not None:
        return
    consenting.accept_terms(demo, user, slug, clock())
    authorization = consent(demo, user, slug, ground, clock)
    usable = [info.id for info in consenting.infos(authorization) if info.may_write]
    connection = connecting.complete(authorization, usable[:-LEFT_FOR_LATER] or usable, clock())
    for ad_account in AdAccount.objects.filter(connection=connection, state=AdAccount.State.CONNECTED):
        audiences.refresh(ad_account, clock())


def users(demo: Workspace, user: User, now: datetime) -> None:
    """Import the bundled sample and save a few segments, unless there are some."""
    name = sample_csv.SAMPLE.name
    if not Import.objects.filter(workspace=demo, state=Import.State.DONE).exists():
        run = Import.objects.create(workspace=demo, name=name, created_by=user)
        with sample_csv.SAMPLE.open("rb") as file:
            run_import(run, file, now=now)
    with transaction.atomic():
        if not Segment.objects.filter(workspace=demo).exists():
            for segment, filters in SEGMENTS.items():
                save_segment(Segment(workspace=demo), segment, filters, user, now=now)


def canvases(demo: Workspace, user: User, clock: Clock) -> list[Canvas]:
    """Make and launch two Canvases unless there are some, let their users in, and return them.

    Raises CannotBuild or launching.NotReady.
    """
    if Canvas.objects.filter(workspace=demo).exists():
        return []
    ad_account = building.ad_account_in_use(demo)
    win_back, suppress = _two_audiences(ad_account, clock)
    with transaction.atomic():
        launched = [_winter_win_back(demo, win_back, user, clock()), _suppress_buyers(demo, suppress, user, clock())]
    schedules.enter_due(clock())
    return launched


def deliver(launched: list[Canvas], clock: Clock) -> bool:
    """Work until nobody in these Canvases is pending; return False when that takes too long."""

    def is_settled() -> bool:
        return not (
            Canvas.objects.filter(pk__in=[canvas.pk for canvas in launched], enter_at__isnull=False).exists()
            or SyncTotals.objects.filter(sync__step__canvas__in=launched, pending__gt=0).exists()
        )

    return work_until(is_settled, seconds=DELIVER_SECONDS, clock=clock)


def _two_audiences(ad_account: AdAccount, clock: Clock) -> list[Audience]:
    if registry.partner(ad_account.connection.partner).quota:
        # Creating one takes two turns, and with a quota of the whole app these are minutes apart.
        there = list(Audience.objects.filter(ad_account=ad_account, state=Audience.State.READY).order_by("pk")[:2])
        if len(there) == 2:
            return there
    names = ("Winter win-back", "Frequent buyers (suppress)")
    return [building.audience_called(ad_account, name, clock()) for name in names]


def _winter_win_back(demo: Workspace, audience: Audience, user: User, now: datetime) -> Canvas:
    canvas = Canvas(
        workspace=demo,
        name="Winter win-back",
        description="Customers who have not bought for half a year see our winter campaign.",
        tags=["winter", "win-back"],
        segment=Segment.objects.filter(workspace=demo, name=LAPSED).first(),
    )
    editing.create(canvas, user, now)
    building.add_sync(canvas, audience, Operation.ADD, MatchField.EMAIL)
    launching.launch(canvas, user, now)
    return canvas


def _suppress_buyers(demo: Workspace, audience: Audience, user: User, now: datetime) -> Canvas:
    every = MatchField.EMAIL | MatchField.IDFA | MatchField.GAID
    canvas = Canvas(
        workspace=demo,
        name="Suppress buyers",
        description="Frequent buyers are left out of prospecting for a month, then may see it again.",
        tags=["suppression"],
        segment=Segment.objects.filter(workspace=demo, name=FREQUENT).first(),
    )
    editing.create(canvas, user, now)
    building.add_sync(canvas, audience, Operation.ADD, every, name="Suppress")
    delay = editing.add_step(canvas, "delay", name="Wait a month")
    Step.objects.filter(pk=delay.pk).update(settings={"amount": 30, "unit": "days"})
    building.add_sync(canvas, audience, Operation.REMOVE, every, name="Release")
    launching.launch(canvas, user, now)
    return canvas
