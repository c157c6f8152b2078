"""The walls: who may import whom, and the few habits that a machine can hold.

Every rule is a function from a Module to sentences; each is shown to bite on a few lines of its own before the
real files are looked at.
"""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OURS = ("pinsync", "integrations", "canvas")
LINES = 400


@dataclass(frozen=True)
class Module:
    """One Python file: its path from the root of the clone, and its text."""

    path: str
    source: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.source, self.path)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        return list(ast.walk(self.tree))

    @property
    def name(self) -> str:
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @property
    def package(self) -> list[str]:
        parts = self.path.removesuffix(".py").split("/")
        return parts[:-1]

    def imports(self) -> Iterator[tuple[int, str]]:
        """Yield line and full dotted name of everything imported, relative imports resolved."""
        for node in self.nodes:
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                up = self.package[: len(self.package) - node.level + 1] if node.level else []
                base = ".".join([*up, *([node.module] if node.module else [])])
                yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def within(name: str, room: str) -> bool:
    return name == room or name.startswith(f"{room}.")


@dataclass(frozen=True)
class Room:
    """A row of the table: files whose names start with one of `names`, what of ours they may import, what to do."""

    names: tuple[str, ...]
    may: tuple[str, ...]
    never: tuple[str, ...]
    instead: str

    def wall(self, imported: str) -> bool:
        """Return whether a wall stands between this room and `imported`; the longest name that fits decides."""
        if not any(within(imported, ours) for ours in OURS):
            return False
        allowed = max((len(room) for room in self.may if within(imported, room)), default=0)
        refused = max((len(room) for room in self.never if within(imported, room)), default=0)
        return allowed <= refused


# The most particular room first: a file belongs to the first that fits.
ROOMS = (
    Room(
        ("integrations.management.commands.pinterest_sandbox", "integrations.pinterest.sandbox"),
        may=("integrations.pinterest.sandbox",),
        never=(),
        instead="The sandbox imports Python, Django and itself: it must not know what talks to it.",
    ),
    Room(
        ("integrations.pinterest",),
        may=("integrations.contract", "integrations.errors", "integrations.pinterest"),
        never=("integrations.pinterest.sandbox",),
        instead="A partner takes and gives plain values (contract/); let its caller read models and pass values in.",
    ),
    Room(
        ("integrations",),
        may=("integrations", "pinsync"),
        never=("integrations.pinterest", "canvas"),
        instead="Ask a partner through registry.partner(slug), and let canvas register what it wants to be asked.",
    ),
    Room(
        ("canvas",),
        may=("canvas", "integrations", "pinsync"),
        never=("integrations.pinterest",),
        instead="Use what integrations offers for every partner.",
    ),
    Room(
        ("pinsync.workspaces",),
        may=("pinsync",),
        never=("pinsync.profiles",),
        instead="Workspaces stand below everything; move the code up to the app that knows both.",
    ),
    Room(
        ("pinsync",),
        may=("pinsync",),
        never=(),
        instead="The project and its two apps carry the house; move the code up to the app that knows both.",
    ),
)


def walls(module: Module) -> Iterator[str]:
    room = next(room for room in ROOMS if any(within(module.name, name) for name in room.names))
    for line, imported in module.imports():
        if room.wall(imported):
            yield f"{module.path}:{line} imports {imported}. {room.instead}"


def paths_in_strings(module: Module) -> Iterator[str]:
    """A dotted path in a string is an import in disguise: import_string, apps.get_model, ForeignKey("…").

    Settings and URL conf, which put the house together, are the project's own and outside its two apps.
    """
    room = next(room for room in ROOMS if any(within(module.name, name) for name in room.names))
    if not module.name.startswith(("pinsync.workspaces", "pinsync.profiles", "integrations", "canvas")):
        return
    for node in module.nodes:
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            continue
        path = node.value
        if re.fullmatch(r"(pinsync|integrations|canvas)(\.\w+)+", path) and room.wall(path) and _is_code(path):
            yield f"{module.path}:{node.lineno} names {path} in a string. {room.instead}"


