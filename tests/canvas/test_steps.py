"""Kinds of steps: found by themselves, and what each says and asks."""

import sys
from datetime import timedelta

import pytest

from canvas import editing, journeys, steps
from canvas.models import Canvas, Step, StepTotals
from canvas.steps import kind_of, kinds
from canvas.steps.delay import DelayForm
from integrations.models import AudienceSync
from tests.canvas.conftest import HOUR, NOON, add, people

pytestmark = pytest.mark.django_db

NEW_KIND = """
from django import forms
from canvas.steps.base import PassingKind


class Note(PassingKind):
    slug = "note"
    label = default_name = "Note"
    icon = "mail"
    description = "Counts who came through."
    editor_button = "Edit"
    menu_order = 30

    def form(self, step, data=None):
        return forms.Form(data)

    def problems(self, step):
        return []

    def summary(self, step):
        return [("Seen", str(step.settings.get("seen", 0)))]

    def receive(self, step, profiles, *, now):
        step.settings["seen"] = profiles.count()
        step.save(update_fields=["settings"])


kind = Note()
"""


def test_the_component_menu_is_in_order():
    assert list(kinds()) == ["audience_sync", "delay"]
    assert [kind_of(Step(kind=slug)).slug for slug in kinds()] == ["audience_sync", "delay"]


def test_a_new_kind_is_one_new_file(tmp_path, monkeypatch, canvas, workspace, client, erin):
    (tmp_path / "note.py").write_text(NEW_KIND)
    monkeypatch.setattr(steps, "__path__", [*steps.__path__, str(tmp_path)])
    kinds.cache_clear()
    try:
        assert list(kinds()) == ["audience_sync", "delay", "note"]
        client.force_login(erin)
        client.post(f"/w/shop/canvas/{canvas.pk}/steps/add/", {"kind": "note"})
        Canvas.objects.update(state=Canvas.State.ACTIVE, launched_at=NOON)
        journeys.enter(canvas, people(workspace, 3), source="api", now=NOON)
        page = client.get(f"/w/shop/canvas/{canvas.pk}/").content.decode()
        assert "<dt>Seen</dt><dd>3</dd>" in page
        assert client.get(f"/w/shop/canvas/{canvas.pk}/steps/{canvas.steps.get().pk}/").status_code == 200
    finally:
        sys.modules.pop("canvas.steps.note", None)
        kinds.cache_clear()


@pytest.mark.parametrize(
    ("amount", "unit", "said", "length"),
    [
        (1, "minutes", "1 minute", timedelta(minutes=1)),
        (36, "hours", "36 hours", timedelta(hours=36)),
        (3, "days", "3 days", timedelta(days=3)),
        (2, "weeks", "2 weeks", timedelta(weeks=2)),
    ],
)
def test_a_delay_says_how_long_it_waits(canvas, amount, unit, said, length):
    step = add(canvas, "delay", amount=amount, unit=unit)
    assert [value for _label, value in kinds()["delay"].summary(step)] == [said]
    assert kinds()["delay"].wait_until(step, now=NOON) == NOON + length


@pytest.mark.parametrize(
    ("amount", "unit", "fits"),
    [(0, "days", False), (-1, "days", False), (366, "days", True), (367, "days", False), (53, "weeks", False)],
)
def test_a_delay_is_a_year_at_most(canvas, amount, unit, fits):
    form = DelayForm(add(canvas, "delay"), {"name": "Wait", "amount": amount, "unit": unit})
    assert form.is_valid() is fits
    assert list(form.errors) == ([] if fits else ["amount"])


def test_a_changed_delay_counts_for_those_who_arrive_later(canvas, workspace):
    step = add(canvas, "delay", amount=1, unit="hours")
    Canvas.objects.update(state=Canvas.State.ACTIVE)
    journeys.enter(canvas, people(workspace, 1), source="api", now=NOON)
    form = DelayForm(step, {"name": "Longer", "amount": 5, "unit": "hours"})
    assert form.is_valid()
    form.save()
    journeys.enter(canvas, people(workspace, 1, start=1), source="api", now=NOON)
    assert journeys.advance_due(NOON + HOUR) == 1
    assert journeys.advance_due(NOON + 5 * HOUR) == 1


def names(canvas):
    return list(Step.objects.filter(canvas=canvas).values_list("position", "name"))


def test_steps_are_added_between_others_moved_and_deleted(canvas):
    first = editing.add_step(canvas, "audience_sync")
    second = editing.add_step(canvas, "delay")
    between = editing.add_step(canvas, "delay", position=2)
    assert names(canvas) == [(1, "Audience Sync"), (2, "Delay 2"), (3, "Delay")]
    editing.move_step(between, by=-1)
    editing.move_step(between, by=-1)  # it is the first already
    assert names(canvas) == [(1, "Delay 2"), (2, "Audience Sync"), (3, "Delay")]
    editing.move_step(between, by=1)
    editing.move_step(second, by=1)  # the last already
    assert names(canvas) == [(1, "Audience Sync"), (2, "Delay 2"), (3, "Delay")]
    editing.delete_step(Step.objects.get(pk=first.pk))
    assert names(canvas) == [(1, "Delay 2"), (2, "Delay")]
    assert AudienceSync.objects.count() == 0
    assert StepTotals.objects.count() == 2


def test_the_journey_of_a_launched_canvas_stays_as_it_is(running):
    step = running.steps.get()
    for change in (
        lambda: editing.add_step(running, "delay"),
        lambda: editing.move_step(step, by=1),
        lambda: editing.delete_step(step),
    ):
        with pytest.raises(editing.NotDraft):
            change()
    assert names(running) == [(1, "Audience Sync")]
