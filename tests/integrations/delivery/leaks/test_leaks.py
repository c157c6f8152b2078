"""Nothing of a user and no secret in a log, an error or a table, whatever goes wrong.

Marked people and tokens go down every error path; then everything that Pinsync said and kept is searched for them, and
for what they are hashed to.
"""

import json
from io import BytesIO

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import DatabaseError
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_q.models import Failure

from integrations import audiences, consenting, creating, registry, tokens, upkeep
from integrations.errors import PartnerError
from integrations.models import Attempt, Batch, SyncReason
from integrations.pinterest.sandbox.catalogue import KINDS
from integrations.pinterest.sandbox.people import MAPLE
from pinsync.profiles import importing, matching
from pinsync.profiles.models import Import, Profile
from pinsync.profiles.tasks import continue_import
from pinsync.workspaces.keys import create_key
from pinsync.workspaces.models import Role
from tests.echo import echoing
from tests.helpers import EVERYTHING, break_it, deliver, figures, later, let_in, mend, sync_to
from tests.integrations.conftest import allow
from tests.integrations.delivery.leaks import WORD, address, as_text, everything_logged, found_in, needles, values
from tests.integrations.delivery.leaks.hands import PEOPLE, marked, refusing, search

# --- the search itself ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", range(2))
def test_the_search_finds_what_is_there(n):
    known = values(n)
    for record in matching.records(known["email"], known["idfa"], known["gaid"]):
        assert record is not None
        assert found_in(f"PATCH {record.upper()} 200", needles(PEOPLE))
    for value in known.values():
        assert found_in(f"Key ({value}) exists", needles(PEOPLE))


@pytest.mark.django_db
def test_the_search_looks_into_the_log_and_every_table(workspace, secrets):
    with everything_logged() as log:
        log.lines.append(address(1))
    Failure.objects.create(
        id="f", name="f", func="f", started=timezone.now(), stopped=timezone.now(), result=address(2), success=False
    )
    found = search(secrets, log)
    assert any(leak.startswith("log: ") for leak in found)
    assert any("an address" in leak and not leak.startswith("log: ") for leak in found)


# --- delivery ------------------------------------------------------------------------------------------------------


def parameters_of(kind, audience, profile) -> dict[str, object]:
    given: dict[str, object] = {
        "audience_id": audience.external_id,
        "ad_account_id": audience.ad_account.external_id,
        "pinterest_user": MAPLE.id,
        "digest": profile.email_record,
        "ms": 50,
        "hours": 24,
    }
    return {each.name: given[each.name] for each in kind.parameters if each.name in given}


@pytest.mark.django_db
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_fault_of_the_sandbox(kind, workspace, audience, ad_account, sandbox, secrets):
    sync = sync_to(audience, fields=EVERYTHING)
    let_in(sync, marked(workspace))
    secrets.collect()
    errors: list[str] = []
    with everything_logged() as log:
        break_it(sandbox, kind.name, **parameters_of(kind, audience, Profile.objects.first()))
        deliver()
        for work in (
            lambda now: audiences.refresh(ad_account, now),
            lambda now: creating.create(ad_account, "New one", "", now),
            lambda now: tokens.refresh(ad_account.connection, now),
        ):
            try:
                work(timezone.now())
            except PartnerError as error:
                errors.append(as_text(error))
        upkeep.keep(timezone.now())
        deliver(later(hours=14))
        mend(sandbox)
    assert Attempt.objects.exists()
    assert any("batch settled" in line for line in log.lines)
    assert figures(sync)["entered"] == PEOPLE
    texts = [("errors", "\n".join(errors))]
    for model in (Batch, Attempt, SyncReason):
        texts.append((model.__name__, "\n".join(f"{one} {one!r} {vars(one)!r}" for one in model.objects.all())))
    assert search(secrets, log, *texts) == []


ECHOES = {
    "a web page": lambda sent: f"<html><p>{sent}</p></html>",
    "an error": lambda sent: json.dumps({"code": 1, "message": f"Invalid: {sent}", "details": {"sent": sent}}),
    "half an error": lambda sent: json.dumps({"message": sent}),
    "something else": lambda sent: json.dumps([sent]),
    "cut off": lambda sent: json.dumps({"code": 1, "message": sent})[:-3],
}


