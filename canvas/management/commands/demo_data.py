"""`manage.py demo_data`: a person, two workspaces and what happened in them. bin/demo runs it at every start."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from canvas import demo, launching
from canvas.building import CannotBuild
from integrations import registry
from integrations.connecting import CannotConnect
from integrations.consenting import ConsentProblem
from integrations.errors import PartnerError
from pinsync.demo import EMAIL, PASSWORD


class Command(BaseCommand):
    help = "Make the demo's person, workspaces, users and Canvases, as far as they are missing. Needs the sandbox."

    def handle(self, *args: Any, **options: Any) -> None:
        user = demo.person(EMAIL, PASSWORD)
        shop = demo.workspace("Demo", "demo", user, timezone.now())
        demo.workspace("Fresh", "fresh", user, timezone.now())
        found = demo.playground()
        if found is None:
            names = ", ".join(partner.name for partner in registry.partners())
            self.stdout.write(f"Person and workspaces are there. The rest is made with a sandbox only, not at {names}.")
            return
        slug, ground = found
        try:
            demo.connect(shop, user, slug, ground, timezone.now)
            demo.users(shop, user, timezone.now())
            launched = demo.canvases(shop, user, timezone.now)
        except PartnerError as problem:
            raise CommandError(f"The sandbox at {ground.url} did not do its part: {problem}.") from None
        except (ConsentProblem, CannotConnect, CannotBuild) as problem:
            raise CommandError(str(problem)) from None
        except launching.NotReady as refusal:
            raise CommandError(" ".join(str(problem.text) for problem in refusal.problems)) from None
        if not demo.deliver(launched, timezone.now):
            self.stderr.write("Some of the demo's users are still pending; a worker goes on.")
        self.stdout.write("The demo data is there.")
