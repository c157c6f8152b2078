"""The sandbox knows nothing of Pinsync: only Python's library and Django."""

import ast
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[4]
SANDBOX = REPOSITORY / "integrations" / "pinterest" / "sandbox"
PACKAGE = "integrations.pinterest.sandbox"
ONLY_FOR_TESTS = {"requests", "responses"}  # testing.py


def imported_by(path: Path) -> set[str]:
    """Every module that a file imports, by its full name."""
    package = ".".join(path.relative_to(REPOSITORY).with_suffix("").parts[:-1]).split(".")
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            names.add(".".join([*base, *([node.module] if node.module else [])]))
    return names


def test_it_imports_python_and_django_only() -> None:
    for path in SANDBOX.rglob("*.py"):
        allowed = {"django", *(ONLY_FOR_TESTS if path.name == "testing.py" else ())}
        for name in imported_by(path):
            root = name.partition(".")[0]
            is_own = name == PACKAGE or name.startswith(f"{PACKAGE}.")
            assert is_own or root in sys.stdlib_module_names or root in allowed, f"{path.name} imports {name}"


def test_it_runs_without_the_project() -> None:
    """No setting, database or app of Pinsync is needed, and `responses` only where tests import it."""
    code = (
        "import sys; from django.conf import settings; settings.configure();"
        f"from {PACKAGE} import sandbox, server;"
        "status = sandbox.Sandbox().answer('GET', '/')[0];"
        "print(status, [name for name in sys.modules if name.split('.')[0] in ('pinsync', 'canvas', 'responses')])"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert ended.stdout == "200 []\n"
