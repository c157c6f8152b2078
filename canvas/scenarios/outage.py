"""The partner is down for a while: users wait, and nobody is lost."""

from datetime import timedelta

from django.utils.translation import gettext_lazy as _

from canvas.scenarios import doing, looking, saying
from canvas.scenarios.base import Do, Look, Scenario, Stage, Wait

SECONDS_DOWN = 20


def was_down_long_enough(stage: Stage) -> Look:
    passed = doing.seconds_since(stage, "down_since")
    return Look(passed >= SECONDS_DOWN, {"seconds": min(round(passed), SECONDS_DOWN), "most": SECONDS_DOWN})


scenario = Scenario(
    slug="outage",
    order=30,
    title=_("The partner is down for a while"),
    story=_(
        "The partner's API fails right when a Canvas is launched. Everybody waits, requests are tried again with "
        "growing pauses, and when the partner is back everybody arrives."
    ),
    icon="unplug",
    lasts=_("about a minute"),
    users=5_000,
    steps=(
        Do(_("%(users)s users are made up, all with an e-mail address."), doing.make_users()),
        saying.AUDIENCE,
        Do(saying.CANVAS, doing.build()),
        Do(_("%(partner)s goes down: every call of its API fails from now on."), doing.go_down),
        Do(saying.LAUNCH, doing.launch()),
        saying.EVERYBODY_ENTERS,
        Wait(
            _("The first request is on its way; %(pending)s users are pending."),
            _("Requests fail, and are tried again later. %(pending)s users wait."),
            looking.request_failed,
        ),
        saying.NOBODY_LOST,
        Wait(
            _("%(seconds)s of %(most)s seconds are over."),
            _("The outage lasts for %(most)s seconds."),
            was_down_long_enough,
        ),
        Do(_("%(partner)s is back after %(seconds)s seconds."), doing.come_back),
        Wait(
            _("Waiting for the next try: %(synced)s synced, %(pending)s pending."),
            _("Nobody is pending any more."),
            looking.nobody_pending,
            most=timedelta(minutes=12),
        ),
        saying.ACCOUNTED_FOR,
        saying.ALL_SYNCED,
        saying.BOTH_AGREE,
    ),
)
