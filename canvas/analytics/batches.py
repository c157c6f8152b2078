"""One batch: when, how large, each request that was made for it, and where its users came from or went."""

from collections.abc import Collection
from dataclasses import dataclass

from canvas.analytics.places import Place, read_place
from canvas.analytics.streams import PAGE, members
from canvas.analytics.users import UserLine, UsersPage, lines_of
from canvas.models import Step
from integrations import registry
from integrations.models import Attempt, Batch
from integrations.reasons import Reason, reason
from pinsync.workspaces.models import Workspace

ATTEMPTS = 500  # the latest, of one batch or of a page of them; 13 hours of retries make about a hundred
GENERATIONS = 40  # a batch of 1,900 is split eleven times before one user stands alone
CHILDREN = 100


@dataclass(frozen=True)
class AttemptLine:
    """One request, and what its end means in words."""

    attempt: Attempt
    outcome: Reason | None  # None: accepted


@dataclass(frozen=True)
class BatchPage:
    """A batch as its page shows it."""

    batch: Batch
    reason: Reason | None
    attempts: list[AttemptLine]
    ancestors: list[Batch]  # the nearest first
    children: list[Batch]
    users: UsersPage
    steps: dict[int, Step]  # by sync: whose users are in it


def find(workspace: Workspace, pk: int) -> Batch | None:
    """Return a batch of the workspace."""
    ours = Batch.objects.filter(audience__ad_account__connection__workspace=workspace)
    return ours.select_related("audience__ad_account__connection").filter(pk=pk).first()


def page_of(batch: Batch, after: str = "") -> BatchPage:
    """Return all about a batch, and a page of its users, newest first."""
    partner = batch.audience.ad_account.connection.partner
    called = registry.name_of(partner)
    users = _users(batch, partner, after)
    return BatchPage(
        batch=batch,
        reason=why(batch, called),
        attempts=attempts_of([batch.pk], partner).get(batch.pk, []),
        ancestors=_ancestors(batch),
        children=list(batch.children.order_by("pk")[:CHILDREN]),
        users=users,
        steps=steps_of_syncs({line.sync_id for line in users.lines if line.sync_id}),
    )


def came_from(page: BatchPage, asked: int | None) -> Step | None:
    """Return the step that a batch's page leads back to: the one asked for, if it shares the batch or its audience."""
    batch = page.batch
    feeding = Step.objects.filter(sync__audience=batch.audience_id, sync__operation=batch.operation)
    if asked is not None:
        known = next((step for step in page.steps.values() if step.pk == asked), None)
        known = known or feeding.filter(pk=asked).select_related("canvas").first()
        if known is not None:
            return known
    first = min(page.steps.values(), key=lambda step: (step.canvas_id, step.position), default=None)
    return first or feeding.select_related("canvas").order_by("canvas", "position").first()


def why(batch: Batch, called: str) -> Reason | None:
    """Return why the last attempt failed; None of a batch that was accepted, or never refused."""
    return reason(batch.reason, called) if batch.reason and batch.state != Batch.State.ACCEPTED else None


def attempts_of(batches: Collection[int], partner: str) -> dict[int, list[AttemptLine]]:
    """Return the latest requests that were made for these batches, by batch, newest first."""
    found: dict[int, list[AttemptLine]] = {}
    if not batches:
        return found
    called = registry.name_of(partner)
    for each in Attempt.objects.filter(batch__in=batches).order_by("-pk")[:ATTEMPTS]:
        outcome = None if each.outcome == "accepted" else reason(each.outcome, called)
        found.setdefault(each.batch_id or 0, []).append(AttemptLine(each, outcome))
    return found


def steps_of_syncs(ids: set[int]) -> dict[int, Step]:
    """Return the steps that own these AudienceSyncs, by its id."""
    found = Step.objects.filter(sync__in=ids).select_related("canvas")
    return {step.sync_id: step for step in found if step.sync_id}


def _users(batch: Batch, partner: str, after: str) -> UsersPage:
    rows = members(batch.pk)
    place = read_place(after, "d")
    if place:
        rows = rows.filter(id__lt=place.below)
    found = list(rows[: PAGE + 1])
    lines: list[UserLine] = lines_of(found[:PAGE], partner)
    return UsersPage(lines, str(Place("d", found[PAGE - 1].pk)) if len(found) > PAGE else "")


def _ancestors(batch: Batch) -> list[Batch]:
    return list(Batch.objects.raw(_ANCESTORS, [batch.parent_id, GENERATIONS])) if batch.parent_id else []


_TABLE = Batch._meta.db_table
_ANCESTORS = f"""
WITH RECURSIVE older(id, parent_id, generation) AS (
    SELECT id, parent_id, 1 FROM {_TABLE} WHERE id = %s
    UNION ALL
    SELECT b.id, b.parent_id, older.generation + 1 FROM older JOIN {_TABLE} b ON b.id = older.parent_id
    WHERE older.generation < %s
)
SELECT b.* FROM older JOIN {_TABLE} b ON b.id = older.id ORDER BY older.generation
"""
