"""`manage.py describe FILE [--board B] [--kernels K] [--json]`: what a model file needs."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import IO, Any, cast

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, ProgrammingError
from rich.console import Console

from registry.footprint.description import describe
from registry.footprint.kernels.table import KERNEL_SETS
from registry.formats.errors import FormatError
from registry.management.description_tables import print_description, print_fit
from registry.management.model_files import read_model_file

_PIPE_WIDTH = 140


class Command(BaseCommand):
    """Reads one file; needs no other process, and a database only for --board."""

    help = (
        "Say what a .tflite or .onnx file needs: flash, arena, operators, MACs; with --board,"
        " if it fits."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE", help="a .tflite or .onnx file")
        parser.add_argument("--board", metavar="B", help="judge it on this board of the catalogue")
        parser.add_argument(
            "--kernels",
            choices=KERNEL_SETS,
            default="cmsis_nn",
            help="the runtime's kernels: cmsis_nn on Arm with DSP instructions (the default)",
        )
        parser.add_argument("--json", action="store_true", help="one JSON object, no tables")

    def handle(
        self, *args: Any, file: Path, board: str | None, kernels: str, **options: Any
    ) -> None:
        data = read_model_file(file, settings.ARTIFACT_MAX_BYTES)
        try:
            if board is None:
                self._show_file(data, kernels, options["json"])
            else:
                self._show_fit(data, board, kernels, options["json"])
        except FormatError as error:
            raise CommandError(f"{file}: {error}") from error

    def _show_file(self, data: bytes, kernels: str, as_json: bool) -> None:
        description = describe(data, kernels=kernels)
        if as_json:
            self.stdout.write(json.dumps(description.as_json(settings.DESCRIBED_LAYERS_MAX)))
        else:
            print_description(self._console(), description)

    def _show_fit(self, data: bytes, board: str, kernels: str, as_json: bool) -> None:
        # Loads the ontology and opens the database, neither of which a description needs.
        from registry.services.board_fit import judge_file
        from registry.services.lookup import LookupFailed
        from registry.services.matching import reason_json

        try:
            fit = judge_file(data, board, kernels)
        except LookupFailed as error:
            raise CommandError(str(error)) from error
        except (OperationalError, ProgrammingError) as error:
            raise CommandError(
                f"the catalogue cannot be read ({error});"
                " run manage.py migrate, then manage.py load_catalogue"
            ) from error
        if as_json:
            verdict = {
                "board": fit.board.slug,
                "verdict": fit.verdict.answer.value,
                "assumed": fit.verdict.assumed,
                "reasons": [reason_json(reason) for reason in fit.verdict.reasons],
            }
            described = fit.description.as_json(settings.DESCRIBED_LAYERS_MAX)
            self.stdout.write(json.dumps({**described, "fit": verdict}))
        else:
            console = self._console()
            print_description(console, fit.description)
            print_fit(console, fit.board.name, fit.verdict)

    def _console(self) -> Console:
        """As wide as the terminal; wide enough for long names where there is none."""
        width = None if self.stdout.isatty() else _PIPE_WIDTH
        return Console(file=cast("IO[str]", self.stdout), highlight=False, width=width)