def _is_code(path: str) -> bool:
    """Return whether a path is a module of ours, something in it, or a model; "canvas.launched" is neither."""
    parts = path.split(".")
    if len(parts) == 2 and parts[1][0].isupper():
        return True
    return any(
        (ROOT / "/".join(parts[:length])).is_dir() or (ROOT / ("/".join(parts[:length]) + ".py")).is_file()
        for length in range(2, len(parts) + 1)
    )


def private_names(module: Module) -> Iterator[str]:
    """Names with an underscore belong to the file they stand in."""
    for node in module.nodes:
        if isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").split(".")[0] in OURS):
            for alias in node.names:
                if alias.name.startswith("_"):
                    yield f"{module.path}:{node.lineno} imports {alias.name}. Make it public there, or do without."


def imports_inside(module: Module) -> Iterator[str]:
    """Imports stand at the top: one inside a function hides a knot. Only AppConfig.ready has to import late."""
    ready = {
        node
        for function in module.nodes
        if isinstance(function, ast.FunctionDef) and function.name == "ready" and module.path.endswith("/apps.py")
        for node in ast.walk(function)
    }
    for function in module.nodes:
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.Import | ast.ImportFrom) and node not in ready:
                    yield f"{module.path}:{node.lineno} imports inside {function.name}(). Untie the knot instead."


def partner_in_canvas(module: Module) -> Iterator[str]:
    if module.path.startswith("canvas/"):
        for number, line in enumerate(module.source.splitlines(), 1):
            if "pinterest" in line.lower():
                yield f"{module.path}:{number} speaks of Pinterest. Canvas knows partners by slug and contract only."


def too_long(module: Module) -> Iterator[str]:
    lines = len(module.source.splitlines())
    if lines > LINES:
        yield f"{module.path} has {lines} lines, more than {LINES}. Give each noun a file of its own."


def models_without_docstring(module: Module) -> Iterator[str]:
    for node in module.nodes:
        if (
            isinstance(node, ast.ClassDef)
            and any(ast.unparse(base) in ("models.Model", "Model", "AbstractUser") for base in node.bases)
            and not ast.get_docstring(node)
        ):
            yield f"{module.path}:{node.lineno} {node.name} has no docstring. Say in two lines what one row stands for."


def swallowed(module: Module) -> Iterator[str]:
    """`except Exception: pass` and its like lose what went wrong."""
    for node in module.nodes:
        if isinstance(node, ast.ExceptHandler):
            everything = node.type is None or ast.unparse(node.type) in ("Exception", "BaseException")
            if everything and all(isinstance(line, ast.Pass | ast.Continue) for line in node.body):
                yield f"{module.path}:{node.lineno} swallows every error. Catch what you expect and say why it is fine."


RULES: tuple[Callable[[Module], Iterator[str]], ...] = (
    walls,
    paths_in_strings,
    private_names,
    imports_inside,
    partner_in_canvas,
    too_long,
    models_without_docstring,
    swallowed,
)


@cache
def modules() -> list[Module]:
    """Return the house, read once: every rule looks at all of it."""
    return [
        Module(path.relative_to(ROOT).as_posix(), path.read_text())
        for app in OURS
        for path in sorted((ROOT / app).rglob("*.py"))
        if "migrations" not in path.parts
    ]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_keeps(rule):
    found = [sentence for module in modules() for sentence in rule(module)]
    assert not found, "\n" + "\n".join(found)


def test_the_house_is_looked_at():
    """A rule over no files holds for ever."""
    names = {module.name for module in modules()}
    assert names >= {"pinsync.settings", "pinsync.profiles.matching", "integrations.contract", "canvas.journeys"}
    assert len(names) > 60


@pytest.mark.parametrize("path", sorted((ROOT / "tests").rglob("*.py")), ids=lambda path: path.name)
def test_tests_are_not_longer_than_code(path):
    assert list(too_long(Module(path.relative_to(ROOT).as_posix(), path.read_text()))) == []


