"""Rush hour: a crowd at the door at once, and the partner's limit."""

from django.utils.translation import gettext_lazy as _

from canvas.models import Canvas
from canvas.scenarios import doing, looking, saying
from canvas.scenarios.base import Check, Do, Scenario

scenario = Scenario(
    slug="rush_hour",
    order=20,
    title=_("Rush hour"),
    story=_(
        "A hundred thousand users come to the door of a Canvas at once. They are sent as fast as the partner allows, "
        "and never faster."
    ),
    icon="zap",
    lasts=_("about a minute"),
    users=100_000,
    steps=(
        Do(
            _("%(users)s users are made up: %(reachable)s with an e-mail address, %(missing)s without."),
            doing.make_users(missing=0.05),
            saying.MAKING,
        ),
        saying.AUDIENCE,
        Do(saying.CANVAS, doing.build(entry=Canvas.EntryKind.API)),
        Do(_("It is launched and waits for users."), doing.open_door),
        Do(_("All %(users)s come to its door at once."), doing.send_in()),
        saying.EVERYBODY_ENTERS,
        saying.EVERYBODY_SYNCED,
        saying.ACCOUNTED_FOR,
        Check(
            _("Everybody who can be synced is synced"),
            _("%(synced)s of %(wanted)s synced, %(errored)s errored"),
            looking.synced_as_expected(not_synced="missing"),
        ),
        saying.BOTH_AGREE,
        Check(
            _("The partner's limit was kept in every second"),
            _("At most %(most)s of %(limit)s allowed writes in a second; %(requests)s in all, %(refused)s refused"),
            looking.within_the_pace,
        ),
    ),
)
