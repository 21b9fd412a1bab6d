"""`manage.py import_model FILE --name N [--input SENSOR[,RATE]|none]`: a trained model comes in."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils.text import slugify

from registry.management.model_files import read_model_file
from registry.services.input_sources import InputSourceError, parse_input_source
from registry.services.networks import (
    ArtifactError,
    FormatError,
    Registration,
    RegistrationError,
    import_network,
)


class Command(BaseCommand):
    """Registers a .tflite file as the first variant of a new release; needs no other process."""

    help = "Register a trained .tflite file as a new release of a model; its bytes are kept as is."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE", help="a .tflite file")
        parser.add_argument("--name", required=True, metavar="N", help="the model's name")
        parser.add_argument(
            "--input",
            metavar="SENSOR[,RATE]|none",
            help="what feeds it, e.g. microphone,16000; none for a model that reads no sensor;"
            " left out: not known",
        )
        parser.add_argument("--variant", metavar="V", help="the variant's name; else the file's")

    def handle(
        self,
        *args: Any,
        file: Path,
        name: str,
        input: str | None,
        variant: str | None,
        **options: Any,
    ) -> None:
        try:
            sensors = parse_input_source(input)
        except InputSourceError as error:
            raise CommandError(f"--input: {error}") from error
        said = Registration(name=variant or slugify(file.stem) or "variant", sensors=sensors)
        data = read_model_file(file, settings.ARTIFACT_MAX_BYTES)
        try:
            row = import_network(name, said, data, data_source=f"imported from {file.name}")
        except (FormatError, ArtifactError) as error:
            raise CommandError(f"{file}: {error}") from error
        except RegistrationError as error:
            raise CommandError(f"--name or --variant: {error}") from error
        self.stdout.write(f"{row}: variant {row.pk}, {len(data)} bytes")
