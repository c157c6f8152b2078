"""bin/screenshots: the pictures in docs/, from a demo of their own that is thrown away. Standard library only."""

import shutil
import sys
import tempfile

from environment import DEVELOPMENT, PYTHON, check_python, prepare
from foreground import Failed, Foreground, main_of, tell
from test import settings_of_tests  # the defaults, whatever this person has set for a server


def run(foreground: Foreground) -> int:
    """Return 0. Raises Failed or Asked. Whatever was served and written on the way is gone afterwards."""
    check_python()
    if not shutil.which("chromium"):
        raise Failed("There is no Chromium on this machine (Debian: apt install chromium).")
    prepare(foreground, DEVELOPMENT)
    with tempfile.TemporaryDirectory(prefix="pinsync-screenshots-") as folder:
        env = settings_of_tests() | {"PINSYNC_DATA_DIR": folder, "DATABASE_URL": "", "LOG_LEVEL": "ERROR"}
        tell("Making the demo and its pictures …")
        code = foreground.follow([PYTHON, "-m", "tests.browser.pictures", *sys.argv[1:]], env)
        if code:
            raise Failed("The pictures could not be made; see above.")
    return 0


if __name__ == "__main__":
    sys.exit(main_of(run))
