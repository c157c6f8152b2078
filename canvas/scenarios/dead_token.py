"""The token dies and someone reconnects: no calls with a dead token, and everybody who waits goes on."""

from datetime import timedelta

from django.utils.translation import gettext_lazy as _

from canvas import round_trip
from canvas.scenarios import doing, looking, saying
from canvas.scenarios.base import Check, Do, Figures, Look, Scenario, Stage, StoryEnds, Wait
from integrations import connecting
from integrations.models import Authorization, Connection
from pinsync.workspaces.models import Role

AT_WORK = timedelta(seconds=2)  # requests that were on their way when the token was found dead
LISTEN_FOR = timedelta(seconds=8)  # longer than a tick: whoever would still call has had the chance


def kill_token(stage: Stage) -> Figures:
    """Take our access away at the partner, as its person could: this workspace's tokens and nobody else's."""
    connection = stage.connection
    if "killed" not in stage.memory:
        stage.remember(killed=stage.clock().isoformat(), person=connection.partner_user_id)
    stage.partner.revoke([connection.refresh_token, connection.access_token])
    return {"partner": stage.partner.name, "person": connection.partner_user_name}


def noticed(stage: Stage) -> Look:
    connection = stage.connection
    return Look(connection.state == Connection.State.BROKEN, {"pending": looking.metrics_of(stage.canvas).pending})


def told(stage: Stage) -> Look:
    """Hold when somebody was told, and a while of silence has passed."""
    connection = stage.connection
    broken_at = connection.broken_at
    is_late = broken_at is not None and stage.clock() >= broken_at + LISTEN_FOR
    return Look(connection.notified_at is not None and is_late)


def calls_stopped(stage: Stage) -> Look:
    """Hold when no request for the story's audience came once the dead token had been noticed."""
    broken_at = stage.connection.broken_at
    if broken_at is None:
        return Look(False, {"calls": "–"})
    target = stage.audience.target_id
    seen = stage.ground.requests((broken_at + AT_WORK).timestamp())
    return Look(
        not any(target in line["path"] for line in seen), {"calls": sum(target in line["path"] for line in seen)}
    )


def reconnect(stage: Stage) -> Figures:
    """Go through the consent page again, as the person who started the story and with the same partner user."""
    if stage.user is None:
        raise StoryEnds(str(_("The person who started the scenario is gone.")))
    authorization = round_trip.consent(
        stage.workspace,
        stage.user,
        stage.partner.slug,
        stage.ground,
        stage.clock,
        purpose=Authorization.Purpose.CHANGE,
        person=stage.memory["person"],
    )
    connection = connecting.take_over(authorization, stage.clock())
    stage.remember(reconnected=True)
    return {"partner": stage.partner.name, "person": connection.partner_user_name}


def same_person(stage: Stage) -> Look:
    connection = stage.connection
    holds = connection.may_call and connection.partner_user_id == stage.memory["person"]
    return Look(holds, {"person": connection.partner_user_name})


def tidy(stage: Stage) -> bool:
    """Reconnect where the story killed the token and ended before somebody did."""
    if "killed" in stage.memory and "reconnected" not in stage.memory:
        reconnect(stage)
    return True


scenario = Scenario(
    slug="dead_token",
    order=40,
    title=_("The token dies and someone reconnects"),
    story=_(
        "Someone takes Pinsync's access away at the partner. Pinsync notices at the first refused request, stops "
        "calling and writes one e-mail. An Admin reconnects, and everybody who waits goes on."
    ),
    icon="key-round",
    lasts=_("about a minute"),
    users=3_000,
    role=Role.ADMIN,
    steps=(
        Do(_("%(users)s users are made up, all with an e-mail address."), doing.make_users()),
        saying.AUDIENCE,
        Do(saying.CANVAS, doing.build()),
        Do(saying.LAUNCH, doing.launch()),
        Do(_("“%(person)s” takes Pinsync's access away at %(partner)s: the tokens are dead."), kill_token),
        saying.EVERYBODY_ENTERS,
        Wait(
            _("Pinsync does not know yet; %(pending)s users are pending."),
            _("Pinsync noticed at the first refused request: the connection is broken. %(pending)s users wait."),
            noticed,
        ),
        saying.NOBODY_LOST,
        Wait(_("The person who connected is being told."), _("The person who connected got one e-mail."), told),
        Check(
            _("No call is made with the dead token"),
            _("%(calls)s requests since Pinsync noticed"),
            calls_stopped,
        ),
        Do(_("“%(person)s” says yes on the consent page of %(partner)s: reconnected."), reconnect),
        Check(_("The connection works again, with the same person"), _("connected as “%(person)s”"), same_person),
        saying.EVERYBODY_SYNCED,
        saying.ACCOUNTED_FOR,
        saying.ALL_SYNCED,
        saying.BOTH_AGREE,
    ),
    tidy=tidy,
)
