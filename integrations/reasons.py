"""Why a user is not synced, pending or errored: one table of names, causes and ways out (product.md, section 5)."""

from dataclasses import dataclass, replace

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True)
class Reason:
    """`name` is what people see; `cause` one sentence; `way_out` what to do about it."""

    code: str
    name: str | Promise
    cause: str | Promise
    way_out: str | Promise


def _table(*rows: Reason) -> dict[str, Reason]:
    return {row.code: row for row in rows}


NO_USABLE_FIELD = "no_usable_field"
SUPERSEDED = "superseded"
PROFILE_DELETED = "profile_deleted"
AUDIENCE_REMOVED = "audience_removed"

NOT_SYNCED = _table(
    Reason(
        NO_USABLE_FIELD,
        _("No Usable Value"),
        _("The user has no valid value in any of the step's fields."),
        _("Import better data, or let the step match on more fields."),
    ),
    Reason(
        SUPERSEDED,
        _("Superseded"),
        _("A later step asked for the opposite for the same user and audience before this one was sent."),
        _("Nothing to do: the last intent was sent."),
    ),
    Reason(
        PROFILE_DELETED,
        _("Profile Deleted"),
        _("The user was deleted before being sent."),
        _("Nothing to do."),
    ),
    Reason(
        AUDIENCE_REMOVED,
        _("Audience Removed"),
        _("The audience was removed here before the user was sent."),
        _("Choose another audience in the step: whoever enters from then on is sent there."),
    ),
)

ERRORS = _table(
    Reason(
        "invalid_token",
        _("Invalid Token"),
        _("The partner refuses the token: the password changed, access was revoked or the person left."),
        _("Reconnect on the partner page; everybody who still waits is sent then."),
    ),
    Reason(
        "audience_gone",
        _("Audience Does Not Exist"),
        _("The audience was deleted at the partner."),
        _("Recreate the audience from the step: its users are sent again. Or choose another one there."),
    ),
    Reason(
        "ad_account_access",
        _("Ad Account Access Attempt"),
        _("The connected person has no right to manage audiences in this ad account."),
        _("Ask an admin of the ad account for access, or choose another one."),
    ),
    Reason(
        "audience_too_small",
        _("Audience Size Too Low"),
        _("Fewer matched users than the partner needs before an audience can be used."),
        _("Let more users through; the partner counts again within 24 to 48 hours."),
    ),
    Reason(
        "invalid_settings",
        _("Invalid Settings"),
        _("The partner refuses what the step is set to."),
        _("Open the step, check ad account and audience, and save it again."),
    ),
    Reason(
        "terms_not_accepted",
        _("Terms of Service Not Accepted"),
        _("The partner wants its terms accepted for this ad account first."),
        _("Accept them in the partner's ads manager; sending goes on by itself."),
    ),
    Reason(
        "rate_limited",
        _("Rate Limited"),
        _("The partner asked for fewer requests."),
        _("Nothing to do: sending goes on by itself, more slowly."),
    ),
    Reason(
        "partner_unavailable",
        _("{partner} Unavailable"),
        _("The partner did not answer, or its answer made no sense."),
        _("Nothing to do: it is tried again for 13 hours."),
    ),
    Reason(
        "record_refused",
        _("Record Refused"),
        _("The partner refuses this user's record."),
        _("Correct the user's data, then retry."),
    ),
)

REASONS = NOT_SYNCED | ERRORS


def reason(code: str, partner: str) -> Reason:
    """Return the reason for a code, in the words of the partner called `partner`; an unknown code stands for itself."""
    found = REASONS.get(code) or Reason(code, code, "", "")
    return replace(found, name=str(found.name).format(partner=partner))
