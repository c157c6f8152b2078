"""Make the demo data, then wait until a worker that was started after SINCE (epoch seconds) shows that it lives.

    fill.py SINCE SECONDS

Runs inside .venv. One program for both, because what takes time here is setting up Django.
"""

import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import django
from django.core.management import CommandError, call_command

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))
from pinsync.starting import loading

with loading():
    django.setup()

from integrations.models import Heartbeat


def main() -> None:
    since, seconds = datetime.fromtimestamp(float(sys.argv[1]), UTC), float(sys.argv[2])
    try:
        call_command("demo_data")
    except CommandError as error:
        sys.exit(f"The demo data could not be made: {error}")
    deadline = time.monotonic() + seconds
    while not Heartbeat.objects.filter(parent_at__gte=since).exists():
        if time.monotonic() > deadline:
            sys.exit(f"The worker has shown no sign of life within {seconds:.0f} seconds.")
        time.sleep(0.1)


if __name__ == "__main__":
    main()
