"""More errored users are retried than a person waits for: a worker does it, pages follow, and it can be cancelled."""

import re
import signal
import threading
from datetime import timedelta

import pytest
from django.db import connection as database
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django_q.models import OrmQ

from canvas import journeys
from canvas.analytics import metrics, retrying
from integrations import retrying as many
from integrations import tasks
from integrations.models import Arrival, Batch, Connection, Delivery, Retrying
from pinsync.workspaces.models import AuditEvent
from tests.canvas.analytics.sending import SECOND, errored
from tests.canvas.conftest import NOON, people
from tests.workers import Beside

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


@pytest.fixture
def asked(launched, workspace, step, erin, monkeypatch) -> Retrying:
    """Seven users errored, in batches of one and of two; Erin asked to retry them, and no worker heard the doorbell."""
    journeys.enter(launched, people(workspace, 12, start=80), source="api", now=NOON)
    for _ in range(3):
        errored(step.sync, 2, now=NOON + SECOND, reason="partner_unavailable")
    monkeypatch.setattr(many, "AT_ONCE", 2)
    monkeypatch.setattr(tasks, "RETRY_SECONDS", 0)  # one batch a task
    assert retrying.retry_step(step, "", erin, NOON) is None
    OrmQ.objects.all().delete()
    return Retrying.objects.get()


def rung() -> list[int]:
    """Take the doorbells for retries out of the queue."""
    found = [one.task for one in OrmQ.objects.order_by("pk")]
    OrmQ.objects.all().delete()
    return [task["args"][0] for task in found if task["func"] == many.TASK]


def work() -> None:
    """Answer doorbells until none rings."""
    for _ in range(50):
        found = rung()
        if not found:
            return
        for pk in found:
            tasks.retry(pk)
    raise AssertionError("It does not end.")


def sent_again() -> int:
    """Return how many users are in the batches that a retry made."""
    return sum(Batch.objects.filter(state="waiting", parent__isnull=False).values_list("users", flat=True))


def test_few_users_in_many_batches_are_a_workers_task_too(launched, workspace, step, erin, monkeypatch):
    """Each batch is a transaction, and whoever was refused alone is in one of their own."""
    journeys.enter(launched, people(workspace, 12, start=80), source="api", now=NOON)
    for _ in range(3):
        errored(step.sync, 2, now=NOON + SECOND, reason="partner_unavailable")
    monkeypatch.setattr(many, "BATCHES_AT_ONCE", 3)
    assert retrying.retry_step(step, "", erin, NOON) is None
    many.go_on(Retrying.objects.get().pk, NOON, seconds=60)
    assert (Retrying.objects.get().done, metrics(step).errored) == (7, 0)


def test_a_lost_doorbell_costs_a_minute_and_nobody(asked, step):
    assert (asked.total, asked.done, asked.reason, asked.sync) == (7, 0, "", step.sync)
    assert many.take_up(NOON + MINUTE) == 0  # it was just rung for
    assert many.take_up(NOON + MINUTE + SECOND) == 1
    assert many.take_up(NOON + MINUTE + SECOND) == 0
    work()
    asked.refresh_from_db()
    assert (asked.done, asked.lease_until, asked.cancelled_at) == (7, None, None)
    assert asked.ended_at is not None
    assert metrics(step).errored == 0
    assert many.take_up(NOON + 9 * MINUTE) == 0


def test_each_part_is_written_down_with_its_users(asked, step):
    for done in (1, 3, 5, 7):
        assert many.go_on(asked.pk, NOON, seconds=0)
        assert Retrying.objects.get().done == done == 7 - metrics(step).errored
    assert not many.go_on(asked.pk, NOON, seconds=0)
    assert not many.go_on(asked.pk, NOON, seconds=0)  # it has ended


def test_it_says_how_long_the_rest_takes(asked):
    many.go_on(asked.pk, NOON, seconds=0)
    asked.refresh_from_db()
    progress = many.show(asked, NOON + MINUTE).progress
    assert (progress.done, progress.total, progress.seconds) == (1, 7, 360.0)


def test_whoever_is_refused_again_meanwhile_is_not_retried_for_ever(asked, step):
    many.go_on(asked.pk, NOON, seconds=0)
    again = Batch.objects.latest("pk")
    Batch.objects.filter(pk=again.pk).update(state="errored", reason="record_refused", settled_at=NOON)
    assert again.pk > asked.last_batch
    assert not many.go_on(asked.pk, NOON, seconds=60)
    again.refresh_from_db()
    assert (again.state, Retrying.objects.get().done) == ("errored", 7)


