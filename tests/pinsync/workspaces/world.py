"""One of everything that an address can name, all of it in one workspace.

A view with a new `<int:thing>` in its address needs a line in `things_of`, so that the tests of access can ask it.
"""

from datetime import timedelta

from django.utils import timezone

from canvas.models import Canvas, ScenarioRun, SimulatorRun, Step
from integrations import registry
from integrations.models import (
    AdAccount,
    Audience,
    AudienceSync,
    Authorization,
    Batch,
    Connection,
    Delivery,
    Pace,
    Retrying,
    SyncReason,
    SyncTotals,
)
from pinsync.profiles.matching import records
from pinsync.profiles.models import Import, Profile, Segment
from pinsync.workspaces.keys import create_key
from pinsync.workspaces.members import add
from pinsync.workspaces.models import Member, Role
from tests.pinsync.workspaces.conftest import NOON

OF_NOBODY = {"workspace", "partner", "form", "section"}  # not an object that belongs to somebody


def things_of(workspace, admin):
    """Return what stands in an address for each name, in one dict."""
    partner = registry.partners()[0]
    Pace.objects.create(partner=partner.slug, partner_user_id="777")
    connection = Connection.objects.create(
        workspace=workspace,
        partner=partner.slug,
        partner_user_id="777",
        partner_user_name="shop owner",
        access_token="token",
        refresh_token="refresh",
        access_expires_at=NOON + timedelta(days=3650),
        connected_by=admin,
        connected_at=NOON,
    )
    ad_account = AdAccount.objects.create(
        connection=connection, external_id="549", name="Shop", state=AdAccount.State.CONNECTED, seen_at=NOON
    )
    audience = Audience.objects.create(
        ad_account=ad_account, external_id="2542", target_id="100", name="Winter buyers", seen_at=NOON
    )
    authorization = Authorization.objects.create(
        workspace=workspace,
        user=admin,
        partner=partner.slug,
        state_digest="d" * 64,
        created_at=timezone.now(),  # good for minutes only
        returned_at=timezone.now(),
        access_token="token",
        partner_user_id="777",
        ad_accounts=[],
    )
    email, _idfa, _gaid = records("ann@example.com", "", "")
    run = Import.objects.create(workspace=workspace, name="customers.csv", created_by=admin, state=Import.State.DONE)
    profile = Profile.objects.create(
        workspace=workspace,
        external_id="u1",
        email="ann@example.com",
        email_record=email,
        last_import=run,
        created_at=NOON,
        updated_at=NOON,
    )
    segment = Segment.objects.create(workspace=workspace, name="Everybody new", filters={})
    canvas = Canvas.objects.create(workspace=workspace, name="Winter", created_by=admin)
    sync = AudienceSync.objects.create(
        workspace=workspace,
        partner=partner.slug,
        ad_account=ad_account,
        audience=audience,
        operation="add",
        match_fields=1,
    )
    step = Step.objects.create(canvas=canvas, kind="audience_sync", name="Sync", position=1, sync=sync)
    batch = Batch.objects.create(
        audience=audience,
        operation="add",
        state=Batch.State.ERRORED,
        users=1,
        records=1,
        attempts=3,
        oldest_entered_at=NOON,
        gives_up_at=NOON,
        created_at=NOON,
        next_attempt_at=NOON,
        settled_at=NOON,
        reason="partner_unavailable",
    )
    delivery = Delivery.objects.create(
        sync=sync, profile=profile, audience=audience, batch=batch, operation="add", match_fields=1, entered_at=NOON
    )
    SyncTotals.objects.create(sync=sync, entered=1, errored=1)
    SyncReason.objects.create(sync=sync, reason=batch.reason, users=1)
    simulation = SimulatorRun.objects.create(
        workspace=workspace,
        canvas=canvas,
        source="segment",
        pattern="burst",
        samples=[[0, 0, 0, 0, 0]],
        started_at=NOON,
        finished_at=NOON,
        end="done",
    )
    story = ScenarioRun.objects.create(
        workspace=workspace,
        scenario="first_sync",
        users=10,
        canvas=canvas,
        memory={"canvases": [canvas.pk]},
        started_at=NOON,
        step_since=NOON,
        ended_at=NOON,
        finished_at=NOON,
        end="passed",
    )
    many = Retrying.objects.create(
        workspace=workspace, sync=sync, started_at=NOON, total=1, last_batch=batch.pk, ended_at=NOON, cancelled_at=NOON
    )
    key, _secret = create_key(workspace, "Web shop", Role.EDITOR, admin, NOON)
    return {
        "workspace": workspace.slug,
        "partner": partner.slug,
        "ad_account": ad_account.pk,
        "audience": audience.pk,
        "authorization": authorization.pk,
        "run": run.pk,
        "profile": profile.pk,
        "segment": segment.pk,
        "canvas": canvas.pk,
        "step": step.pk,
        "simulation": simulation.pk,
        "story": story.pk,
        "sync": sync.pk,
        "batch": batch.pk,
        "delivery": delivery.pk,
        "many": many.pk,
        "form": "csv",
        "section": "basics",
        "key": key.pk,
        "member": Member.objects.get(workspace=workspace, user=admin).pk,
        "invitation": add(workspace, "eve@example.com", Role.VIEWER, admin, NOON).pk,
    }
