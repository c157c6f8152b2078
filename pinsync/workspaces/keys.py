"""API keys: made, shown once, revoked. Only their SHA-256 is kept."""

import hashlib
import secrets
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from pinsync.workspaces import audit
from pinsync.workspaces.models import ApiKey, Role, User, Workspace

PREFIX = "pins_"
SHOWN = 12  # characters that tell keys apart; the other 36 stay unknown
LAST_USED_EVERY = timedelta(minutes=1)  # a key in use costs one write a minute, not one per request


def create_key(workspace: Workspace, name: str, role: Role, user: User, now: datetime) -> tuple[ApiKey, str]:
    """Create a key and return it with its secret, which cannot be had again."""
    secret = PREFIX + secrets.token_urlsafe(32)
    with transaction.atomic():
        key = ApiKey.objects.create(
            workspace=workspace, name=name, role=role, prefix=secret[:SHOWN], digest=digest(secret), created_by=user
        )
        audit.record(workspace, user, "api_key.created", name, now=now, key=key.pk, role=role)
    return key, secret


def revoke_key(key: ApiKey, user: User, now: datetime) -> bool:
    """Return whether the key was alive until now."""
    with transaction.atomic():
        if not ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=now):
            return False
        audit.record(key.workspace, user, "api_key.revoked", key.name, now=now, key=key.pk)
    return True


def find_key(secret: str, now: datetime) -> ApiKey | None:
    """Return the living key with this secret, and note that it was used."""
    key = ApiKey.objects.select_related("workspace").filter(digest=digest(secret), revoked_at=None).first()
    if key:
        stale = Q(last_used_at=None) | Q(last_used_at__lt=now - LAST_USED_EVERY)
        ApiKey.objects.filter(stale, pk=key.pk).update(last_used_at=now)
    return key


def digest(secret: str) -> str:
    """Return what is kept of a key: random enough that a plain SHA-256 cannot be turned back."""
    return hashlib.sha256(secret.encode()).hexdigest()
