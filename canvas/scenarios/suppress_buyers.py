"""Suppress buyers: prospects are added; whoever buys is taken out again."""

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from canvas.scenarios import doing, looking, saying
from canvas.scenarios.base import Check, Do, Figures, Scenario, Stage
from integrations.models import Operation
from pinsync.profiles.models import Profile
from pinsync.profiles.rows import make_row
from pinsync.profiles.upserting import write

BUY = 0.3  # of the prospects
BUYERS = "buyers"
BOUGHT_IN = "bought_in_scenario"  # the attribute that a purchase leaves


def buy(stage: Stage) -> Figures:
    """Let some prospects buy: programs send their purchases in, and a segment finds them."""
    buyers = round(stage.run.users * BUY)
    found = Profile.objects.filter(last_import=stage.users()).order_by("pk")[:buyers]
    names = list(found.values_list("external_id", flat=True))
    rows = [make_row(name or "", "", "", "", {BOUGHT_IN: stage.run.pk}) for name in names]
    with transaction.atomic():
        write(stage.workspace, rows, run=None, now=stage.clock())
    rule = {"field": f"attribute:{BOUGHT_IN}", "operator": "number.equals", "value": str(stage.run.pk)}
    saved = doing.save_rules(stage, doing.name_of(stage, BUYERS), [rule])
    stage.memory[BUYERS] = len(names)
    return saved | {"buyers": len(names)}


scenario = Scenario(
    slug="suppress_buyers",
    order=60,
    title=_("Suppress buyers"),
    story=_(
        "Prospects are added to an audience that sees ads. Some of them buy; a second Canvas takes them out, so that "
        "nobody pays for showing them what they have."
    ),
    icon="user-minus",
    lasts=_("about half a minute"),
    users=2_000,
    steps=(
        Do(_("%(users)s prospects are made up, all with an e-mail address."), doing.make_users()),
        saying.AUDIENCE,
        Do(saying.CANVAS, doing.build()),
        Do(saying.LAUNCH, doing.launch()),
        saying.EVERYBODY_ENTERS,
        saying.EVERYBODY_SYNCED,
        saying.ALL_SYNCED,
        saying.BOTH_AGREE,
        Do(_("%(buyers)s of them buy; the segment “%(segment)s” finds them."), buy),
        Do(
            _("A second Canvas, “%(canvas)s”, removes its users from the same audience."),
            doing.build(operation=Operation.REMOVE, by_segment=True, part=BUYERS),
        ),
        Do(saying.LAUNCH, doing.launch(coming=BUYERS)),
        saying.EVERYBODY_ENTERS,
        saying.EVERYBODY_SYNCED,
        saying.ACCOUNTED_FOR,
        Check(
            _("Every buyer is taken out"),
            _("%(synced)s of %(wanted)s removed, %(errored)s errored"),
            looking.synced_as_expected(synced=(BUYERS,)),
        ),
        Check(
            _("Both sides agree: added less removed"),
            _("Pinsync says %(said)s are in it; %(partner)s holds %(held)s"),
            looking.both_agree,
        ),
    ),
)