@pytest.mark.django_db
@pytest.mark.parametrize("echo", ECHOES)
def test_a_partner_that_repeats_what_it_was_sent(echo, workspace, audience, connection, secrets, settings):
    sync, people = sync_to(audience), marked(workspace)
    partner = registry.partner(connection.partner)
    token, target = connection.access_token, (audience.ad_account.external_id, audience.target_id)
    said = []
    with everything_logged() as log:
        for status in (200, 301, 400, 401, 403, 404, 413, 422, 429, 500):
            with echoing(status, ECHOES[echo]) as (url, seen):
                settings.PINTEREST_API_URL = f"{url}/v5"
                calls = (
                    lambda: partner.send(token, *target, "add", [one.email_record for one in people]),
                    lambda: partner.refresh(connection.refresh_token),
                    lambda: partner.exchange(code=token, redirect_uri="http://127.0.0.1/"),
                    lambda: partner.me(token),
                    lambda: list(partner.audiences(token, target[0])),
                )
                for call in calls:
                    try:
                        call()
                    except PartnerError as error:
                        said.append((f"{status}", as_text(error)))
                assert len(seen) == len(calls)
        let_in(sync, people)
        with echoing(400, ECHOES[echo]) as (url, seen):
            settings.PINTEREST_API_URL = f"{url}/v5"
            deliver()
        assert seen
    assert len(said) > 30
    assert search(secrets, log, *said) == []


# --- consent -------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_consents_that_fail(workspace, admin, browser, sandbox, secrets):
    callback = reverse("integrations:callback", kwargs={"partner": "pinterest"})
    pages: list[tuple[str, str]] = []

    def come_back(name, **query) -> None:
        answer = browser.get(callback, query, follow=True)
        pages.append((name, answer.content.decode() + repr(answer.redirect_chain)))

    def begin() -> dict[str, str]:
        back = allow(sandbox, consenting.begin(workspace, admin, "pinterest", "connect", timezone.now()))
        secrets.known |= {back["code"], back["state"]}
        return back

    with everything_logged() as log:
        back = begin()
        come_back("wrong state", state=f"{back['state']}x", code=back["code"])
        come_back("wrong code", state=back["state"], code="c0de" * 10)
        come_back("used", **back)
        for fault in ({"fault": "outage"}, {"fault": "outage", "html": True}, {"fault": "garbage"}, {"fault": "cut"}):
            back = begin()
            break_it(sandbox, fault.pop("fault"), **fault)
            come_back(str(fault), **back)
            mend(sandbox)
        back = begin()
        come_back("cancelled", state=back["state"], error="access_denied")
        come_back("good", **begin())
        secrets.collect()
        assert len(secrets.known) > 10
        come_back("nobody's", state="x", code="y")
        browser.logout()
        stranger = browser.get(callback, {"state": "x"})
        assert stranger.status_code == 302
    assert any("consent failed" in line for line in log.lines)
    assert search(secrets, log, *pages) == []


# --- imports and programs ------------------------------------------------------------------------------------------

LINE = f"{values(0)['email']},{values(1)['idfa']},{values(2)['gaid']}"
FILES = {
    "no header": f"{LINE}\n{LINE}\n",
    "no header, one value twice": f"{LINE},{values(0)['email']}\n",
    "no header, a value twice at its end": f"email,{address(0)},{address(0)}\n",
    "bad rows": (
        f"external_id,email,idfa,gaid,note\n"
        f"1,{LINE},{WORD}\n"
        f"2,{LINE}\n"
        f'3,"{LINE}\n'
        f",not {WORD} an address,,,\n"
        f"{WORD * 60},{LINE},x\n"
        f"5,{LINE},{WORD * 400}\n"
    ),
    "not UTF-8": f"external_id,email\n1,{address(1)}\xff\n",
    "half a quote": f'external_id,email\n1,"{address(1)}',
    "a page": f"<html>{address(1)}</html>",
    "JSON": json.dumps([values(0)]),
}


