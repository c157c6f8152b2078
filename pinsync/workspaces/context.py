"""What every page shows: the workspace it belongs to and those one can switch to."""

from typing import Any

from django.http import HttpRequest


def workspace(request: HttpRequest) -> dict[str, Any]:
    return {"workspace": getattr(request, "workspace", None), "member": getattr(request, "member", None)}
