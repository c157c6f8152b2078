"""Someone deleted the audience: noticed, recreated with one click, and everybody is sent again."""

from django.utils.translation import gettext_lazy as _

from canvas.models import Canvas
from canvas.scenarios import doing, looking, saying
from canvas.scenarios.base import Check, Do, Figures, Look, Scenario, Stage, Wait
from integrations import creating
from integrations.delivery import recreating
from integrations.models import Audience

FIRST, SECOND = "first", "second"


def noticed(stage: Stage) -> Look:
    audience = stage.audience
    return Look(
        audience.state == Audience.State.GONE,
        {"audience": audience.name, "pending": looking.metrics_of(stage.canvas).pending},
    )


def recreate(stage: Stage) -> Figures:
    audience = stage.audience
    creating.recreate(audience, stage.user, stage.clock())
    return {"audience": audience.name}


def everybody_is_back(stage: Stage) -> Look:
    """Hold when the audience exists again and everybody who was in it was sent again."""
    audience, found = stage.audience, looking.metrics_of(stage.canvas)
    is_back = audience.state == Audience.State.READY and recreating.unfinished(audience.pk) is None
    holds = is_back and found.entered == looking.coming_to(stage) and not found.pending
    return Look(holds, {"synced": found.synced, "pending": found.pending})


def is_another(stage: Stage) -> Look:
    now = stage.audience.external_id
    return Look(bool(now) and now != stage.memory["deleted"], {"before": stage.memory["deleted"], "now": now or "–"})


def tidy(stage: Stage) -> bool:
    """Recreate the audience where the story ended before; who waits for it would wait for 13 hours."""
    if "deleted" not in stage.memory:
        return True
    audience = stage.audience
    if recreating.is_wanted(audience):
        creating.recreate(audience, stage.user, stage.clock())
        return True
    is_new = audience.external_id != stage.memory["deleted"]
    return is_new or not looking.metrics_of(stage.canvas).pending


scenario = Scenario(
    slug="deleted_audience",
    order=50,
    title=_("Someone deleted the audience"),
    story=_(
        "An audience with users in it is deleted at the partner while more come. Pinsync notices and keeps them "
        "waiting. “Recreate audience” brings it back, with everybody who was in it."
    ),
    icon="trash-2",
    lasts=_("about a minute"),
    users=4_000,
    steps=(
        Do(_("%(users)s users are made up for a first wave."), doing.make_users(share=0.5, part=FIRST)),
        Do(_("%(users)s users are made up for a second wave."), doing.make_users(share=0.5, part=SECOND)),
        saying.AUDIENCE,
        Do(saying.CANVAS, doing.build(entry=Canvas.EntryKind.API)),
        Do(_("It is launched and waits for users."), doing.open_door),
        Do(_("The first wave of %(users)s users comes to its door."), doing.send_in(part=FIRST)),
        saying.EVERYBODY_SYNCED,
        saying.BOTH_AGREE,
        Do(_("Someone deletes the audience at the partner (id %(id)s)."), doing.delete_audience),
        Do(_("The second wave of %(users)s users comes to the door."), doing.send_in(part=SECOND)),
        saying.EVERYBODY_ENTERS,
        Wait(
            _("Pinsync does not know yet; %(pending)s users are pending."),
            _("Pinsync noticed: “Audience Does Not Exist”. %(pending)s users wait."),
            noticed,
        ),
        saying.NOBODY_LOST,
        Do(_("A marketer presses “Recreate audience”."), recreate),
        Wait(
            _("The audience is created again and everybody is sent again: %(synced)s synced, %(pending)s pending."),
            _("The audience exists again, and nobody is pending any more."),
            everybody_is_back,
        ),
        Check(_("It is another audience, on the same step"), _("id %(before)s before, %(now)s now"), is_another),
        saying.ACCOUNTED_FOR,
        Check(
            _("Both waves are synced"),
            _("%(synced)s of %(wanted)s synced, %(errored)s errored"),
            looking.synced_as_expected(synced=(f"reachable{FIRST}", f"reachable{SECOND}")),
        ),
        saying.BOTH_AGREE,
    ),
    tidy=tidy,
)
