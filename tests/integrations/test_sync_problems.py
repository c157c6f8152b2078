"""What keeps a sync from working, as sentences for whoever can mend it."""

import pytest

from integrations import audiences, usage
from integrations.models import AdAccount, Audience, AudienceSync, Connection


@pytest.fixture
def sync(shop, ad_account, now) -> AudienceSync:
    audience = audiences.create(ad_account, "Winter buyers", "", now)
    return AudienceSync.objects.create(
        workspace=shop, partner="pinterest", ad_account=ad_account, audience=audience, match_fields=1
    )


def said(sync) -> list[str]:
    return [problem.text for problem in audiences.problems(AudienceSync.objects.get(pk=sync.pk))]


def test_a_complete_sync_has_no_problem(sync):
    assert said(sync) == []


@pytest.mark.parametrize(
    ("model", "fields", "sentence"),
    [
        (AudienceSync, {"partner": ""}, "Choose a partner."),
        (AudienceSync, {"partner": "gone"}, "Choose a partner."),
        (AudienceSync, {"match_fields": 0}, "Choose at least one field to match on."),
        (AudienceSync, {"audience": None}, "Choose an audience, or create one."),
        (Connection, {"state": "broken"}, "Pinterest refuses the token. Reconnect."),
        (Connection, {"state": "disconnected"}, "Pinterest is not connected. Connect it."),
        (
            AdAccount,
            {"state": "available"},
            "The ad account “Maple & Moss US” is not connected. Add it on the partner page.",
        ),
        (
            AdAccount,
            {"may_write": False},
            "The connected person may not manage audiences in the ad account “Maple & Moss US”. Ask its admin.",
        ),
        (
            Audience,
            {"state": "gone"},
            "The audience “Winter buyers” does not exist any more. Recreate it, or choose another one.",
        ),
        (
            Audience,
            {"state": "failed"},
            "The audience “Winter buyers” could not be created. Try again, or choose another one.",
        ),
        (Audience, {"state": "creating"}, "The audience “Winter buyers” is still being created. Wait a minute."),
    ],
)
def test_each_problem_is_a_sentence(sync, ad_account, model, fields, sentence):
    rows = model.objects.filter(pk=ad_account.pk) if model is AdAccount else model.objects.all()
    rows.update(**fields)
    assert said(sync) == [sentence]


def test_an_empty_sync_says_everything_at_once(shop):
    sync = AudienceSync.objects.create(workspace=shop, partner="pinterest")
    problems = audiences.problems(sync)
    assert [problem.text for problem in problems] == [
        "Pinterest is not connected. Connect it.",
        "Choose an ad account.",
        "Choose an audience, or create one.",
        "Choose at least one field to match on.",
    ]
    assert problems[0].url == "/w/shop/partners/pinterest/"


def test_usage_is_asked_of_whoever_registered(sync, connection, ad_account, monkeypatch):
    monkeypatch.setattr(usage, "_sources", [])
    used = usage.Usage("Welcome", "/w/shop/canvas/1/", True)
    old = usage.Usage("Old", "/w/shop/canvas/2/", False)
    usage.register(lambda ids: [old, used] if sync.pk in ids else [])
    for thing in (connection, ad_account, sync.audience):
        assert usage.of(thing) == [used, old]
    other = connection.ad_accounts.exclude(pk=ad_account.pk).first()
    assert usage.of(other) == []
