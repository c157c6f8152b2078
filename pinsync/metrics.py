"""`/metrics` for Prometheus: figures of the whole installation, for whoever has the token.

Apps hand in where their figures come from (`register`). Labels are ids and codes, never names or addresses.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.conf import settings
from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

log = logging.getLogger("pinsync.health")

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True)
class Sample:
    value: float | int
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Gauge:
    """A figure as it is now; `help` is one sentence. Without samples nothing is known."""

    name: str
    help: str
    samples: list[Sample]


Source = Callable[[datetime], Iterable[Gauge]]
_sources: dict[str, Source] = {}


def register(name: str, source: Source) -> None:
    """Ask `source(now)` on every scrape. It must be cheap, whatever the tables hold."""
    _sources[name] = source


@require_safe
@never_cache
def scrape(request: HttpRequest) -> HttpResponse:
    """Answer with all figures; 404 where no token is set, 401 without the right one."""
    if not settings.METRICS_TOKEN:
        raise Http404
    if not _may(request):
        response = HttpResponse("unauthorized\n", content_type="text/plain", status=401)
        response["WWW-Authenticate"] = "Bearer"
        return response
    now = timezone.now()
    try:
        lines = [line for source in _sources.values() for gauge in source(now) for line in _lines(gauge)]
    except DatabaseError as error:
        log.warning("database away", extra={"problem": type(error).__name__})
        return HttpResponse("database\n", content_type="text/plain", status=503)
    return HttpResponse("".join(f"{line}\n" for line in lines), content_type=CONTENT_TYPE)


def _may(request: HttpRequest) -> bool:
    scheme, _blank, token = request.headers.get("Authorization", "").partition(" ")
    return constant_time_compare(token.strip(), settings.METRICS_TOKEN) and scheme.lower() == "bearer"


def _lines(gauge: Gauge) -> Iterator[str]:
    yield f"# HELP {gauge.name} {gauge.help}"
    yield f"# TYPE {gauge.name} gauge"
    for sample in gauge.samples:
        labels = ",".join(f'{name}="{_escaped(value)}"' for name, value in sample.labels.items())
        value = sample.value if isinstance(sample.value, int) else round(sample.value, 3)
        yield f"{gauge.name}{{{labels}}} {value}" if labels else f"{gauge.name} {value}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
