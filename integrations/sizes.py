"""How large an audience is, was, and would have to be: the partner's own figures, kept as they change."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Q, Sum

from integrations import registry
from integrations.contract import AudienceInfo
from integrations.delivery.reading import reads_of
from integrations.errors import AudienceGone
from integrations.models import AdAccount, Audience, AudienceSize, Operation, SyncTotals
from integrations.tokens import with_token

AT_A_TIME = 500  # audiences of one query
POINTS = 200  # the latest changes that a drawing shows


@dataclass(frozen=True)
class Standing:
    """An audience as the partner last told of it. `smallest`: below this its size is hidden."""

    audience: Audience
    partner: str
    smallest: int
    accepted: int  # users that were added and not removed again; how many of them matched nobody is told

    @property
    def is_hidden(self) -> bool:
        return self.audience.size is None

    @property
    def missing(self) -> bool:
        """Return whether so few were accepted that the size must be hidden."""
        return self.is_hidden and self.accepted < self.smallest


def standing(audience: Audience) -> Standing:
    """Return how an audience stands; its ad account and connection come with it. Calls nobody, counts no user."""
    slug = audience.ad_account.connection.partner
    known = {partner.slug: partner for partner in registry.partners()}
    smallest = known[slug].smallest_reported_size if slug in known else 0
    # Counters of the steps, not users: however many went through, there are as many rows as steps.
    sent = SyncTotals.objects.filter(sync__audience=audience).aggregate(
        added=Sum("synced", filter=Q(sync__operation=Operation.ADD)),
        removed=Sum("synced", filter=Q(sync__operation=Operation.REMOVE)),
    )
    accepted = (sent["added"] or 0) - (sent["removed"] or 0)
    return Standing(audience, registry.name_of(slug), smallest, max(accepted, 0))


def history(audience: Audience) -> list[tuple[datetime, int | None]]:
    """Return the sizes that were told, the oldest first, and last the present one."""
    rows = AudienceSize.objects.filter(audience=audience).order_by("-at").values_list("at", "size")[:POINTS]
    found = list(reversed(rows))
    if not found or found[-1][0] < audience.seen_at:
        found.append((audience.seen_at, audience.size))
    return found


def remember(ad_account: AdAccount, told: Mapping[str, AudienceInfo], now: datetime) -> None:
    """Keep the sizes that differ from the copy, in the transaction that is about to write them over it.

    `told` is by the partner's ids. The first change of an audience also keeps what it was before.
    """
    ids = list(told)
    for start in range(0, len(ids), AT_A_TIME):
        part = ids[start : start + AT_A_TIME]
        known = Audience.objects.filter(ad_account=ad_account, external_id__in=part).only(
            "external_id", "size", "seen_at"
        )
        changed = [audience for audience in known if audience.size != told[audience.external_id or ""].size]
        if changed:
            _keep(changed, told, now)


def reread(audience: Audience, now: datetime) -> None:
    """Ask the partner for this one audience and keep what it tells. Raises PartnerError; AudienceGone marks it."""
    ad_account = audience.ad_account
    connection = ad_account.connection
    partner = registry.partner(connection.partner)
    id = audience.external_id or ""
    try:
        with reads_of(connection.partner, connection.partner_user_id):
            info = with_token(connection, lambda token: partner.audience(token, ad_account.external_id, id), now)
    except AudienceGone:
        Audience.objects.filter(pk=audience.pk, external_id=id, state=Audience.State.READY).update(
            state=Audience.State.GONE, failure=AudienceGone.code
        )
        raise
    with transaction.atomic():
        remember(ad_account, {id: info}, now)
        Audience.objects.filter(pk=audience.pk, external_id=id).update(
            size=info.size, status=info.status[:30], seen_at=now
        )


def _keep(changed: list[Audience], told: Mapping[str, AudienceInfo], now: datetime) -> None:
    kept = set(AudienceSize.objects.filter(audience__in=changed).values_list("audience_id", flat=True).distinct())
    rows = [AudienceSize(audience=one, at=one.seen_at, size=one.size) for one in changed if one.pk not in kept]
    rows += [AudienceSize(audience=one, at=now, size=told[one.external_id or ""].size) for one in changed]
    AudienceSize.objects.bulk_create(rows, ignore_conflicts=True)
