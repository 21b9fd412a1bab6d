"""`manage.py export_graph [SUBJECT…] [--format F] [--output FILE]`: the inventory as RDF."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from registry.services.graph_export import (
    ExportFailed,
    ExportFormat,
    LookupFailed,
    every_subject,
    export,
    subject_named,
)


class Command(BaseCommand):
    """Writes what the knowledge graph says, from the rows; needs no other process."""

    help = (
        "Write a subject or, where none is named, everything as RDF. Turtle has no named graphs;"
        " N-Quads and JSON-LD keep them."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "subjects",
            nargs="*",
            metavar="SUBJECT",
            help="KIND/KEY or the whole IRI, e.g. device/hall, variant/3, verdicts/3",
        )
        parser.add_argument(
            "--format",
            choices=[form.value for form in ExportFormat],
            help="default: by the ending of --output (.ttl, .nq, .jsonld), else turtle",
        )
        parser.add_argument("--output", type=Path, metavar="FILE", help="default: standard output")

    def handle(
        self,
        *args: Any,
        subjects: list[str],
        format: str | None,
        output: Path | None,
        **options: Any,
    ) -> None:
        form = _format(format, output)
        try:
            named = [subject_named(text) for text in subjects]
            pieces = export(named or every_subject(), form)
            if output is not None:
                _write_whole(output, pieces)
            else:
                for piece in pieces:
                    self.stdout.write(piece.decode(), ending="")
        except (LookupFailed, ExportFailed) as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"{output} cannot be written: {error.strerror}") from error


def _format(named: str | None, output: Path | None) -> ExportFormat:
    if named is not None:
        return ExportFormat(named)
    ending = "" if output is None else output.suffix.removeprefix(".")
    by_ending = {form.file_extension: form for form in ExportFormat}
    return by_ending.get(ending, ExportFormat.TURTLE)


def _write_whole(path: Path, pieces: Iterator[bytes]) -> None:
    """A file that is there only when it is complete; one that was there stays until then."""
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as draft:
        try:
            draft.writelines(pieces)
        except BaseException:
            Path(draft.name).unlink()
            raise
    Path(draft.name).replace(path)
