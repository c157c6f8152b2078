"""Wait until a worker that was started after SINCE (epoch seconds) has shown that it lives. Runs inside .venv.

heartbeat.py SINCE SECONDS
"""

import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import django

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))
django.setup()

from integrations.models import Heartbeat  # noqa: E402  models need the set-up


def main() -> int:
    since, seconds = datetime.fromtimestamp(float(sys.argv[1]), UTC), float(sys.argv[2])
    deadline = time.monotonic() + seconds
    while not Heartbeat.objects.filter(parent_at__gte=since).exists():
        if time.monotonic() > deadline:
            return 1
        time.sleep(0.2)
    return 0


if __name__ == "__main__":
    sys.exit(main())
