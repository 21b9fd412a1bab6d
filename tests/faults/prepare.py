"""Makes a new installation ready for a small fleet; runs in its environment, with its folder.

`fleet.json` names the devices; each network in `networks/` becomes the variant of a release.
Answers with the devices' tokens and the variants' keys, as JSON.
"""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import django
from django.core.management import call_command
from django.utils import timezone


def main(folder: Path) -> None:
    django.setup()
    from orchestrator.gateways.broker_files import enrol_password, gateway_password
    from orchestrator.services.enrolment import issue_token
    from registry.services.networks import open_release, register_variant

    call_command("migrate", verbosity=0)
    call_command("load_catalogue", stdout=io.StringIO())
    names = json.loads((folder / "fleet.json").read_text())
    tokens = {name: issue_token(name, timezone.now()) for name in names}
    variants = [
        register_variant(open_release("digits"), path.stem, path.read_bytes(), sensors=[]).pk
        for path in sorted((folder / "networks").iterdir())
    ]
    enrol_password()
    gateway_password()
    print(json.dumps({"tokens": tokens, "variants": variants}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
