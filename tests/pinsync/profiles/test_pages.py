"""The audience pages, as Alice (Admin), Bob (Viewer) and Charlie (an outsider) see them."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from canvas.models import Canvas
from pinsync.profiles import tasks
from pinsync.profiles.models import Import, Profile, Segment
from pinsync.profiles.panels import register
from pinsync.workspaces.home import Panel
from pinsync.workspaces.models import Member, Role, User, Workspace

Add = Callable[..., Profile]
Take = Callable[..., Import]
IDFA = "a3ea284d-3bd0-4346-84e5-5160320094ea"


def signed_in(workspace: Workspace | None, name: str, role: Role | None = None) -> Client:
    user = User.objects.create_user(f"{name}@example.com", is_staff=True, is_superuser=True)
    if workspace and role:
        Member.objects.create(workspace=workspace, user=user, role=role)
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def alice(workspace: Workspace) -> Client:
    return signed_in(workspace, "alice", Role.ADMIN)


@pytest.fixture
def bob(workspace: Workspace) -> Client:
    return signed_in(workspace, "bob", Role.VIEWER)


def page(client: Client, path: str, status: int = 200) -> str:
    response = client.get(f"/w/brand/{path}")
    assert response.status_code == status
    return b"".join(response).decode()


def test_empty_pages_say_what_to_do_first(alice: Client, bob: Client) -> None:
    assert "Import a CSV file of your customers" in page(alice, "profiles/")
    assert "An Editor of this workspace can import them" in page(bob, "profiles/")
    assert "No segments yet" in page(alice, "segments/")
    assert "No imports yet" in page(alice, "imports/")


def test_the_list_goes_on_page_by_page(alice: Client, take: Take) -> None:
    take("external_id\n" + "".join(f"user-{n:03}\n" for n in range(120)))
    seen = []
    path = "profiles/"
    while path:
        response = alice.get(f"/w/brand/{path}")
        seen += [profile.external_id for profile in response.context["profiles"]]
        path = f"profiles/?before={response.context['older']}" if response.context["older"] else ""
    assert seen == [f"user-{n:03}" for n in reversed(range(120))]
    assert "user-119" in page(alice, "profiles/?before=nonsense")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("user-1", ["user-1"]),
        ("user-", ["user-1", "user-2", "user-3"]),
        (" ANN@Example.com", ["user-3", "user-1"]),
        ("ann@example", []),
        ("ser-1", []),
        ("user_1", []),
        ("nobody@example.com", []),
        ("\0", []),
    ],
)
def test_search_by_external_id_or_whole_address(alice: Client, add: Add, text: str, expected: list[str]) -> None:
    add("user-1", "ann@example.com")
    add("user-2", "bob@example.com")
    add("user-3", "Ann@example.com ")
    response = alice.post("/w/brand/profiles/", {"q": text})
    assert [profile.external_id for profile in response.context["profiles"]] == expected


def test_values_are_for_editors(alice: Client, bob: Client, add: Add) -> None:
    profile = add("user-1", "ann@example.com", "N/A", IDFA, city="Seoul")
    full, partial = (page(client, f"profiles/{profile.pk}/") for client in (alice, bob))
    assert all(value in full for value in ("ann@example.com", "N/A", IDFA, "Seoul", "not usable"))
    assert not any(value in partial for value in ("ann@example.com", "N/A", IDFA, "Seoul"))
    assert partial.count("not usable") == 1
    assert "city" in partial


def test_panels_of_other_apps_show_on_a_users_page(alice: Client, add: Add) -> None:
    profile = add("user-1")
    register("test", lambda one: Panel("components/empty.html", {"user": one.pk}) if one.pk == profile.pk else None)
    assert alice.get(f"/w/brand/profiles/{profile.pk}/").context["panels"][-1].context == {"user": profile.pk}


@pytest.mark.parametrize(
    "path", ["profiles/{profile}/", "imports/{run}/", "imports/{run}/progress/", "segments/{segment}/"]
)
def test_other_workspaces_are_not_there(alice: Client, add: Add, take: Take, path: str) -> None:
    other = Workspace.objects.create(name="Other", slug="other")
    run, profile = take("external_id\n1\n"), add("2")
    segment = Segment.objects.create(workspace=other, name="Theirs")
    Import.objects.update(workspace=other)
    Profile.objects.update(workspace=other)
    page(alice, path.format(profile=profile.pk, run=run.pk, segment=segment.pk), 404)


def test_an_upload_is_imported_shown_and_its_problems_downloadable(
    alice: Client, bob: Client, settings: Any, tmp_path: Any, django_capture_on_commit_callbacks: Any
) -> None:
    settings.MEDIA_ROOT = tmp_path
    upload = SimpleUploadedFile("customers.csv", b"external_id,=cmd\n1,x\n2,x,x\n3," + b"x" * 2001 + b"\n")
    with django_capture_on_commit_callbacks(execute=True):
        response = alice.post("/w/brand/imports/", {"file": upload})
    run = Import.objects.get()
    assert response.headers["Location"] == f"/w/brand/imports/{run.pk}/"
    assert "Waiting for a worker" in page(bob, f"imports/{run.pk}/")
    assert "HX-Refresh" not in alice.get(f"/w/brand/imports/{run.pk}/progress/").headers
    tasks.continue_import(run.pk)
    assert alice.get(f"/w/brand/imports/{run.pk}/progress/").headers["HX-Refresh"] == "true"
    assert "3 cells instead of 2." in page(bob, f"imports/{run.pk}/")
    assert page(bob, f"imports/{run.pk}/problems.csv").splitlines() == [
        "\ufeffLine,Reason",
        "3,3 cells instead of 2.",
        "4,“=cmd” is longer than 2000 characters.",
    ]
    assert "customers.csv" in page(alice, "imports/")


def test_problems_are_listed_page_by_page(alice: Client, take: Take) -> None:
    run = take("external_id,a\n" + "bad\n" * 120)
    lines = []
    after = 0
    while after is not None:
        context = alice.get(f"/w/brand/imports/{run.pk}/?after={after}").context
        lines += [problem.line for problem in context["problems"]]
        after = context["more"]
    assert lines == list(range(2, 122))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"\x89PNG", "This is no text file"),
        (b"", "The file is empty."),
        (b"name\nAnn\n", "one of them must be external_id or email"),
        (b"external_id,external_id\n", "The column “external_id” is there twice."),
    ],
)
def test_a_file_that_cannot_be_imported_is_refused_beside_its_field(
    alice: Client, content: bytes, sentence: str
) -> None:
    response = alice.post("/w/brand/imports/", {"file": SimpleUploadedFile("x.csv", content)})
    assert response.status_code == 422
    assert sentence in response.content.decode()
    assert not Import.objects.exists()


RULE = {"g0-r0-field": "attribute:city", "g0-r0-operator": "text.equals", "g0-r0-value": "Seoul"}


def test_a_segment_is_made_changed_and_deleted(alice: Client, add: Add) -> None:
    add("1", city="Seoul")
    posted = {"name": "Seoul", "match": "all", "g0-match": "all", **RULE}
    assert alice.post("/w/brand/segments/new/", posted).status_code == 302
    segment = Segment.objects.get()
    assert segment.filters["groups"][0]["rules"] == [
        {"field": "attribute:city", "operator": "text.equals", "value": "Seoul"}
    ]
    assert "city is Seoul" in page(alice, "segments/")
    assert 'value="Seoul"' in page(alice, f"segments/{segment.pk}/")
    alice.post(f"/w/brand/segments/{segment.pk}/", {**posted, "name": "Korea", "g0-r0-operator": "text.not_blank"})
    segment.refresh_from_db()
    assert (segment.name, segment.filters["groups"][0]["rules"][0]["operator"]) == ("Korea", "text.not_blank")
    alice.post(f"/w/brand/segments/{segment.pk}/delete/")
    assert not Segment.objects.exists()


def test_mistakes_in_a_segment_stand_beside_their_rule(alice: Client) -> None:
    Segment.objects.create(workspace=Workspace.objects.get(), name="Taken")
    posted = {"name": "Taken", "match": "all", "g0-match": "all", **RULE}
    assert "There is a segment of that name already." in alice.post("/w/brand/segments/new/", posted).content.decode()
    answer = alice.post("/w/brand/segments/new/", {**posted, "g0-r0-value": " "})
    assert (answer.status_code, "Fill in a value." in answer.content.decode()) == (422, True)


def test_rows_come_and_go(alice: Client, add: Add) -> None:
    add("1", city="Seoul", orders=3)

    def rules(do: str, **posted: str) -> list[list[str]]:
        answer = alice.post("/w/brand/segments/rules/", {"match": "all", "g0-match": "all", "do": do, **posted})
        return [[f"{row.field} {row.operator}".strip() for row in group["rows"]] for group in answer.context["groups"]]

    assert rules("add:0", **RULE) == [["attribute:city text.equals", ""]]
    assert rules("remove:0:0", **RULE) == [[]]
    assert rules("group:0", **RULE) == [["attribute:city text.equals"], [""]]
    assert rules("ungroup:0", **RULE) == []
    assert rules("field:0:0", **{"g0-r0-field": "attribute:orders"}) == [["attribute:orders number.greater"]]
    assert rules("field:0:0", **{"g0-r0-field": "gaid"}) == [["gaid match.present"]]
    assert rules("remove:7:7", **RULE) == rules("", **RULE) == [["attribute:city text.equals"]]


def test_the_count_follows_the_rows(alice: Client, add: Add) -> None:
    add("1", "ann@example.com", city="Seoul")
    add("2", city="Berlin")
    posted = {"match": "all", "g0-match": "all", **RULE}
    counted = alice.post("/w/brand/segments/count/", posted)
    assert counted.context["coverage"] == {"total": 1, "email": 1, "idfa": 0, "gaid": 0}
    unfinished = alice.post("/w/brand/segments/count/", {**posted, "g0-r0-value": ""})
    assert "Fill in a value." in unfinished.content.decode()


def test_viewers_read_segments(bob: Client, add: Add) -> None:
    add("1", city="Seoul")
    rule = {"field": "attribute:city", "operator": "text.not_blank"}
    segment = Segment.objects.create(
        workspace=Workspace.objects.get(), name="All", filters={"match": "all", "groups": [{"rules": [rule]}]}
    )
    assert "city is not blank" in page(bob, f"segments/{segment.pk}/")
    assert "name=" not in page(bob, f"segments/{segment.pk}/").partition("<main")[2]
    page(bob, "segments/new/", 403)


def test_a_segment_in_use_is_not_deleted(alice: Client, workspace: Workspace) -> None:
    segment = Segment.objects.create(workspace=workspace, name="Used")
    Canvas.objects.create(workspace=workspace, name="Winter", segment=segment)
    answer = alice.post(f"/w/brand/segments/{segment.pk}/delete/", follow=True)
    assert "The segment is used by “Winter” and cannot be deleted." in answer.content.decode()
    assert Segment.objects.exists()


def test_staff_find_users_without_seeing_addresses(alice: Client, add: Add, take: Take) -> None:
    profile = add("user-1", "ann@example.com")
    take("external_id,a\nx\n")
    for model in ("import", "importproblem", "profile", "segment"):
        assert alice.get(f"/admin/profiles/{model}/").status_code == 200
        assert alice.get(f"/admin/profiles/{model}/add/").status_code == 403
    listed = alice.get("/admin/profiles/profile/?q=user-1&usable=email").content.decode()
    assert f"/admin/profiles/profile/{profile.pk}/change/" in listed
    assert "ann@" not in listed
    assert "1 profile" in alice.get(f"/admin/profiles/profile/?q={profile.email_record}").content.decode()
    assert alice.get(f"/admin/profiles/profile/{profile.pk}/change/").status_code == 200
