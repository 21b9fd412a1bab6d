"""`manage.py import_rdf PATH…`: devices and networks that others describe in RDF come in."""

from __future__ import annotations

from argparse import ArgumentParser
from collections import Counter
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from ontology.descriptions import plain
from registry.management.writing_command import WritingCommand
from registry.services.changes import Change
from registry.services.rdf_import import (
    DescriptionRefused,
    DocumentRefused,
    import_documents,
    read_documents,
)


class Command(WritingCommand):
    """All of the documents or, where one is at fault, none; needs no other process."""

    help = (
        "Import devices and networks that RDF documents describe in the terms of S3N, SSN/SOSA and"
        " the TinyML schema; importing them again changes nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "paths",
            nargs="+",
            type=Path,
            metavar="PATH",
            help="a file (.ttl, .nt, .nq, .trig, .rdf, .owl, .xml, .jsonld) or a folder of them",
        )

    def handle(self, *args: Any, paths: list[Path], **options: Any) -> None:
        try:
            report = import_documents(read_documents(paths))
        except (DocumentRefused, DescriptionRefused) as error:
            raise CommandError(plain(f"nothing was imported: {error}")) from error
        for mend in report.mends:
            self.stdout.write(plain(f"{mend}."))
        self.stdout.write(f"devices:  {_counts(report.devices)}")
        self.stdout.write(f"networks: {_counts(report.networks)}")


def _counts(changes: Counter[Change]) -> str:
    return ", ".join(f"{changes[change]} {change.value}" for change in Change)
