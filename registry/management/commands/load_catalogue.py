"""`manage.py load_catalogue [DIRECTORY]`: board types and runtimes from YAML files."""

from __future__ import annotations

from argparse import ArgumentParser
from collections import Counter
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from registry.services.catalogue import CATALOGUE_DIR, CatalogueError, Change, load_catalogue


class Command(BaseCommand):
    """Bring the catalogue's rows up to its files; a faulty file changes nothing."""

    help = "Load board types and runtimes from the catalogue; loading it again changes nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "directory",
            nargs="?",
            type=Path,
            default=CATALOGUE_DIR,
            help="a folder of .yaml files (default: the shipped catalogue)",
        )

    def handle(self, *args: Any, directory: Path, **options: Any) -> None:
        if not directory.is_dir():
            raise CommandError(f"{directory} is no folder")
        try:
            report = load_catalogue(directory)
        except CatalogueError as error:
            raise CommandError(f"nothing was loaded: {error}") from error
        self.stdout.write(f"boards:   {_counts(report.boards)}")
        self.stdout.write(f"runtimes: {_counts(report.runtimes)}")


def _counts(changes: Counter[Change]) -> str:
    return ", ".join(f"{changes[change]} {change.value}" for change in Change)
