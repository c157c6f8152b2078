"""First sync: a segment of customers becomes an audience."""

from django.utils.translation import gettext_lazy as _

from canvas.scenarios import doing, looking, saying
from canvas.scenarios.base import Check, Do, Scenario

scenario = Scenario(
    slug="first_sync",
    order=10,
    title=_("First sync"),
    story=_(
        "A brand brings its first customers to the partner: a segment, an audience, a Canvas with one step, Launch. "
        "One in ten has no usable e-mail address."
    ),
    icon="rocket",
    lasts=_("about half a minute"),
    users=1_000,
    steps=(
        Do(
            _("%(users)s customers are made up: %(reachable)s with an e-mail address, %(missing)s without."),
            doing.make_users(missing=0.1),
        ),
        Do(_("They are saved as the segment “%(segment)s”."), doing.make_segment),
        saying.AUDIENCE,
        Do(saying.CANVAS, doing.build(by_segment=True)),
        Do(saying.LAUNCH, doing.launch()),
        saying.EVERYBODY_ENTERS,
        saying.EVERYBODY_SYNCED,
        saying.ACCOUNTED_FOR,
        Check(
            _("Whoever has no usable address is Not Synced, and the reason says so"),
            _("%(not_synced)s not synced, %(users)s of them for “No Usable Value”"),
            looking.reason_is_said,
        ),
        Check(
            _("Everybody else is synced"),
            _("%(synced)s of %(wanted)s synced, %(errored)s errored"),
            looking.synced_as_expected(not_synced="missing"),
        ),
        saying.BOTH_AGREE,
    ),
)
