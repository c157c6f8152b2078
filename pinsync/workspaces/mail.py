"""Letters to people who were added to a workspace. Never sent inside a transaction."""

import logging
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from pinsync.workspaces.models import Invitation, Member, User
from pinsync.workspaces.preferences import language_of

logger = logging.getLogger(__name__)


def tell(added: Member | Invitation, sender: User) -> bool:
    """Tell a new member, or invite somebody to sign up; return whether the mail server took the letter."""
    invited = isinstance(added, Invitation)
    path = reverse("account_signup") if invited else added.workspace.get_absolute_url()
    address = added.email if isinstance(added, Invitation) else added.user.email
    context = {
        "workspace": added.workspace,
        "sender": sender,
        "invited": invited,
        "address": address,
        "url": f"{settings.BASE_URL}{path}",
    }
    name = " ".join(added.workspace.name.split())  # a subject is one line
    chosen = None if isinstance(added, Invitation) else language_of(added.user)
    try:
        with translation.override(chosen or translation.get_language()):
            body = render_to_string("workspaces/email/added.txt", context)
            subject = (
                _("You are invited to %(name)s in Pinsync") if invited else _("You were added to %(name)s in Pinsync")
            )
            send_mail(subject % {"name": name}, body, None, [address])
    except (SMTPException, OSError):
        logger.exception("letter not sent workspace=%s", added.workspace.pk)
        return False
    return True
