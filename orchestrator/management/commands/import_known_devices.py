"""The list of devices that may join without a token."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from orchestrator.services.known_devices import ListError, import_file
from registry.management.writing_command import WritingCommand


class Command(WritingCommand):
    help = "Put the ids of a CSV file on the list of known devices, each of which may join once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "file",
            type=Path,
            help="CSV: device_id and, where wanted, key_sha256, the fingerprint of its only key",
        )

    def handle(self, *args: Any, file: Path, **options: Any) -> None:
        try:
            with file.open("rb") as opened:
                listed = import_file(opened, timezone.now())
        except (ListError, OSError) as error:
            raise CommandError(f"{file}: {error}") from error
        self.stdout.write(str(listed))
