"""A worker that tells all it can, and nothing of a person in it."""

import signal
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from django_q.models import Failure

from integrations.models import Batch, SyncReason
from integrations.pinterest.sandbox.people import AD_ACCOUNTS, MAPLE
from pinsync.profiles import importing
from tests.helpers import EVERYTHING, audience_named, break_it, let_in, sync_to
from tests.integrations.delivery.leaks import address, leaks, needles, tables, values
from tests.integrations.delivery.leaks.hands import PEOPLE, marked, refusing
from tests.workers import Worker, until


@pytest.mark.processes
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_a_worker_that_tells_all_it_can(transactional_db, workspace, admin, ad_account, sandbox, secrets, tmp_path):
    """LOG_LEVEL=DEBUG and DEBUG, every fault at an audience of its own, and an import that the database refuses."""
    settings_ = {"LOG_LEVEL": "DEBUG", "DEBUG": "true", "PINSYNC_DATA_DIR": str(tmp_path)}
    people = marked(workspace)
    faults = [
        ("outage", {"status": 500}),
        ("outage", {"html": True}),
        ("garbage", {"count": 3}),
        ("drop_answer", {"count": 3}),
        ("cut", {"count": 3}),
    ]
    syncs = []
    for number, (fault, given) in enumerate(faults):
        audience = audience_named(f"Audience {number}", ad_account, sandbox.world)
        syncs.append(sync_to(audience, fields=EVERYTHING))
        break_it(sandbox, fault, path=audience.target_id, **given)
    gone = audience_named("Gone", ad_account, sandbox.world)
    break_it(sandbox, "delete_audience", audience_id=gone.external_id)
    good = audience_named("Good", ad_account, sandbox.world)
    break_it(sandbox, "refuse_record", digest=people[0].email_record)
    syncs += [sync_to(gone, fields=EVERYTHING), sync_to(good, fields=EVERYTHING)]
    for sync in syncs:
        let_in(sync, people)
    secrets.collect()
    worker = None
    try:
        with refusing():
            upload = tmp_path / "uploads"
            upload.mkdir()
            csv = f"external_id,email,idfa\n9,{address(0)},{values(0)['idfa']}\n"
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(django_settings, "MEDIA_ROOT", upload)
                importing.start_import(
                    workspace, "customers.csv", SimpleUploadedFile("c.csv", csv.encode()), admin, now=timezone.now()
                )
            worker = Worker(tmp_path / "worker.log", **settings_)
            until(lambda: Failure.objects.exists(), 40)
            # The deleted one may be known to be gone before anything was sent to it.
            until(lambda: Batch.objects.exclude(reason="").values("audience").distinct().count() >= len(syncs), 40)
            until(lambda: SyncReason.objects.filter(reason="record_refused").exists(), 40)
            secrets.collect()
        break_it(sandbox, "revoke_token", pinterest_user=MAPLE.id)
        Batch.objects.filter(state=Batch.State.WAITING).update(next_attempt_at=timezone.now())
        until(lambda: "connection broken" in worker.log.read_text(), 40)
    finally:
        if worker is not None and worker.process.poll() is None:
            worker.stop(signal.SIGTERM)
            worker.kill_what_is_left()
    said = worker.log.read_text()
    assert said.count("batch settled") >= len(syncs)
    assert "urllib3" in said  # it did tell all it can
    assert "import failed" in said
    assert Failure.objects.get().result.count("[") == 1
    people_ = needles(PEOPLE)
    assert leaks([("worker", said)], people_ | secrets.needles()) == []
    assert leaks(tables(), people_ | secrets.needles(digests=False)) == []
    assert AD_ACCOUNTS[0].name not in said
