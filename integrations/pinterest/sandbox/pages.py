"""Render the sandbox's own pages, apart from the templates and settings of whoever runs it."""

from functools import cache
from pathlib import Path
from typing import Any

from django.http import HttpResponse
from django.template import Context, Engine

HERE = Path(__file__).parent


@cache
def engine() -> Engine:
    """Return the engine that knows the sandbox's templates only."""
    return Engine(dirs=[str(HERE / "templates")], autoescape=True)


def render(template: str, values: dict[str, Any], *, status: int = 200) -> HttpResponse:
    """Return a page."""
    context = Context(values, use_l10n=False, use_tz=False)
    return HttpResponse(engine().get_template(f"sandbox/{template}").render(context), status=status)