PARTNER = "integrations/pinterest/partner.py"
SANDBOX = "integrations/pinterest/sandbox/world.py"


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("pinsync/workspaces/access.py", "from integrations.models import Connection"),
        ("pinsync/workspaces/access.py", "from pinsync.profiles.models import Profile"),
        ("pinsync/workspaces/access.py", "from ..profiles import models"),
        ("pinsync/profiles/segments.py", "import canvas.models"),
        ("pinsync/profiles/segments.py", "from integrations import usage"),
        ("pinsync/health.py", "from integrations.models import Heartbeat"),
        ("integrations/connecting.py", "from canvas.models import Canvas"),
        ("integrations/connecting.py", "from integrations.pinterest.client import Client"),
        ("integrations/connecting.py", "from integrations import pinterest"),
        ("integrations/delivery/sending.py", "from ..pinterest import client"),
        ("integrations/management/commands/worker.py", "import integrations.pinterest.sandbox.world"),
        (PARTNER, "from integrations.models import Connection"),
        (PARTNER, "from pinsync.workspaces.models import Workspace"),
        (PARTNER, "from pinsync.profiles.matching import MatchField"),
        (PARTNER, "from integrations.pinterest.sandbox.facts import APP_ID"),
        (PARTNER, "from .sandbox import facts"),
        (PARTNER, "from canvas import journeys"),
        (SANDBOX, "from integrations.pinterest.limits import USERS_PER_REQUEST"),
        (SANDBOX, "from pinsync.env import env_str"),
        (SANDBOX, "from integrations.contract import Tokens"),
        ("integrations/management/commands/pinterest_sandbox.py", "from integrations.models import Connection"),
        ("canvas/steps/audience_sync.py", "from integrations.pinterest.limits import USERS_PER_REQUEST"),
        ("canvas/simulator.py", "if True:\n    import integrations.pinterest"),
    ],
)
def test_a_wall_stands(path, source):
    assert len(list(walls(Module(path, source)))) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("pinsync/profiles/segments.py", "from pinsync.workspaces.models import Workspace"),
        ("pinsync/workspaces/access.py", "import json\nfrom django.db import models\nfrom . import audit"),
        (
            "integrations/connecting.py",
            "from pinsync.profiles.models import Import\nfrom integrations import registry",
        ),
        (PARTNER, "from integrations.contract import AudiencePartner\nfrom .client import Client\nimport requests"),
        (SANDBOX, "from .records import Records\nfrom django.http import HttpRequest"),
        ("integrations/management/commands/pinterest_sandbox.py", "from integrations.pinterest.sandbox import facts"),
        (
            "canvas/journeys.py",
            "from integrations.delivery import entering\nfrom pinsync.profiles import models",
        ),
        ("pinsync/urls.py", "from pinsync.workspaces import home"),
    ],
)
def test_a_door_is_open(path, source):
    assert list(walls(Module(path, source))) == []


@pytest.mark.parametrize(
    ("rule", "path", "bad", "good"),
    [
        (
            paths_in_strings,
            "integrations/usage.py",
            'import_string("integrations.pinterest.partner.Pinterest")',
            'record(workspace, "canvas.launched")',
        ),
        (paths_in_strings, "integrations/models/delivery.py", 'key("canvas.Step")', 'key("integrations.Batch")'),
        (paths_in_strings, "pinsync/profiles/tasks.py", 'task("integrations.contract.Tokens")', 'task("a.b")'),
        (private_names, "canvas/x.py", "from integrations.contract import _x", "from canvas.models import Canvas"),
        (
            imports_inside,
            "canvas/x.py",
            "def run():\n    from canvas import y",
            "from canvas import y\ndef run():\n    y.run()",
        ),
        (imports_inside, "canvas/x.py", "def ready():\n    import y", "import y"),
        (
            imports_inside,
            "canvas/apps.py",
            "class C:\n    async def f(self):\n        import y",
            "class C:\n    def ready(self):\n        import y",
        ),
        (partner_in_canvas, "canvas/x.py", "# as PINTEREST wants it", "# as the partner wants it"),
        (too_long, "canvas/x.py", "\n" * 401, "\n" * 400),
        (
            models_without_docstring,
            "canvas/models/x.py",
            "class X(models.Model):\n    a = 1",
            'class X(models.Model):\n    """One x."""',
        ),
        (
            swallowed,
            "canvas/x.py",
            "try:\n    run()\nexcept Exception:\n    pass",
            "try:\n    run()\nexcept KeyError:\n    pass  # nobody asked",
        ),
    ],
)
def test_a_rule_bites(rule, path, bad, good):
    assert len(list(rule(Module(path, bad)))) == 1
    assert list(rule(Module(path, good))) == []