def test_whoever_may_not_be_sent_does_not_hold_it_up(asked, step, audience):
    for delivery in Delivery.objects.filter(sync=step.sync, batch__state="errored")[:1]:
        Arrival.objects.create(
            sync=step.sync,
            profile=delivery.profile,
            audience=audience,
            operation="remove",
            match_fields=1,
            entered_at=NOON,
        )
    assert not many.go_on(asked.pk, NOON, seconds=60)
    asked.refresh_from_db()
    assert (asked.done, metrics(step).errored, asked.ended_at is None) == (6, 1, False)


def test_asked_twice_it_is_done_once(asked, step, erin):
    assert retrying.retry_step(step, "", erin, NOON) is None
    assert (Retrying.objects.count(), AuditEvent.objects.filter(action="users.retried").count()) == (1, 1)
    assert many.cancel(asked, erin, NOON)
    assert retrying.retry_step(step, "", erin, NOON) is None
    assert Retrying.objects.count() == 2


def test_cancelled_who_is_pending_again_stays_pending(asked, step, erin):
    many.go_on(asked.pk, NOON, seconds=0)
    many.go_on(asked.pk, NOON, seconds=0)
    before = metrics(step)
    assert many.cancel(asked, erin, NOON + MINUTE)
    assert (asked.done, asked.ended_at, asked.cancelled_at) == (3, NOON + MINUTE, NOON + MINUTE)
    assert not many.cancel(asked, erin, NOON + 2 * MINUTE)
    assert not many.go_on(asked.pk, NOON + 2 * MINUTE, seconds=60)
    assert many.take_up(NOON + 9 * MINUTE) == 0
    assert (metrics(step), before.errored) == (before, 4)
    event = AuditEvent.objects.get(action="users.retry_cancelled")
    assert (event.actor, event.target, event.detail) == (erin, step.name, {"users": 3})


def test_a_worker_in_the_middle_of_a_batch_undoes_it_when_cancelled(asked, step, erin, monkeypatch):
    note = many._note

    def cancelled_first(*where):
        many.cancel(Retrying.objects.get(), erin, NOON)
        note(*where)

    with monkeypatch.context() as late:
        late.setattr(many, "_note", cancelled_first)
        with transaction.atomic():
            assert not many.go_on(asked.pk, NOON, seconds=60)
    # Here the cancellation was in the same transaction, so it was undone with the batch; in life it is not.
    assert (Retrying.objects.get().done, metrics(step).errored) == (0, 7)


def test_what_ended_is_forgotten_after_a_day_and_what_goes_on_is_not(asked):
    day = timedelta(hours=24)
    many.forget(NOON + 2 * day)
    assert Retrying.objects.exists()  # still under way, however long it takes
    Retrying.objects.update(ended_at=NOON, lease_until=None)
    many.forget(NOON + day)
    assert Retrying.objects.exists()
    tasks.keep()  # now, which is after that
    assert not Retrying.objects.exists()


@pytest.mark.processes
@pytest.mark.django_db(transaction=True)
def test_killed_between_parts_and_within_one_nobody_is_lost(asked, step):
    killed = Beside(
        "import os, signal\n"
        "from django.utils import timezone\n"
        "from integrations import retrying\n"
        f"assert retrying.go_on({asked.pk}, timezone.now(), seconds=0)\n"
        "retrying._note = lambda *where: os.kill(os.getpid(), signal.SIGKILL)\n"  # in the transaction of the second
        f"retrying.go_on({asked.pk}, timezone.now(), seconds=0)\n"
    )
    assert killed.process.wait(60) == -signal.SIGKILL
    asked.refresh_from_db()
    assert (asked.done, metrics(step).errored, asked.ended_at) == (1, 6, None)
    assert many.take_up(timezone.now()) == 0  # whoever had it may be alive
    assert many.take_up(timezone.now() + 2 * MINUTE) == 1
    work()
    asked.refresh_from_db()
    assert (asked.done, metrics(step).errored, asked.ended_at is None) == (7, 0, False)
    assert sent_again() == 7


