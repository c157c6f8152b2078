"""What is kept of a task that failed: the type of its exception and the places it went through, none of its text.

django-q2 writes an exception's text into the log and into its table, and a database's exception contains the row that
it refused. Its signal comes before both.
"""

import re
import sys
from typing import Any

from django_q.signals import post_execute_in_worker

from pinsync.logs import place

FRAME = re.compile(r'^  File "([^"\n]+)", line (\d+), in ([\w<>.]+)$', re.MULTILINE)
KIND = re.compile(r"^([A-Za-z_][\w.]*)(?::|$)", re.MULTILINE)


def without_text(result: str) -> str:
    """Return what may be kept of a task's formatted traceback."""
    kinds = [kind for kind in KIND.findall(result) if _is_exception(kind)]
    frames = [f"{place(path)}:{line} {name}" for path, line, name in FRAME.findall(result)]
    return f"{kinds[-1] if kinds else 'Exception'} [{' > '.join(frames)}]"


def _is_exception(name: str) -> bool:
    """Return whether this is the name of a kind of exception: nothing else on such a line is kept."""
    module, _dot, kind = name.rpartition(".")
    found = getattr(sys.modules.get(module or "builtins"), kind, None)
    return isinstance(found, type) and issubclass(found, BaseException)


def _keep_no_text(task: dict[str, Any], **kwargs: object) -> None:
    if not task.get("success", True):
        task["result"] = without_text(str(task["result"]))


def install() -> None:
    """Look at every task of this process before its result is written down."""
    post_execute_in_worker.connect(_keep_no_text, dispatch_uid="pinsync.failures")
