"""bin/messages: collect the strings of templates and code into the .po files, and compile them. Standard library only.

The same sources give the same bytes: no line numbers, no time of extraction, no guesses at old translations.
"""

import shutil
import sys
from pathlib import Path

from environment import DEVELOPMENT, PYTHON, check_python, prepare
from foreground import ROOT, Failed, Foreground, main_of
from test import settings_of_tests  # the defaults, whatever this person has set for a server

LANGUAGES = ("ko",)
LOCALE = ROOT / "pinsync" / "locale"
TOOLS = ("xgettext", "msgmerge", "msgattrib", "msgfmt")

# Tests and benchmarks speak to developers. The sandbox stands in for Pinterest and speaks English, as its API does.
LEFT_OUT = ("tests", "var", "staticfiles", ".venv", "bin", "docs", "benchmarks", "sandbox")

COLLECT = """
import sys
import django
django.setup()
from django.core.management import call_command
from django.core.management.commands import makemessages

class Collect(makemessages.Command):
    msgmerge_options = [*makemessages.Command.msgmerge_options, "--no-fuzzy-matching"]

languages, left_out = sys.argv[1].split(","), sys.argv[2].split(",")
options = {"ignore_patterns": left_out, "add_location": "file", "no_wrap": True, "no_obsolete": True}
call_command(Collect(), locale=languages, verbosity=0, **options)
"""


def catalogue(language: str) -> Path:
    return LOCALE / language / "LC_MESSAGES" / "django.po"


def without_time(path: Path) -> None:
    """Take out the time of extraction, which would be the only change of many a commit."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(line for line in lines if not line.startswith('"POT-Creation-Date:')), encoding="utf-8")


def run(foreground: Foreground) -> int:
    """Return 0. Raises Failed or Asked."""
    if missing := [tool for tool in TOOLS if not shutil.which(tool)]:
        raise Failed(
            f"GNU gettext is not complete on this machine: there is no {', '.join(missing)}. "
            "Install it (Debian: apt install gettext) and start again."
        )
    check_python()
    prepare(foreground, DEVELOPMENT)
    env = settings_of_tests()
    if foreground.follow([PYTHON, "-c", COLLECT, ",".join(LANGUAGES), ",".join(LEFT_OUT)], env):
        raise Failed("The strings could not be collected; see above.")
    for language in LANGUAGES:
        path = catalogue(language)
        without_time(path)
        if foreground.follow(
            ["msgfmt", "--check-format", "--check-domain", "--statistics", "-o", path.with_suffix(".mo"), path], env
        ):
            raise Failed(f"{path.relative_to(ROOT)} could not be compiled; see above.")
    return 0


if __name__ == "__main__":
    sys.exit(main_of(run))
