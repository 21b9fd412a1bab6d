"""`manage.py describe_artifacts`: read every stored artifact again and say what its bytes say."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError

from registry.management.writing_command import WritingCommand
from registry.services.artifacts_anew import describe_artifacts
from registry.services.changes import Change


class Command(WritingCommand):
    """Prints how many variants changed; fails if an artifact could not be read."""

    help = (
        "Describe stored artifacts anew from their bytes, as after an update that reads more of"
        " them; what people have stated stays."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Every artifact that can be read is described, whatever the others are."""
        report = describe_artifacts()
        updated, unchanged = report.variants[Change.UPDATED], report.variants[Change.UNCHANGED]
        self.stdout.write(f"variants: {updated} updated, {unchanged} unchanged")
        if report.problems:
            raise CommandError("; ".join(report.problems))
