"""Who the demo signs in as. Nothing is imported here: bin/demo reads this before anything is installed."""

EMAIL = "demo@example.com"
PASSWORD = "try-pinsync-today"  # noqa: S105  no secret: bin/demo prints it
