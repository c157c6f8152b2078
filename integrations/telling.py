"""One e-mail for each time a connection breaks."""

import logging
import smtplib
from datetime import datetime

from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.urls import reverse

from integrations import registry, usage
from integrations.errors import Told, codes_told_by
from integrations.models import Connection
from integrations.reasons import reason
from pinsync.workspaces.models import Member, Role

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


def recipients(connection: Connection) -> list[str]:
    """Return the address of the person who connected or, if they left the workspace, those of its Admins."""
    members = Member.objects.filter(workspace=connection.workspace_id, user__is_active=True)
    chosen = members.filter(user=connection.connected_by_id) if connection.connected_by_id else members.none()
    if not chosen.exists():
        chosen = members.filter(role=Role.ADMIN)
    return list(chosen.order_by("pk").values_list("user__email", flat=True))


def _mail(connection: Connection) -> None:
    name = registry.name_of(connection.partner)
    path = reverse(
        "integrations:partner", kwargs={"workspace": connection.workspace.slug, "partner": connection.partner}
    )
    context = {
        "connection": connection,
        "partner": name,
        "reason": reason(connection.broken_code, name),
        "canvases": [found for found in usage.of(connection) if found.active],
        "url": f"{settings.BASE_URL}{path}",
    }
    subject = render_to_string("integrations/mail/broken_subject.txt", context).strip()
    body = render_to_string("integrations/mail/broken.txt", context)
    for address in recipients(connection):  # one mail each: nobody learns another's address
        send_mail(subject, body, None, [address])
