"""Who uses a connection, an ad account or an audience: asked of the apps above, which this one does not know."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from integrations.models import AdAccount, Audience, AudienceSync, Connection


@dataclass(frozen=True)
class Usage:
    """Something with a name and a page that has a sync; `active` while it lets users in."""

    name: str
    url: str
    active: bool


Source = Callable[[Iterable[int]], Iterable[Usage]]
_sources: list[Source] = []


def register(source: Source) -> None:
    """Have `source(ids of AudienceSyncs)` asked whenever a page must say who uses something."""
    if source not in _sources:
        _sources.append(source)


def of(used: Connection | AdAccount | Audience) -> list[Usage]:
    """Return what uses it: active things first, then by name, each once."""
    syncs = AudienceSync.objects.all()
    if isinstance(used, Connection):
        syncs = syncs.filter(workspace=used.workspace_id, partner=used.partner)
    elif isinstance(used, AdAccount):
        syncs = syncs.filter(ad_account=used)
    else:
        syncs = syncs.filter(audience=used)
    ids = list(syncs.values_list("pk", flat=True))
    found = {usage for source in _sources for usage in source(ids)} if ids else set()
    return sorted(found, key=lambda usage: (not usage.active, usage.name.casefold(), usage.url))
