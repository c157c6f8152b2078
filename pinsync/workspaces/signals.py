"""Whoever proves an address or signs in gets into the workspaces that they were invited to."""

from typing import Any

from allauth.account.models import EmailAddress
from allauth.account.signals import email_confirmed
from django.contrib.auth.signals import user_logged_in
from django.dispatch import receiver
from django.utils import timezone

from pinsync.workspaces.members import accept_invitations
from pinsync.workspaces.models import User


@receiver(email_confirmed)
def address_proven(email_address: EmailAddress, **kwargs: Any) -> None:
    accept_invitations(email_address.user, timezone.now())


@receiver(user_logged_in)
def signed_in(user: User, **kwargs: Any) -> None:
    accept_invitations(user, timezone.now())
