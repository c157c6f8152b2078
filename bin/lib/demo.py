"""bin/demo: web, worker and sandbox on this machine, with data in them. Standard library only."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from environment import PYTHON, RUNTIME, check_python, inherited, prepare
from foreground import ROOT, Asked, Failed, Foreground, main_of, tell

sys.path.insert(0, str(ROOT))
from pinsync.demo import EMAIL, PASSWORD  # two constants; needs no package

SERVE = Path(__file__).with_name("serve.py")
FILL = Path(__file__).with_name("fill.py")
PORTS = (("PORT", 8000, "web"), ("SANDBOX_PORT", 8100, "sandbox"))
START_SECONDS = 60


def check_ports() -> dict[str, int]:
    """Return the ports to use. Raises Failed, naming the variable to set, when one cannot be used."""
    ports: dict[str, int] = {}
    for name, default, use in PORTS:
        text = os.environ.get(name, "").strip() or str(default)
        if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
            raise Failed(f"{name} must be a port, a number from 1 to 65535, not “{text}”.")
        port = int(text)
        if port in ports.values():
            raise Failed(f"PORT and SANDBOX_PORT are both {port}; the web pages and the sandbox need a port each.")
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                raise Failed(
                    f"Port {port} for the {use} cannot be used: {(error.strerror or 'taken').lower()}. "
                    f"Stop what uses it, or choose another: {name}={_another(port)} bin/demo"
                ) from None
        ports[name] = port
    return ports


def _another(port: int) -> int:
    return port + 10 if port + 10 < 65536 else port - 10


def settings_of(ports: dict[str, int]) -> dict[str, str]:
    """Return the environment of the demo's processes. Addresses given from outside stay as they are."""
    env = inherited() | {name: str(port) for name, port in ports.items()}
    if env.pop("PINTEREST_APP_ID", None) or env.pop("PINTEREST_APP_SECRET", None):
        env.pop("PINTEREST_APP_SECRET", None)
        tell("PINTEREST_APP_ID is left aside: the demo talks to the bundled sandbox.")
    defaults = {
        "PINSYNC_URL": f"http://127.0.0.1:{ports['PORT']}",
        "PINTEREST_API_URL": f"http://127.0.0.1:{ports['SANDBOX_PORT']}/v5",
        "PINTEREST_OAUTH_URL": f"http://127.0.0.1:{ports['SANDBOX_PORT']}/oauth/",
    }
    return env | {name: value for name, value in defaults.items() if not env.get(name, "").strip()}


def answers(url: str) -> bool:
    try:
        # No proxy: this is our own machine, whatever http_proxy says.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (http.client.HTTPException, OSError):  # URLError is an OSError
        return False


def serve(foreground: Foreground) -> None:
    """Start everything and stay until one of the processes ends. Raises Failed or Asked."""
    check_python()
    ports = check_ports()
    env = settings_of(ports)
    prepare(foreground, RUNTIME)
    tell("Preparing the database …")
    migrate: list[str | Path] = [PYTHON, ROOT / "manage.py", "migrate", "--no-input"]
    foreground.quietly(migrate, env, "The database could not be prepared; see above.")

    tell("Starting web, worker and sandbox …")
    started_at = time.time()
    # Its stdin is our life line: should we be killed without a chance to stop it, it reads the end and stops by itself.
    serving = subprocess.Popen(
        [PYTHON, SERVE], cwd=ROOT, env=env, stdin=subprocess.PIPE, stdout=sys.stderr, start_new_session=True
    )
    foreground.serving = serving

    def all_run() -> None:
        if serving.poll() is not None:
            foreground.pause(0)  # it got the signal, too, while it was being started
            raise Failed("Pinsync has stopped, because one of its processes did (see above).")

    def up(url: str) -> bool:
        all_run()
        return answers(url)

    sandbox, web = f"http://127.0.0.1:{ports['SANDBOX_PORT']}", f"http://127.0.0.1:{ports['PORT']}"
    silent = f"The {{}} has not answered within {START_SECONDS} seconds."
    foreground.wait_until(
        lambda: up(f"{sandbox}/_control/health"), seconds=START_SECONDS, otherwise=silent.format("sandbox")
    )
    tell("Making the demo data …")
    fill: list[str | Path] = [PYTHON, FILL, str(started_at), str(START_SECONDS)]
    foreground.quietly(fill, env, "Pinsync could not be made ready; see above.", all_run)
    foreground.wait_until(lambda: up(f"{web}/healthz"), seconds=START_SECONDS, otherwise=silent.format("web"))
    print(f"Pinsync is ready: {web}/ sign in: {EMAIL} / {PASSWORD}", flush=True)
    while True:
        all_run()
        foreground.pause(0.2)


def run(foreground: Foreground) -> int:
    """Return 0 when somebody stopped it. Raises Failed."""
    try:
        serve(foreground)
    except Asked as asked:
        tell(f"Pinsync stops ({signal.Signals(asked.signum).name}).")
    return 0


if __name__ == "__main__":
    sys.exit(main_of(run))
