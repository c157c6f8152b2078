"""The quota of the whole app, where a partner has one: so many requests a day, over all people, workers and machines.

Writes are spaced, so that they never use more than their share in any window; what reads use is written down and
counted. Together they stay within the quota whatever happens: a process that dies has counted a request that was never
made, never made one that was not counted.
"""

from datetime import timedelta

from django.db import connection

from integrations import registry
from integrations.contract import Quota
from integrations.delivery.clock import clock_sql, greatest_sql, read_clock
from integrations.delivery.writing import writing
from integrations.errors import RateLimited
from integrations.models import AppPace, AppRead

WRITES = 0.8  # of the quota; reads live from the rest
# Of what is left for reads: how much may be used before these are refused, the least urgent first.
UPKEEP, PEOPLE, TOKENS = 0.5, 0.9, 1.0

# A request may arrive later than it was counted, and the one that ends its window earlier: a window is longer by this.
LATEST_ARRIVAL = 60.0
CLAIM = 5.0  # seconds to make a batch and take the slot; a killed claimant keeps others waiting no longer


def quota_of(partner_slug: str) -> Quota | None:
    """Return the partner's quota of our app; None where there is none, or no such partner."""
    return next((partner.quota for partner in registry.partners() if partner.slug == partner_slug), None)


def rationed() -> list[str]:
    """Return the partners that have a quota."""
    return [partner.slug for partner in registry.partners() if partner.quota]


def slack(quota: Quota) -> float:
    """Return by how many seconds a window of ours is longer than the partner's."""
    return min(LATEST_ARRIVAL, quota.seconds / 20)


def gap(quota: Quota) -> float:
    """Return the seconds between the starts of two writes of our app."""
    return (quota.seconds + slack(quota)) / int(quota.calls * WRITES)


def latest_start(quota: Quota) -> float:
    """Return how late after its slot a write may start: the next one is far away, but not the end of its window."""
    return min(gap(quota), slack(quota)) / 4


def hold(partner_slug: str) -> AppPace:
    """Return the app's row, locked until the transaction ends."""
    AppPace.objects.bulk_create([AppPace(partner=partner_slug)], ignore_conflicts=True)
    return AppPace.objects.select_for_update().get(pk=partner_slug)


def next_slot_in(partner_slug: str) -> float:
    """Return how far the app's next write is; 0 when it may start now, or there is no quota."""
    if quota_of(partner_slug) is None:
        return 0.0
    found = AppPace.objects.filter(pk=partner_slug).first()
    return max(max(found.next_slot, found.blocked_until) - read_clock(), 0.0) if found else 0.0


def block(partner_slug: str, wait: timedelta) -> None:
    """Let nothing out for a while, because the partner said so."""
    AppPace.objects.bulk_create([AppPace(partner=partner_slug)], ignore_conflicts=True)
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE integrations_apppace SET blocked_until = {greatest_sql('blocked_until', f'{clock_sql()} + %s')}"
            " WHERE partner = %s",
            [wait.total_seconds(), partner_slug],
        )


def may_claim(partner_slug: str, *, within: float) -> float | None:
    """Return a lease to make a batch for the app's next slot; None while that is far away, or somebody else does.

    So users go on gathering until the last moment: a batch made earlier would go out less full than it could.
    """
    AppPace.objects.bulk_create([AppPace(partner=partner_slug)], ignore_conflicts=True)
    clock = clock_sql()
    with writing(), connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE integrations_apppace SET claimed_until = {clock} + %s WHERE partner = %s"
            f" AND claimed_until <= {clock} AND {greatest_sql('next_slot', 'blocked_until')} <= {clock} + %s"
            " RETURNING claimed_until",
            [CLAIM, partner_slug, within],
        )
        row = cursor.fetchone()
    return float(row[0]) if row else None


def release(partner_slug: str, lease: float) -> None:
    """Let others claim, unless somebody else does already."""
    AppPace.objects.filter(pk=partner_slug, claimed_until=lease).update(claimed_until=0)


def count_read(partner_slug: str, quota: Quota, share: float) -> None:
    """Write down a request that is no write and leaves now. Raises RateLimited when its share is used up."""
    window = quota.seconds + slack(quota)
    most = max(int((quota.calls - int(quota.calls * WRITES)) * share), 1)
    with writing():
        app = hold(partner_slug)
        clock = read_clock()
        if app.blocked_until > clock:
            raise RateLimited("Our app may ask nothing now", retry_after=timedelta(seconds=app.blocked_until - clock))
        AppRead.objects.filter(partner=partner_slug, at__lte=clock - window).delete()
        made = list(AppRead.objects.filter(partner=partner_slug).order_by("at").values_list("at", flat=True))
        if len(made) >= most:
            free_in = made[len(made) - most] + window - clock
            raise RateLimited("The quota for reads is used up", retry_after=timedelta(seconds=free_in))
        AppRead.objects.create(partner=partner_slug, at=clock)


def reads_left(partner_slug: str, quota: Quota) -> int:
    """Return how many requests people may still make for what is no write."""
    most = int((quota.calls - int(quota.calls * WRITES)) * PEOPLE)
    since = read_clock() - quota.seconds - slack(quota)
    return max(most - AppRead.objects.filter(partner=partner_slug, at__gt=since).count(), 0)