@pytest.mark.django_db
@pytest.mark.parametrize("name", FILES)
def test_files_that_cannot_be_imported(name, workspace, browser, secrets, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    content = FILES[name].encode("latin-1")
    with everything_logged() as log:
        upload = SimpleUploadedFile("customers.csv", content, "text/csv")
        answer = browser.post(reverse("profiles:import", args=[workspace.slug]), {"file": upload})
        pages = [("upload", answer.content.decode())]
        run = Import.objects.first() or importing.start_import(  # the page looks at the file before it takes it
            workspace, "customers.csv", SimpleUploadedFile("c.csv", content), None, now=timezone.now()
        )
        continue_import(run.pk)
        run.refresh_from_db()
        assert run.state == Import.State.FAILED or run.rejected
        places = {"workspace": workspace.slug, "run": run.pk}
        for page in ("import_run", "import_progress", "import_problems"):
            answer = browser.get(reverse(f"profiles:{page}", kwargs=places))
            body = b"".join(answer.streaming_content) if answer.streaming else answer.content
            assert answer.status_code == 200
            pages.append((page, body.decode()))
    assert search(secrets, log, *pages) == []


@pytest.mark.django_db
def test_programs_that_send_nonsense(workspace, admin, secrets):
    _, key = create_key(workspace, "Shop system", Role.EDITOR, admin, timezone.now())
    secrets.known |= {key, f"{key[:20]}", f"{WORD}-key"}
    client = Client(raise_request_exception=False)
    bodies = [
        f'{{"profiles": [{{"email": "{address(1)}"',
        json.dumps(values(0)),
        json.dumps([values(0)]),
        json.dumps({"profiles": values(0)}),
        json.dumps({"profiles": [address(1), {"email": [address(2)]}, {"external_id": address(3) * 20}]}),
        json.dumps({"profiles": [{"external_id": "1", "attributes": {"note": {"a": address(1)}}}]}),
        json.dumps({"profiles": [{"external_id": "1", address(2): 1}]}),
        json.dumps({"profiles": [{"external_id": "1", "email": f"{address(1)}\0"}]}),
        json.dumps({"profiles": [{"email": f"no {WORD} address"}]}),
        json.dumps({"external_ids": address(1)}),
        json.dumps({"external_ids": [address(1)]}),
    ]
    answers = []
    with everything_logged() as log:
        for path in ("/api/v1/profiles", "/api/v1/canvases/1/enter", f"/api/v1/{WORD[::-1]}"):
            for authorization in (f"Bearer {key}", f"Bearer {WORD}-key", f"Basic {WORD}-key"):
                for body in bodies:
                    answer = client.post(
                        path, body, content_type="application/json", headers={"Authorization": authorization}
                    )
                    assert answer.status_code >= 207
                    answers.append((f"{path} {body[:30]}", answer.content.decode() + repr(answer.headers)))
    secrets.known -= {key[:20]}
    assert search(secrets, log, *answers) == []


def test_a_database_that_says_whom_it_refuses(transactional_db, workspace, admin, secrets, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    _, key = create_key(workspace, "Shop system", Role.EDITOR, admin, timezone.now())
    secrets.known.add(key)
    csv = f"external_id,email,idfa\n1,{address(0)},{values(0)['idfa']}\n"
    with everything_logged() as log, refusing():
        run = Import.objects.create(workspace=workspace, name="customers.csv", created_at=timezone.now())
        with pytest.raises(DatabaseError, match=WORD):
            importing.run_import(run, BytesIO(csv.encode()), now=timezone.now())
        answer = Client(raise_request_exception=False).post(
            "/api/v1/profiles",
            json.dumps({"profiles": [{"external_id": "1", **values(0)}]}),
            content_type="application/json",
            headers={"Authorization": f"Bearer {key}"},
        )
        assert answer.status_code == 500
        run = importing.start_import(
            workspace, "customers.csv", SimpleUploadedFile("c.csv", csv.encode()), admin, now=timezone.now()
        )
        with pytest.raises(DatabaseError):
            continue_import(run.pk)
    assert any("import failed" in line for line in log.lines)
    assert any("Internal Server Error" in line for line in log.lines)
    assert search(secrets, log, ("answer", answer.content.decode())) == []
