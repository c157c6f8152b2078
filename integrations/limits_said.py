"""What people are told when a partner, or our own pace, lets nothing out just now."""

from django.utils.translation import gettext as _

from integrations.contract import AudiencePartner
from integrations.errors import RateLimited
from pinsync.workspaces.templatetags.ui import duration


def limit_sentence(partner: AudiencePartner, problem: RateLimited) -> str:
    """Say when a partner may be asked again."""
    if problem.retry_after is None:
        sentence = _("{partner} asks for fewer requests. Nothing was changed; try again in a few minutes.")
        return sentence.format(partner=partner.name)
    if partner.quota and not problem.http_status:
        sentence = _("{quota}: no more requests to {partner} just now. Nothing was changed; try again in {time}.")
    else:
        sentence = _("{partner} asks for fewer requests. Nothing was changed; try again in {time}.")
    quota = partner.quota.name if partner.quota else ""
    time = duration(problem.retry_after.total_seconds())
    return sentence.format(partner=partner.name, quota=quota, time=time)
