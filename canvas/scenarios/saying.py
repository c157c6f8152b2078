"""The steps that most scenarios share, with their sentences."""

from django.utils.translation import gettext_lazy as _

from canvas.scenarios import doing, looking
from canvas.scenarios.base import Check, Do, Wait

MAKING = _("Users are being made up: %(made)s of %(users)s.")
AUDIENCE = Do(_("The audience “%(audience)s” is created in the ad account “%(ad_account)s”."), doing.make_audience)
CANVAS = _("The Canvas “%(canvas)s” is built: one Audience Sync step that adds users, matched by e-mail.")
LAUNCH = _("It is launched; %(users)s users are in its target audience.")

EVERYBODY_ENTERS = Wait(
    _("Users enter: %(entered)s of %(users)s."),
    _("All %(users)s users have entered."),
    looking.everybody_entered,
)
EVERYBODY_SYNCED = Wait(
    _("Users are delivered: %(synced)s synced, %(pending)s pending."),
    _("Nobody is pending any more."),
    looking.nobody_pending,
)
ACCOUNTED_FOR = Check(
    _("Everybody is accounted for"),
    _(
        "Entered %(entered)s = Synced %(synced)s + Not Synced %(not_synced)s + Pending %(pending)s "
        "+ Errored %(errored)s"
    ),
    looking.accounted_for,
)
BOTH_AGREE = Check(
    _("Both sides agree"),
    _("Pinsync says %(said)s synced; %(partner)s holds %(held)s"),
    looking.both_agree,
)
NOBODY_LOST = Check(
    _("Nobody is lost"),
    _("%(pending)s wait, %(errored)s errored"),
    looking.nobody_lost,
)
ALL_SYNCED = Check(
    _("Everybody who can be synced is synced"),
    _("%(synced)s of %(wanted)s synced, %(errored)s errored"),
    looking.synced_as_expected(),
)
