"""`manage.py import_td PATH…`: things come in by their W3C Thing Descriptions."""

from __future__ import annotations

from argparse import ArgumentParser
from collections import Counter
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from registry.management.description_files import description_files, read_description
from registry.management.writing_command import WritingCommand
from registry.services.things import Described, DescriptionError, device_id_of, import_thing

SUPERSEDED = "superseded"
REFUSED = "refused"


class Command(WritingCommand):
    """Registers each described thing as a device; needs no other process, fetches nothing."""

    help = (
        "Bring things in by their Thing Descriptions (TD 1.1 or 1.0); each is kept byte for byte."
        " What is refused is named with its reason, and the rest comes in all the same."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "paths",
            type=Path,
            nargs="+",
            metavar="PATH",
            help="a description, or a folder with descriptions (.json, .jsonld, .td)",
        )

    def handle(self, *args: Any, paths: list[Path], **options: Any) -> None:
        files = list(description_files(paths))
        if not files:
            raise CommandError("there is no description in these folders")
        counts = Counter(self._say(path, result) for path, result in _import_all(files))
        summary = ", ".join(f"{number} {word}" for word, number in sorted(counts.items()))
        if counts[REFUSED]:
            raise CommandError(f"not every description came in: {summary}")
        self.stdout.write(summary)

    def _say(self, path: Path, result: Described | DescriptionError | None) -> str:
        if isinstance(result, DescriptionError):
            self.stderr.write(f"{REFUSED} {path}: {result}")
            return REFUSED
        if result is None:
            self.stdout.write(f"{SUPERSEDED} {path}: a later file describes the same thing")
            return SUPERSEDED
        self.stdout.write(f"{result.outcome} {result.device_id} {path}")
        for remark in result.remarks:
            self.stdout.write(f"  {remark}")
        return result.outcome.value


def _import_all(files: list[Path]) -> list[tuple[Path, Described | DescriptionError | None]]:
    """The last file that describes a thing stands, so it goes first and the others leave it be.

    Importing the same files again therefore writes nothing. None is a file that was left out.
    """
    described: set[str] = set()
    results = [(path, _import(path, described)) for path in reversed(files)]
    return results[::-1]


def _import(path: Path, described: set[str]) -> Described | DescriptionError | None:
    try:
        td = read_description(path, settings.DESCRIPTION_MAX_BYTES)
        if device_id_of(td) in described:
            return None
        done = import_thing(td)
    except DescriptionError as error:
        return error
    described.add(done.device_id)
    return done
