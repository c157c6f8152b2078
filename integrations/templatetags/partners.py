"""`{% load partners %}`, then `{{ role|words }}`: a partner's constants as people read them."""

from django import template
from django.utils.translation import gettext_lazy as _

register = template.Library()

# Of audiences, then of people; the ones that partners have in common.
KNOWN = {
    "READY": _("Ready"),
    "INITIALIZING": _("Initializing"),
    "PROCESSING": _("Processing"),
    "TOO_SMALL": _("Too small"),
    "OWNER": _("Owner"),
    "ADMIN": _("Admin"),
    "ANALYST": _("Analyst"),
    "AUDIENCE_MANAGER": _("Audience manager"),
    "CAMPAIGN_MANAGER": _("Campaign manager"),
    "CATALOGS_MANAGER": _("Catalogs manager"),
    "FINANCE_MANAGER": _("Finance manager"),
}


@register.filter
def words(constant: str) -> str:
    """Return `AUDIENCE_MANAGER` as “Audience manager”, in the reader's language where it is a common one."""
    return str(KNOWN.get(constant) or constant.replace("_", " ").capitalize())
