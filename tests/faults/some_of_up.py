"""`manage.py up` with only the processes that are named, if any are: they start sooner."""

from __future__ import annotations

import sys

import django


def main(names: set[str]) -> None:
    django.setup()
    from django.core.management import call_command

    from deploy import processes, supervisor
    from deploy.management.commands import up

    supervisor.STEADY_AFTER_S = 0.0  # tests kill so often that the pauses would grow and grow
    if names:
        up.installation = lambda: [spec for spec in processes.installation() if spec.name in names]
    call_command("up")


if __name__ == "__main__":
    main(set(sys.argv[1:]))
