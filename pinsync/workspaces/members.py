"""Who belongs to a workspace: add, invite, change role, remove. The last Admin cannot go.

Every change holds the workspace's row, so that two Admins who remove each other at once leave one behind.
"""

from datetime import datetime, timedelta

from allauth.account.models import EmailAddress
from django.db import transaction
from django.utils.translation import gettext as _

from pinsync.workspaces import audit
from pinsync.workspaces.models import Invitation, Letters, Member, Role, User, Workspace

INVITATION_LIFETIME = timedelta(days=7)


class MemberProblem(Exception):
    """A change that must not be; its text is a sentence for the person who asked."""


def add(workspace: Workspace, email: str, role: Role, actor: User, now: datetime) -> Member | Invitation:
    """Make the person with this address a member, or invite them when nobody here has that address.

    Inviting again starts the seven days anew. Sends nothing. Raises MemberProblem for somebody who is a member.
    """
    email = email.strip().lower()
    with transaction.atomic():
        _hold(workspace)
        user = User.objects.filter(email=email, is_active=True).first()
        if user is None:
            invitation, _new = Invitation.objects.update_or_create(
                workspace=workspace,
                email=email,
                defaults={"role": role, "invited_by": actor, "expires_at": now + INVITATION_LIFETIME},
            )
            audit.record(workspace, actor, "member.invited", now=now, invitation=invitation.pk, role=role)
            return invitation
        member, new = Member.objects.get_or_create(workspace=workspace, user=user, defaults={"role": role})
        if not new:
            raise MemberProblem(_("This person is a member already."))
        Invitation.objects.filter(workspace=workspace, email=email).delete()
        audit.record(workspace, actor, "member.added", now=now, user=user.pk, role=role)
        return member


def accept_invitations(user: User, now: datetime) -> list[Workspace]:
    """Let a person into every workspace that one of their verified addresses was invited to; return those.

    Safe to repeat: an invitation is gone once it is used.
    """
    addresses = [
        email.lower() for email in EmailAddress.objects.filter(user=user, verified=True).values_list("email", flat=True)
    ]
    joined = []
    for invitation in Invitation.objects.filter(email__in=addresses).select_related("workspace"):
        with transaction.atomic():
            _hold(invitation.workspace)
            used, _models = Invitation.objects.filter(pk=invitation.pk).delete()
            if not used or invitation.expires_at <= now:
                continue
            _member, new = Member.objects.get_or_create(
                workspace=invitation.workspace, user=user, defaults={"role": invitation.role}
            )
            if new:
                audit.record(invitation.workspace, user, "member.joined", now=now, role=invitation.role)
                joined.append(invitation.workspace)
    return joined


def withdraw(invitation: Invitation, actor: User, now: datetime) -> None:
    """Take an invitation back; one that is used or withdrawn already is left alone."""
    with transaction.atomic():
        gone, _models = Invitation.objects.filter(pk=invitation.pk).delete()
        if gone:
            audit.record(invitation.workspace, actor, "invitation.withdrawn", now=now, invitation=invitation.pk)


def change_role(member: Member, role: Role, actor: User, now: datetime) -> bool:
    """Return whether anything changed. Raises MemberProblem rather than leave a workspace without an Admin."""
    with transaction.atomic():
        _hold(member.workspace)
        current = Member.objects.filter(pk=member.pk).first()
        if current is None:
            raise MemberProblem(_("This person is no longer a member."))
        if current.role == role:
            return False
        if role != Role.ADMIN:
            _refuse_last_admin(current)
        Member.objects.filter(pk=current.pk).update(role=role)
        audit.record(
            member.workspace, actor, "member.role_changed", now=now, user=member.user_id, before=current.role, role=role
        )
    member.role = role
    return True


def choose_letters(member: Member, letters: Letters) -> None:
    """Write down which e-mails about the workspace this member gets; their own business, so nobody audits it."""
    Member.objects.filter(pk=member.pk).update(letters=letters)
    member.letters = letters


def remove(member: Member, actor: User, now: datetime) -> None:
    """Take a person out of the workspace; what they made stays. Somebody who is gone already is left alone.

    Raises MemberProblem rather than leave a workspace without an Admin.
    """
    with transaction.atomic():
        _hold(member.workspace)
        current = Member.objects.filter(pk=member.pk).first()
        if current is None:
            return
        _refuse_last_admin(current)
        Member.objects.filter(pk=current.pk).delete()
        action = "member.left" if actor.pk == current.user_id else "member.removed"
        audit.record(member.workspace, actor, action, now=now, user=current.user_id)


def _hold(workspace: Workspace) -> None:
    """Lock the workspace until the transaction ends. (SQLite's transactions exclude each other anyway.)"""
    Workspace.objects.select_for_update().get(pk=workspace.pk)


def _refuse_last_admin(member: Member) -> None:
    if member.role != Role.ADMIN:
        return
    if not Member.objects.filter(workspace=member.workspace_id, role=Role.ADMIN).exclude(pk=member.pk).exists():
        raise MemberProblem(_("A workspace needs an Admin: make somebody else Admin first."))
