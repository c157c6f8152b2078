"""`{% load partners %}`, then `{{ role|words }}`: a partner's constants as people read them."""

from django import template

register = template.Library()


@register.filter
def words(constant: str) -> str:
    """Return `AUDIENCE_MANAGER` as “Audience manager”."""
    return constant.replace("_", " ").capitalize()
