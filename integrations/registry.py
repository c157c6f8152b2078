"""Partner by slug, from settings.AUDIENCE_PARTNERS. Nothing else in Pinsync names a partner."""

from functools import cache

from django.conf import settings
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from integrations.contract import AudiencePartner


@cache
def _partners() -> dict[str, AudiencePartner]:
    found = [import_string(path)() for path in settings.AUDIENCE_PARTNERS]
    return {partner.slug: partner for partner in found}


def partners() -> list[AudiencePartner]:
    """Return all partners in the order of the settings."""
    return list(_partners().values())


def partner(slug: str) -> AudiencePartner:
    """Raises KeyError for an unknown slug."""
    return _partners()[slug]


def name_of(slug: str) -> str:
    """Return what people call the partner; one that is no longer in the settings stands for itself."""
    found = _partners().get(slug)
    return found.name if found else slug


def _forget(*, setting: str, **kwargs: object) -> None:
    if setting == "AUDIENCE_PARTNERS":
        _partners.cache_clear()


setting_changed.connect(_forget)