@pytest.mark.django_db(transaction=True)
def test_several_workers_at_once_retry_everybody_once(asked, step):
    barrier = threading.Barrier(3)

    def work_on() -> None:
        barrier.wait(20)
        many.go_on(asked.pk, NOON, seconds=60)
        database.close()

    workers = [threading.Thread(target=work_on) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    asked.refresh_from_db()
    assert (asked.done, metrics(step).errored, asked.ended_at) == (7, 0, asked.ended_at)
    assert asked.ended_at is not None
    assert sent_again() == 7


@pytest.mark.django_db(transaction=True)
def test_people_who_cancel_while_workers_are_at_it(asked, step, erin):
    """However they meet: what is counted as done is pending, all else is errored."""
    barrier, pressed = threading.Barrier(4), []

    def work_on() -> None:
        barrier.wait(20)
        many.go_on(asked.pk, NOON, seconds=60)
        database.close()

    def press() -> None:
        barrier.wait(20)
        pressed.append(many.cancel(Retrying.objects.select_related("workspace").get(), erin, NOON))
        database.close()

    threads = [threading.Thread(target=what) for what in (work_on, press, work_on, press)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    asked.refresh_from_db()
    assert len(pressed) == 2
    assert sum(pressed) == (asked.cancelled_at is not None)
    assert asked.ended_at is not None
    assert metrics(step).errored == 7 - asked.done
    assert sent_again() == asked.done


# --- its pages --------------------------------------------------------------------------------------------------


@pytest.fixture
def asked_now(asked) -> Retrying:
    """Erin asked a minute ago."""
    Retrying.objects.update(started_at=timezone.now() - MINUTE)
    many.go_on(asked.pk, timezone.now(), seconds=0)
    asked.refresh_from_db()
    return asked


def test_pages_of_the_step_show_it_and_survive_a_reload(client, erin, step, asked_now):
    client.force_login(erin)
    where = ["shop", step.canvas.pk, step.pk]
    loads = reverse("canvas:retryings", args=where)
    for _reload in range(2):
        assert (
            f'hx-get="{loads}" hx-trigger="load"'
            in client.get(reverse("canvas:step_analytics", args=where)).content.decode()
        )
        for page in ("retryings", "retry_step"):
            shown = client.get(reverse(f"canvas:{page}", args=where)).content.decode()
            assert "<strong>1</strong> of about 7 users are pending again." in shown
            assert re.search(r"About \d+ min left\.", shown)  # how many: above
            assert f'hx-get="/w/shop/retryings/{asked_now.pk}/live/" hx-trigger="every 2s"' in shown
            assert f'hx-post="/w/shop/retryings/{asked_now.pk}/cancel/"' in shown
    assert 'name="reason"' not in shown  # nothing to press twice
    while many.go_on(asked_now.pk, timezone.now(), seconds=60):
        pass
    shown = client.get(f"/w/shop/retryings/{asked_now.pk}/live/").content.decode()
    assert "<strong>7</strong> users are pending again." in shown
    assert "hx-get" not in shown
    Retrying.objects.update(ended_at=timezone.now() - 11 * MINUTE)
    assert client.get(loads).content.strip() == b""


def test_the_partners_page_shows_it(client, erin, step, asked_now):
    link = Connection.objects.get()
    Batch.objects.filter(state="errored").update(reason="invalid_token")
    Retrying.objects.update(sync=None, connection=link, reason="invalid_token")
    client.force_login(erin)
    for page in ("partner", "retry"):
        shown = client.get(reverse(f"integrations:{page}", args=["shop", link.partner])).content.decode()
        assert "<strong>1</strong> of about 7 users are pending again." in shown
        assert "Invalid Token" in shown
    assert not many.go_on(asked_now.pk, timezone.now(), seconds=60)
    assert metrics(step).errored == 0


def test_an_editor_cancels_with_and_without_htmx(client, erin, step, asked_now):
    client.force_login(erin)
    press = f"/w/shop/retryings/{asked_now.pk}/cancel/"
    assert client.get(press).status_code == 405
    shown = client.post(press, headers={"HX-Request": "true"}).content.decode()
    assert "The retry was cancelled" in shown
    assert "<strong>1</strong> user is pending again." in shown
    assert "hx-" not in shown
    assert "Nothing to cancel" in client.post(press, follow=True).content.decode()
    Retrying.objects.update(ended_at=None, cancelled_at=None)
    assert "Who is pending again stays pending." in client.post(press, follow=True).content.decode()


def test_a_viewer_watches_and_an_outsider_sees_nothing(client, bob, charlie, step, asked_now):
    loads = reverse("canvas:retryings", args=["shop", step.canvas.pk, step.pk])
    live, press = (f"/w/shop/retryings/{asked_now.pk}/{what}/" for what in ("live", "cancel"))
    client.force_login(bob)
    for address in (live, loads):
        shown = client.get(address).content.decode()
        assert "of about 7 users" in shown
        assert press not in shown
    assert client.post(press).status_code == 403
    client.force_login(charlie)
    assert [client.get(live).status_code, client.get(loads).status_code, client.post(press).status_code] == [404] * 3
    assert client.get(live.replace("/shop/", "/other/")).status_code == 404
    assert Retrying.objects.get().ended_at is None
