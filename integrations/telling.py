"""One e-mail for each time a connection breaks, to whom it concerns and who wants it."""

import logging
import smtplib
from datetime import datetime

from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation

from integrations import registry, usage
from integrations.errors import Told, codes_told_by
from integrations.models import Connection
from integrations.reasons import reason
from pinsync.workspaces.models import Letters, Member, Role, User
from pinsync.workspaces.preferences import language_of

log = logging.getLogger("pinsync.connections")


def tell_of_breaks(now: datetime) -> int:
    """Mail about every broken connection that nobody was told of; return how many.

    Whoever sets `notified_at` sends; where the mail does not go out it is taken back, and tried at the next upkeep.
    """
    told = 0
    codes = codes_told_by(Told.LETTER)
    for connection in Connection.objects.filter(state=Connection.State.BROKEN, notified_at=None, broken_code__in=codes):
        waiting = Connection.objects.filter(
            pk=connection.pk, state=Connection.State.BROKEN, generation=connection.generation
        )
        if not waiting.filter(notified_at=None).update(notified_at=now):
            continue
        try:
            _mail(connection)
            told += 1
        except (OSError, smtplib.SMTPException) as problem:
            waiting.filter(notified_at=now).update(notified_at=None)
            log.warning("mail not sent", extra={"connection": connection.pk, "problem": type(problem).__name__})
    return told


def recipients(connection: Connection) -> list[User]:
    """Return the person who connected or, if they left the workspace or want no letters, its Admins.

    Whoever asked for every letter gets this one too; whoever wants none gets none.
    """
    members = Member.objects.filter(workspace=connection.workspace_id, user__is_active=True)
    willing = list(members.exclude(letters=Letters.NONE).select_related("user").order_by("pk"))
    concerned = [member for member in willing if member.user_id == connection.connected_by_id]
    if not concerned:
        concerned = [member for member in willing if member.role == Role.ADMIN]
    return [member.user for member in willing if member in concerned or member.letters == Letters.ALL]


def _mail(connection: Connection) -> None:
    name = registry.name_of(connection.partner)
    path = reverse(
        "integrations:partner", kwargs={"workspace": connection.workspace.slug, "partner": connection.partner}
    )
    context = {
        "connection": connection,
        "partner": name,
        "canvases": [found for found in usage.of(connection) if found.active],
        "url": f"{settings.BASE_URL}{path}",
    }
    settings_path = reverse("workspaces:notifications", kwargs={"workspace": connection.workspace.slug})
    context["settings_url"] = f"{settings.BASE_URL}{settings_path}"
    for person in recipients(connection):  # one mail each: nobody learns another's address
        with translation.override(language_of(person) or settings.LANGUAGE_CODE):
            context["reason"] = reason(connection.broken_code, name)
            subject = render_to_string("integrations/mail/broken_subject.txt", context).strip()
            send_mail(subject, render_to_string("integrations/mail/broken.txt", context), None, [person.email])
