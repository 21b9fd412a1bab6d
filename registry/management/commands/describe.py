"""`manage.py describe FILE [--board B] [--kernels K] [--json]`: what a model file needs."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, ProgrammingError
from rich.console import Console

from registry.footprint.description import Description, describe
from registry.footprint.figures import figures_json
from registry.footprint.kernels.table import KERNEL_SETS
from registry.footprint.patch import PatchPlan, plan_within
from registry.formats.errors import FormatError
from registry.management.arguments import size
from registry.management.description_tables import (
    print_description,
    print_figures,
    print_fit,
    print_patches,
)
from registry.management.model_files import read_model_file
from registry.management.tables import PIPE_WIDTH

if TYPE_CHECKING:
    from registry.services.board_fit import BoardFit


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
        parser.add_argument(
            "--patches-within",
            metavar="SIZE",
            type=size,
            help="the cheapest patch-based schedule that takes at most so much RAM, e.g. 172KiB",
        )
        parser.add_argument("--json", action="store_true", help="one JSON object, no tables")

    def handle(
        self, *args: Any, file: Path, board: str | None, kernels: str, **options: Any
    ) -> None:
        data = read_model_file(file, settings.ARTIFACT_MAX_BYTES)
        try:
            fit = None if board is None else _fit(data, board, kernels)
            description = fit.description if fit else describe(data, kernels=kernels)
        except FormatError as error:
            raise CommandError(f"{file}: {error}") from error
        ram_bytes = options["patches_within"]
        plan = None if ram_bytes is None else plan_within(description.network, ram_bytes)
        if options["json"]:
            described = description.as_json(settings.DESCRIBED_LAYERS_MAX)
            described["figures"] = figures_json(description)
            patches = {"patches": plan.as_json()} if plan else {}
            self.stdout.write(json.dumps(described | _fit_json(fit) | patches))
        else:
            self._show(description, fit, plan)

    def _show(self, description: Description, fit: BoardFit | None, plan: PatchPlan | None) -> None:
        console = self._console()
        print_description(console, description)
        print_figures(console, figures_json(description))
        if fit is not None:
            print_fit(console, fit.board.name, fit.verdict)
        if plan is not None:
            print_patches(console, plan)

    def _console(self) -> Console:
        """As wide as the terminal; wide enough for long names where there is none."""
        width = None if self.stdout.isatty() else PIPE_WIDTH
        return Console(file=cast("IO[str]", self.stdout), highlight=False, width=width)


def _fit(data: bytes, board: str, kernels: str) -> BoardFit:
    # Loads the ontology and opens the database, neither of which a description needs.
    from registry.services.board_fit import judge_file
    from registry.services.lookup import LookupFailed

    try:
        return judge_file(data, board, kernels)
    except LookupFailed as error:
        raise CommandError(str(error)) from error
    except (OperationalError, ProgrammingError) as error:
        raise CommandError(
            f"the catalogue cannot be read ({error});"
            " run manage.py migrate, then manage.py load_catalogue"
        ) from error


def _fit_json(fit: BoardFit | None) -> dict[str, Any]:
    from registry.services.matching import reason_json

    if fit is None:
        return {}
    verdict = {
        "board": fit.board.slug,
        "verdict": fit.verdict.answer.value,
        "assumed": fit.verdict.assumed,
        "reasons": [reason_json(reason) for reason in fit.verdict.reasons],
    }
    return {"fit": verdict}
