"""`manage.py load_catalogue [DIRECTORY]`: boards and runtimes, and what publications say."""

from __future__ import annotations

from argparse import ArgumentParser
from collections import Counter
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from registry.management.writing_command import WritingCommand
from registry.services.catalogue import (
    CATALOGUE_DIR,
    CatalogueError,
    CatalogueReport,
    Change,
    load_catalogue,
)
from registry.services.published import (
    PUBLISHED_DIR,
    PublishedReport,
    load_catalogue_with_published,
)


class Command(WritingCommand):
    """Bring the catalogue's rows up to its files; a faulty file changes nothing."""

    help = (
        "Load board types and runtimes, and from the folder 'published' in it reference models with"
        " their published figures, and techniques; loading it again changes nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "directory",
            nargs="?",
            type=Path,
            default=CATALOGUE_DIR,
            help="a folder of .yaml files (default: the shipped catalogue)",
        )
        parser.add_argument(
            "--hardware", action="store_true", help="board types and runtimes alone"
        )

    def handle(self, *args: Any, directory: Path, hardware: bool, **options: Any) -> None:
        if not directory.is_dir():
            raise CommandError(f"{directory} is no folder")
        try:
            if hardware or not (directory / PUBLISHED_DIR.name).is_dir():
                self._say_hardware(load_catalogue(directory))
            else:
                boards, published = load_catalogue_with_published(directory)
                self._say_hardware(boards)
                self._say_published(published)
        except CatalogueError as error:
            raise CommandError(f"nothing was loaded: {error}") from error

    def _say_hardware(self, report: CatalogueReport) -> None:
        self.stdout.write(f"boards:   {_counts(report.boards)}")
        self.stdout.write(f"runtimes: {_counts(report.runtimes)}")

    def _say_published(self, report: PublishedReport) -> None:
        self.stdout.write(f"published platforms:   {_counts(report.platforms)}")
        self.stdout.write(f"published variants:    {_counts(report.variants)}")
        self.stdout.write(f"published figures:     {_counts(report.figures)}")
        self.stdout.write(f"published techniques:  {_counts(report.techniques)}")
        self.stdout.write(f"cited, out of scope:   {_counts(report.cited_works)}")


def _counts(changes: Counter[Change]) -> str:
    return ", ".join(f"{changes[change]} {change.value}" for change in Change)
