"""To a partner's consent page and back, with a `state` that is used once, lives ten minutes and belongs to one person.

What consent gave waits in the Authorization until everything is known, so that nothing is ever half connected.
"""

import hashlib
import logging
import secrets
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime, timedelta

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _

from integrations import registry
from integrations.contract import AdAccountInfo, AudiencePartner, Tokens
from integrations.delivery.reading import reads_of
from integrations.errors import ConsentFailed, PartnerError, RateLimited, Unavailable
from integrations.limits_said import limit_sentence
from integrations.models import Authorization, TermsAcceptance
from pinsync.workspaces.models import Member, Role, User, Workspace

log = logging.getLogger("pinsync.connections")

STATE_LIVES = timedelta(minutes=10)
CHOICE_LIVES = timedelta(hours=1)  # from the start to the confirmed ad accounts; then what consent gave is deleted


class ConsentProblem(Exception):
    """Consent did not lead to a connection. `str()` is the sentence for the person; nothing was saved.

    `code` is stable; `authorization` says for which workspace, where that is known and the person's own.
    """

    def __init__(self, code: str, sentence: str, authorization: Authorization | None = None) -> None:
        super().__init__(sentence)
        self.code = code
        self.authorization = authorization

    @property
    def is_cancelled(self) -> bool:
        """Return whether the person simply said no, which is no error."""
        return self.code == "cancelled"


def callback_url(partner_slug: str) -> str:
    """Return the address that has to be registered at the partner as our redirect URI."""
    return f"{settings.BASE_URL}{reverse('integrations:callback', kwargs={'partner': partner_slug})}"


def accept_terms(workspace: Workspace, user: User, partner_slug: str, now: datetime) -> None:
    """Write down who ticked the partner's terms."""
    TermsAcceptance.objects.create(workspace=workspace, partner=partner_slug, user=user, accepted_at=now)


def accepted_terms(workspace: Workspace, partner_slug: str) -> TermsAcceptance | None:
    """Return the latest tick, if there is one."""
    found = TermsAcceptance.objects.filter(workspace=workspace, partner=partner_slug).select_related("user")
    return found.order_by("-id").first()


def begin(workspace: Workspace, user: User, partner_slug: str, purpose: str, now: datetime) -> str:
    """Return the partner's consent page for this person to go to."""
    state = secrets.token_urlsafe(32)
    Authorization.objects.create(
        workspace=workspace,
        user=user,
        partner=partner_slug,
        purpose=purpose,
        state_digest=_digest(state),
        created_at=now,
    )
    partner = registry.partner(partner_slug)
    return partner.consent_url(redirect_uri=callback_url(partner_slug), state=state)


def come_back(partner_slug: str, user: User, *, state: str, code: str, error: str, now: datetime) -> Authorization:
    """Take what the browser brought back; return the Authorization with tokens, person and ad accounts in it.

    Raises ConsentProblem; the state is used up by then, unless it was not this person's.
    """
    partner = registry.partner(partner_slug)
    authorization = _use_up(partner, user, state, now)
    if error == "access_denied":
        sentence = _("You did not give Pinsync access to {partner}. Nothing was changed.")
        raise ConsentProblem("cancelled", sentence.format(partner=partner.name), authorization)
    if error or not code:
        sentence = _("{partner} did not give access. Start again.")
        raise ConsentProblem("refused", sentence.format(partner=partner.name), authorization)
    tokens: Tokens | None = None
    try:
        tokens = partner.exchange(code=code, redirect_uri=callback_url(partner_slug))
        _check_scopes(partner, tokens, authorization)
        person = partner.me(tokens.access_token)
        with reads_of(partner.slug, person.id):
            ad_accounts = list(partner.ad_accounts(tokens.access_token))
        if not ad_accounts:
            sentence = _(
                "The {partner} user “{person}” reaches no ad account. Create one at {partner}, or ask for access to "
                "one, then connect again."
            )
            filled = sentence.format(partner=partner.name, person=person.name)
            raise ConsentProblem("no_ad_accounts", filled, authorization)
    except (PartnerError, ConsentProblem) as problem:
        if tokens:
            revoke(partner, [tokens.refresh_token, tokens.access_token])
        if isinstance(problem, ConsentProblem):
            raise
        raise _problem_of(partner, problem, authorization) from None
    authorization.access_token = tokens.access_token
    authorization.refresh_token = tokens.refresh_token
    authorization.scopes = sorted(tokens.scopes)
    authorization.access_expires_at = now + tokens.access_lifetime
    authorization.refresh_expires_at = now + tokens.refresh_lifetime if tokens.refresh_lifetime else None
    authorization.partner_user_id, authorization.partner_user_name = person.id, person.name[:200]
    authorization.ad_accounts = [asdict(info) for info in ad_accounts]
    authorization.save()
    return authorization


