"""What there is to look at: the demo, and beside it workspaces and Canvases in every state that a page shows.

Made through the product's own functions and a real round trip to the sandbox. `bin/screenshots` looks at the same.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

from django.core.management import call_command
from django.db.models import QuerySet
from django.utils import timezone

from canvas import building, demo, editing, journeys, launching, schedules, simulator
from canvas.models import Canvas, Step
from canvas.scenarios import running, runs, scenarios
from integrations import ad_accounts, audiences, connecting, consenting, lookalikes
from integrations.contract import Playground
from integrations.models import AdAccount, Audience, Authorization, Batch, Connection, Delivery, Operation, Retrying
from pinsync import demo as demo_person
from pinsync.profiles.matching import MatchField
from pinsync.profiles.models import Import, Profile, Segment
from pinsync.workspaces import members
from pinsync.workspaces.accounts import create_person
from pinsync.workspaces.creating import create_workspace
from pinsync.workspaces.keys import create_key
from pinsync.workspaces.models import Member, Role, User, Workspace

PARTNER = "pinterest"
STORY_SECONDS = 120  # more than a story of 40 users takes on a busy machine
VIEWER, NEWCOMER = "viewer@example.com", "newcomer@example.com"


@dataclass
class Scene:
    """Ids by what stands in an address and what it is called, such as `ids["canvas"]["draft"]`."""

    admin: User
    ground: Playground
    deliver: Callable[[], object]
    ids: dict[str, dict[str, int]] = field(default_factory=dict)

    def put(self, kind: str, name: str, pk: int) -> None:
        self.ids.setdefault(kind, {})[name] = pk

    def consent(self, workspace: Workspace) -> Authorization:
        """Walk to the consent page and back."""
        slug = PARTNER
        consenting.accept_terms(workspace, self.admin, slug, timezone.now())
        url = consenting.begin(workspace, self.admin, slug, Authorization.Purpose.CONNECT, timezone.now())
        back = {name: values[0] for name, values in parse_qs(urlsplit(self.ground.consent(url)).query).items()}
        return consenting.come_back(
            slug, self.admin, state=back["state"], code=back["code"], error="", now=timezone.now()
        )

    def connected(self, name: str) -> Connection:
        """Make a workspace and connect it with every usable ad account but one."""
        authorization = self.consent(create_workspace(name, self.admin, timezone.now()))
        usable = [info.id for info in consenting.infos(authorization) if info.may_write]
        return connecting.complete(authorization, usable[:-1], timezone.now())


def make(deliver: Callable[[], object]) -> Scene:
    """Make everything. `deliver` sends whoever is due."""
    call_command("demo_data", verbosity=0)
    found = demo.playground()
    assert found is not None
    scene = Scene(User.objects.get(email=demo_person.EMAIL), found[1], deliver)
    shop = Workspace.objects.get(slug="demo")
    people(scene, shop)
    stories(scene, shop)
    partner_states(scene)
    canvases(scene, shop)
    troubles(scene, shop)
    simulations(scene, shop)
    profiles(scene, shop)
    return scene


def people(scene: Scene, shop: Workspace) -> None:
    now = timezone.now()
    viewer = create_person(VIEWER, demo_person.PASSWORD)
    create_person(NEWCOMER, demo_person.PASSWORD)
    Member.objects.create(workspace=shop, user=viewer, role=Role.VIEWER)
    invited = members.add(shop, "colleague@example.com", Role.EDITOR, scene.admin, now)
    key, _secret = create_key(shop, "Web shop", Role.EDITOR, scene.admin, now)
    scene.put("member", "viewer", Member.objects.get(user=viewer).pk)
    scene.put("invitation", "invited", invited.pk)
    scene.put("key", "key", key.pk)


def partner_states(scene: Scene) -> None:
    """Choosing ad accounts, one of them lost, token dead, disconnected; `fresh` never was connected, `demo` is."""
    now = timezone.now()
    choosing = scene.consent(create_workspace("Choosing", scene.admin, now))
    scene.put("authorization", "choosing", choosing.pk)
    lost = scene.connected("Lost")
    chosen = AdAccount.objects.filter(connection=lost, state=AdAccount.State.CONNECTED)
    account = chosen.order_by("pk")[1]
    scene.ground.break_it("remove_ad_account_access", {"ad_account_id": account.external_id})
    ad_accounts.reread(lost, timezone.now())
    connecting.mark_broken(scene.connected("Broken"), "invalid_token", timezone.now())
    connecting.disconnect(scene.connected("Gone"), scene.admin, timezone.now())
    first = AdAccount.objects.filter(connection__workspace__slug="demo", state=AdAccount.State.CONNECTED).order_by("pk")
    scene.put("ad_account", "first", first[0].pk)
    seed = Audience.objects.get(name="Winter win-back")
    scene.put("audience", "ready", seed.pk)
    lookalikes.create(seed, "Like the winter win-back", "GB", 2, scene.admin, timezone.now())
    audiences.refresh(seed.ad_account, timezone.now())


def canvases(scene: Scene, shop: Workspace) -> None:
    """The two of the demo, and drafts, a stopped and an archived one."""
    now = timezone.now()
    active = Canvas.objects.get(workspace=shop, name="Winter win-back")
    step = active.steps.get()
    batch = Batch.objects.filter(audience=step.sync.audience).order_by("pk").first()
    assert batch is not None
    scene.put("canvas", "active", active.pk)
    scene.put("step", "active", step.pk)
    scene.put("batch", "sent", batch.pk)
    journey = Canvas.objects.get(workspace=shop, name="Suppress buyers")
    scene.put("canvas", "journey", journey.pk)
    scene.put("step", "delay", journey.steps.get(kind="delay").pk)
    empty = editing.create(Canvas(workspace=shop, name="Nothing in it yet"), scene.admin, now)
    scene.put("canvas", "empty", empty.pk)
    draft, step = _canvas(scene, shop, "Spring launch", "Winter win-back", entry_kind=Canvas.EntryKind.LAUNCH)
    editing.add_step(draft, "audience_sync", name="Not set up")
    scene.put("canvas", "draft", draft.pk)
    scene.put("step", "draft", step.pk)
    scene.put("step", "unset", draft.steps.get(name="Not set up").pk)
    stopped, _step = _canvas(scene, shop, "Summer sale", "Winter win-back")
    launching.launch(stopped, scene.admin, now)
    launching.stop(stopped, scene.admin, now)
    scene.put("canvas", "stopped", stopped.pk)
    archived = editing.create(Canvas(workspace=shop, name="Last year"), scene.admin, now)
    launching.archive(archived, scene.admin, now)
    scene.put("canvas", "archived", archived.pk)


def troubles(scene: Scene, shop: Workspace) -> None:
    """A refused user, users who wait for an outage to end, and an audience that somebody deleted."""
    users = Profile.objects.filter(workspace=shop, email_record__isnull=False).order_by("pk")
    refused, step = _launched(scene, shop, "One is refused", "Refusals")
    digest = users[0].email_record
    scene.ground.break_it("refuse_record", {"digest": digest})
    _send(scene, refused, users.filter(pk__lte=users[5].pk))
    delivery = Delivery.objects.filter(sync=step.sync, batch__state=Batch.State.ERRORED).get()
    scene.put("canvas", "errored", refused.pk)
    scene.put("step", "errored", step.pk)
    scene.put("delivery", "errored", delivery.pk)
    assert delivery.batch_id is not None
    scene.put("batch", "errored", delivery.batch_id)
    before = timezone.now() - timedelta(hours=1)  # pages do not tell of it any more
    ended = Retrying.objects.create(
        workspace=shop,
        sync=step.sync,
        target="Refusals",
        asked_by=scene.admin,
        started_at=before,
        total=1,
        last_batch=delivery.batch_id,
        ended_at=before,
        cancelled_at=before,
    )
    scene.put("many", "ended", ended.pk)

    deleted, step = _launched(scene, shop, "Audience deleted", "Short-lived")
    audience = step.sync.audience
    _send(scene, deleted, users.filter(pk__gt=users[20].pk, pk__lte=users[40].pk))
    scene.ground.break_it("delete_audience", {"audience_id": audience.external_id})
    _send(scene, deleted, users.filter(pk__gt=users[40].pk, pk__lte=users[50].pk))
    audience.refresh_from_db()
    assert audience.state == Audience.State.GONE
    scene.put("canvas", "deleted", deleted.pk)
    scene.put("step", "deleted", step.pk)
    scene.put("audience", "gone", audience.pk)

    waiting, step = _launched(scene, shop, "Pinterest is down", "Patience")
    audience = step.sync.audience
    scene.ground.break_it("outage", {"path": f"customer_lists/{audience.target_id}"})
    _send(scene, waiting, users.filter(pk__gt=users[50].pk, pk__lte=users[90].pk))
    assert Batch.objects.filter(audience=step.sync.audience, state=Batch.State.WAITING).exists()
    scene.put("canvas", "waiting", waiting.pk)
    scene.put("step", "waiting", step.pk)
    scene.put("batch", "waiting", Batch.objects.filter(audience=step.sync.audience).get().pk)


def simulations(scene: Scene, shop: Workspace) -> None:
    """A run that goes on, and one that somebody stopped."""
    canvas, _step = _launched(scene, shop, "For the simulator", "Simulated", reentry=True)
    order = simulator.Order("made_up", "steady", number=600, missing_percent=10, per_second=1)
    running = simulator.start(canvas, order, user=scene.admin, now=timezone.now())
    simulator.advance_due(timezone.now())
    scene.put("simulation", "running", running.pk)
    over = simulator.start(canvas, order, user=scene.admin, now=timezone.now())
    simulator.stop(over, user=scene.admin, now=timezone.now())
    scene.put("simulation", "over", over.pk)


def profiles(scene: Scene, shop: Workspace) -> None:
    done = Import.objects.filter(workspace=shop, state=Import.State.DONE).order_by("pk")[0]
    scene.put("run", "done", done.pk)
    running = Import.objects.create(workspace=shop, name="export.csv", created_by=scene.admin, bytes_total=1000)
    scene.put("run", "waiting", running.pk)
    failed = Import.objects.create(
        workspace=shop,
        name="broken.csv",
        created_by=scene.admin,
        state=Import.State.FAILED,
        error="no_identifying_column",
        finished_at=timezone.now(),
    )
    scene.put("run", "failed", failed.pk)
    scene.put("segment", "two rules", Segment.objects.get(workspace=shop, name="Gold members in Korea").pk)
    somebody = Delivery.objects.filter(sync__workspace=shop, batch__state=Batch.State.ACCEPTED).order_by("pk")[0]
    scene.put("profile", "synced", somebody.profile_id)
    everybody = Profile.objects.filter(workspace=shop)
    scene.put("profile", "without values", everybody.filter(email_record=None, idfa_record=None)[0].pk)


def stories(scene: Scene, shop: Workspace) -> None:
    """A scenario that was told to its end (it mends whatever is broken, so it comes first), and one that begins."""
    told = runs.start(shop, scenarios()["first_sync"], user=scene.admin, now=timezone.now(), users=40)
    give_up = time.monotonic() + STORY_SECONDS
    while not told.is_over:
        assert time.monotonic() < give_up, told.lines
        running.advance_due(timezone.now())
        schedules.enter_due(timezone.now())
        scene.deliver()
        time.sleep(0.2)
        told.refresh_from_db()
    scene.put("story", "told", told.pk)
    begun = runs.start(shop, scenarios()["outage"], user=scene.admin, now=timezone.now(), users=20)
    scene.put("story", "begun", begun.pk)


def _canvas(
    scene: Scene, shop: Workspace, name: str, audience: str, *, entry_kind: str = Canvas.EntryKind.API, **fields: object
) -> tuple[Canvas, Step]:
    now = timezone.now()
    target = building.audience_called(building.ad_account_in_use(shop), audience, now)
    canvas = editing.create(Canvas(workspace=shop, name=name, entry_kind=entry_kind, **fields), scene.admin, now)
    step = building.add_sync(canvas, target, Operation.ADD, MatchField.EMAIL)
    return canvas, Step.objects.select_related("sync__audience__ad_account").get(pk=step.pk)


def _launched(scene: Scene, shop: Workspace, name: str, audience: str, **fields: object) -> tuple[Canvas, Step]:
    canvas, step = _canvas(scene, shop, name, audience, **fields)
    launching.launch(canvas, scene.admin, timezone.now())
    schedules.enter_due(timezone.now())
    canvas.refresh_from_db()
    return canvas, step


def _send(scene: Scene, canvas: Canvas, users: QuerySet[Profile]) -> None:
    journeys.enter(canvas, users, source="api", now=timezone.now())
    scene.deliver()
