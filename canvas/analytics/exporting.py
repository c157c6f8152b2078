"""A Canvas' figures as CSV and JSON: all steps now, and what happened in each minute."""

import json
from collections.abc import Iterator
from datetime import datetime
from itertools import chain
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from canvas.analytics.figures import METRICS, StepFigures, figures_of
from canvas.analytics.history import Bucket, History, minutes
from canvas.models import Canvas, Step
from integrations.models import SyncMinute
from pinsync.spreadsheets import csv_lines

MINUTE_FIGURES = ("entered", "synced", "not_synced", "errored")
HISTORY_FIGURES = ("entered", "synced", "not_synced", "pending", "errored")


def figures_json(canvas: Canvas, now: datetime) -> dict[str, Any]:
    return {
        "canvas": {"id": canvas.pk, "name": canvas.name, "state": canvas.state},
        "at": now.isoformat(),
        "steps": [_step(found) for found in figures_of(canvas)],
    }


def figures_csv(canvas: Canvas) -> Iterator[str]:
    """Yield the table's lines: a heading in people's words, one line a step, blank where a kind has no such figure."""
    labels = [str(label) for label in METRICS.values()]
    rows = [[_("Step ID"), _("Position"), _("Step"), _("Kind"), *labels, pgettext("users in a delay", "Waiting")]]
    for found in figures_of(canvas):
        step = found.step
        values = ["" if figure is None else str(figure.value) for figure in found.columns]
        rows.append([str(step.pk), str(step.position), step.name, step.kind, *values])
    return csv_lines(rows)


def history_json(step: Step, found: History) -> dict[str, Any]:
    """Return what a step's chart shows: each unit of time, and how many were pending at its end."""
    return {
        "canvas": {"id": step.canvas_id, "name": step.canvas.name},
        "step": {"id": step.pk, "name": step.name},
        "from": found.range.began.isoformat(),
        "to": found.range.ended.isoformat(),
        "seconds_each": found.range.seconds,
        "pending_before": found.pending_before,
        "rows": [{"from": bucket.at.isoformat(), **_counts(bucket)} for bucket in found.buckets],
    }


def history_csv(found: History) -> Iterator[str]:
    """Return the lines of what a step's chart shows. The heading is translated here: a stream outlives the language."""
    labels = {**METRICS, "pending": _("Pending at the end")}
    heading = [_("From"), *(str(labels[key]) for key in HISTORY_FIGURES)]
    rows = ([bucket.at.isoformat(), *map(str, _counts(bucket).values())] for bucket in found.buckets)
    return csv_lines(chain([heading], rows))


def minutes_json(canvas: Canvas) -> Iterator[str]:
    """Yield one JSON array in pieces."""
    before = "[\n"
    for step_id, name, row in minutes(canvas):
        line = {"step_id": step_id, "step": name, "minute": row.minute.isoformat(), **_changes(row)}
        yield before + json.dumps(line, ensure_ascii=False)
        before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


def minutes_csv(canvas: Canvas) -> Iterator[str]:
    """Return the lines of all minutes; the last column is by how much the number of pending users changed."""
    labels = [str(METRICS[key]) for key in MINUTE_FIGURES]
    heading = [_("Step ID"), _("Step"), _("Minute"), *labels, _("Pending, change")]
    lines = (
        [str(step_id), name, row.minute.isoformat(), *(str(value) for value in _changes(row).values())]
        for step_id, name, row in minutes(canvas)
    )
    return csv_lines(chain([heading], lines))


def _changes(row: SyncMinute) -> dict[str, int]:
    return {**{key: getattr(row, key) for key in MINUTE_FIGURES}, "pending_change": row.pending}


def _counts(bucket: Bucket) -> dict[str, int]:
    return {key: getattr(bucket, key) for key in HISTORY_FIGURES}


def _step(found: StepFigures) -> dict[str, Any]:
    step = found.step
    return {
        "id": step.pk,
        "position": step.position,
        "name": step.name,
        "kind": step.kind,
        "metrics": found.as_dict(),
    }