def waiting(workspace: Workspace, user: User, partner_slug: str, pk: int, now: datetime) -> Authorization | None:
    """Return an Authorization of this person that waits for its ad accounts to be chosen."""
    return (
        Authorization.objects.filter(
            pk=pk,
            workspace=workspace,
            user=user,
            partner=partner_slug,
            returned_at__isnull=False,
            completed_at=None,
            created_at__gt=now - CHOICE_LIVES,
        )
        .exclude(partner_user_id="")
        .first()
    )


def infos(authorization: Authorization) -> list[AdAccountInfo]:
    """Return the ad accounts that consent showed."""
    return [AdAccountInfo(**{**fields, "roles": tuple(fields["roles"])}) for fields in authorization.ad_accounts]


def abandon(authorization: Authorization, now: datetime) -> None:
    """Forget what consent gave, here and at the partner where it can be taken back. Nothing was connected."""
    tokens = [authorization.refresh_token, authorization.access_token]
    if Authorization.objects.filter(pk=authorization.pk, completed_at=None).delete()[0]:
        revoke(registry.partner(authorization.partner), tokens)


def forget_old(now: datetime) -> int:
    """Delete what was never finished; return how many."""
    return Authorization.objects.filter(completed_at=None, created_at__lte=now - CHOICE_LIVES).delete()[0]


def revoke(partner: AudiencePartner, tokens: Iterable[str]) -> bool:
    """Take tokens back and return whether the partner did so; that it refuses or does not answer stops nobody."""
    try:
        partner.revoke([token for token in tokens if token])
    except PartnerError as problem:
        log.info("tokens not revoked", extra={"partner": partner.slug, "http_status": problem.http_status})
        return False
    return True


def _digest(state: str) -> str:
    return hashlib.sha256(state.encode()).hexdigest()


def _use_up(partner: AudiencePartner, user: User, state: str, now: datetime) -> Authorization:
    found = Authorization.objects.filter(state_digest=_digest(state), partner=partner.slug).first()
    if found is None:
        raise ConsentProblem(
            "unknown_state", _("Pinsync did not start this connection, or it was started too long ago. Start again.")
        )
    if found.user_id != user.pk:
        raise ConsentProblem(
            "other_person", _("Another person started this connection. Sign in as that person, or start your own.")
        )
    if not Authorization.objects.filter(pk=found.pk, returned_at=None).update(returned_at=now):
        raise ConsentProblem("used", _("This way back was used already. Start again if you are not connected."), found)
    found.returned_at = now
    if not Member.objects.filter(workspace=found.workspace_id, user=user, role=Role.ADMIN).exists():
        raise ConsentProblem("not_admin", _("You are no longer an Admin of this workspace."))
    if found.created_at <= now - STATE_LIVES:
        raise ConsentProblem("expired", _("That took longer than ten minutes. Start again."), found)
    return found


def _check_scopes(partner: AudiencePartner, tokens: Tokens, authorization: Authorization) -> None:
    missing = sorted(partner.scopes - tokens.scopes)
    if missing:
        sentence = _("{partner} did not give all rights: {scopes} missing. Connect again and allow all of them.")
        filled = sentence.format(partner=partner.name, scopes=", ".join(missing))
        raise ConsentProblem("missing_scopes", filled, authorization)


def _problem_of(partner: AudiencePartner, problem: PartnerError, authorization: Authorization) -> ConsentProblem:
    log.warning("consent failed", extra={"outcome": problem.code, "http_status": problem.http_status})
    if isinstance(problem, RateLimited):
        return ConsentProblem("rate_limited", limit_sentence(partner, problem), authorization)
    if isinstance(problem, Unavailable):
        sentence = _("{partner} does not answer just now. Nothing was changed; try again in a few minutes.")
        code = "unavailable"
    elif isinstance(problem, ConsentFailed):
        sentence = _("{partner} did not accept its own answer: it is too old, or was used before. Start again.")
        code = "exchange_refused"
    else:
        sentence = _("{partner} gave access and then refused it. Check your rights there and start again.")
        code = "access_refused"
    return ConsentProblem(code, sentence.format(partner=partner.name), authorization)
