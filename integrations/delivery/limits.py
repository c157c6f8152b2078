"""How much one request may carry: the partner's limits, or lower ones from the settings, never higher."""

from dataclasses import dataclass

from django.conf import settings

from integrations import registry
from pinsync.profiles.matching import MatchField


@dataclass(frozen=True)
class Limits:
    users: int
    records: int
    rationed: bool = False  # the whole app has a quota: users may wait for hours before their first request

    def are_reached(self, *, users: int, records: int) -> bool:
        """Return whether a request that carries so much has no room for somebody with all records there are."""
        return users >= self.users or records > self.records - len(MatchField)


def limits_of(partner_slug: str) -> Limits:
    """Return the limits of one request to a partner."""
    partner = registry.partner(partner_slug)
    return Limits(
        users=min(partner.users_per_request, settings.USERS_PER_REQUEST or partner.users_per_request),
        records=min(partner.records_per_request, settings.RECORDS_PER_REQUEST or partner.records_per_request),
        rationed=partner.quota is not None,
    )
