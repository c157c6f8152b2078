"""The pictures in docs/: `bin/screenshots` runs this with a data folder that is thrown away afterwards.

Nothing is drawn or touched up. What differs from one run to the next is dates, ages and how far the simulator came.
"""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import django
from django.core.management import call_command
from django.test.utils import setup_test_environment
from django.utils import timezone
from playwright.sync_api import sync_playwright

if __name__ == "__main__":
    django.setup()

from canvas import simulator
from canvas.models import Canvas
from tests.browser import looking, scene
from tests.browser.conftest import CHROMIUM, WIDE, context_of
from tests.browser.server import running
from tests.browser.visits import VISITS, Visit
from tests.helpers import deliver

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"
TALLEST = 1_500  # px; of a longer page the beginning
SIMULATED_SECONDS = 8


@dataclass(frozen=True)
class Picture:
    """One file in docs/, and the visit it shows."""

    name: str
    visit: str
    scheme: str = "light"

    @property
    def shows(self) -> Visit:
        return next(visit for visit in VISITS if str(visit) == self.visit)


PICTURES = (
    Picture("home", "workspaces:home"),
    Picture("home-dark", "workspaces:home", "dark"),
    Picture("partners", "integrations:partners"),
    Picture("pinterest-never-connected", "integrations:partner never connected"),
    Picture("pinterest-consent", "sandbox:oauth/ asks"),
    Picture("pinterest-choosing", "integrations:choose"),
    Picture("pinterest-connected", "integrations:partner connected"),
    Picture("pinterest-accounts-lost", "integrations:partner ad account lost"),
    Picture("pinterest-invalid-token", "integrations:partner token dead"),
    Picture("pinterest-disconnected", "integrations:partner disconnected"),
    Picture("import", "profiles:import_run done"),
    Picture("segment", "profiles:segment two rules"),
    Picture("canvas", "canvas:detail three steps"),
    Picture("canvas-dark", "canvas:detail three steps", "dark"),
    Picture("draft", "canvas:detail draft with problems"),
    Picture("editor", "canvas:detail editor"),
    Picture("analytics", "canvas:analytics"),
    Picture("step", "canvas:step_analytics errored"),
    Picture("users", "canvas:users errored"),
    Picture("batch", "canvas:batch errored"),
    Picture("simulator", "canvas:simulator_run running"),
    Picture("simulator-dark", "canvas:simulator_run running", "dark"),
    Picture("sandbox", "sandbox:requests"),
)


def take(pictures: Iterable[Picture], static_root: Path) -> None:
    """Make a scene in the (empty) database and write the pictures of it into docs/."""
    with running(static_root) as site:
        made = scene.make(deliver)
        simulate(made)
        with sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
            page = context_of(browser, site, made.admin).new_page()
            for picture in pictures:
                page.set_viewport_size(WIDE)
                page.emulate_media(color_scheme=picture.scheme)
                page.goto(picture.shows.url(site, made))
                looking.settle(page)
                if picture.shows.then:
                    picture.shows.then(page)
                    looking.settle(page)
                high = page.evaluate("document.documentElement.scrollHeight")
                page.set_viewport_size({"width": WIDE["width"], "height": min(max(high, WIDE["height"]), TALLEST)})
                page.screenshot(path=DOCS / f"{picture.name}.png", animations="disabled", caret="hide")
                sys.stdout.write(f"docs/{picture.name}.png\n")
            browser.close()


def simulate(made: scene.Scene) -> None:
    """Let a run of some seconds go on, so that its chart shows something."""
    made.ground.mend()  # what the scene broke
    canvas = Canvas.objects.get(name="For the simulator")
    order = simulator.Order("made_up", "steady", number=2_000, missing_percent=15, per_second=120)
    run = simulator.start(canvas, order, user=made.admin, now=timezone.now())
    for _ in range(SIMULATED_SECONDS):
        simulator.advance_due(timezone.now())
        deliver()
        time.sleep(1)  # the run is in real time
    made.put("simulation", "running", run.pk)


def main() -> None:
    known = {picture.name: picture for picture in PICTURES}
    if unknown := set(sys.argv[1:]) - set(known):
        sys.exit(f"There is no picture {', '.join(sorted(unknown))}. There are: {', '.join(known)}.")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # the browser's driver runs a loop in this thread
    setup_test_environment()  # letters go nowhere
    call_command("migrate", interactive=False, verbosity=0)
    static_root = Path(tempfile.mkdtemp(prefix="pinsync-static-"))
    try:
        take([known[name] for name in sys.argv[1:]] or PICTURES, static_root)
    finally:
        shutil.rmtree(static_root)


if __name__ == "__main__":
    main()
