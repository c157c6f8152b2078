"""How much one request may carry: the partner's limits, or lower ones from the settings, never higher."""

from dataclasses import dataclass

from django.conf import settings

from integrations import registry


@dataclass(frozen=True)
class Limits:
    users: int
    records: int
    rationed: bool = False  # the whole app has a quota: users may wait for hours before their first request


def limits_of(partner_slug: str) -> Limits:
    """Return the limits of one request to a partner."""
    partner = registry.partner(partner_slug)
    return Limits(
        users=min(partner.users_per_request, settings.USERS_PER_REQUEST or partner.users_per_request),
        records=min(partner.records_per_request, settings.RECORDS_PER_REQUEST or partner.records_per_request),
        rationed=partner.quota is not None,
    )
