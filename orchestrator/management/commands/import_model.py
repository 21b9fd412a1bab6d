"""`manage.py import_model FILE|models:/NAME@ALIAS [--name N] [--input SENSOR[,RATE]|none]`."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.utils.text import slugify

from orchestrator.services.model_names import model_name_for
from orchestrator.services.model_sources import (
    SCHEME,
    ModelReference,
    ModelSourceError,
    fetch_model,
    parse_reference,
)
from registry.management.model_files import read_model_file
from registry.management.writing_command import WritingCommand
from registry.services.input_sources import InputSourceError, parse_input_source
from registry.services.networks import (
    ArtifactError,
    FormatError,
    Registration,
    RegistrationError,
    check_name,
    import_network,
)

_QUESTION = (
    "What feeds this model? A sensor with its rate and shape, e.g. microphone,16000 or"
    " camera,5,96x96x1; none, if it reads no sensor; nothing, if you do not know: "
)
_NOT_STATED = (
    "What feeds it was not stated: whether it fits in memory can be told, whether a device has the"
    " sensor cannot. Import it again with --input SENSOR[,RATE[,SHAPE]] or --input none, or fill in"
    " the variant's sensors in the admin."
)
_Sensors = Sequence[Mapping[str, Any]] | None


@dataclass(frozen=True, slots=True)
class _Model:
    """Bytes with what their source says of them."""

    data: bytes
    file_name: str
    source: str
    name: str = ""
    version: str = ""
    run_id: str = ""


class Command(WritingCommand):
    """Registers a model as the first variant of a new release; needs no process but MLflow's."""

    help = (
        "Register a trained .tflite or .onnx file, or a model version of an MLflow server, as a"
        " new release of a model; its bytes are kept as is."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "source",
            metavar="FILE|models:/NAME@ALIAS",
            help="a .tflite or .onnx file, or models:/NAME@ALIAS or models:/NAME/VERSION at MLflow",
        )
        parser.add_argument("--name", metavar="N", help="the model's name; else MLflow's")
        parser.add_argument(
            "--input",
            metavar="SENSOR[,RATE]|none",
            help="what feeds it, e.g. microphone,16000; none for a model that reads no sensor;"
            " left out: asked for at a terminal, else not known",
        )
        parser.add_argument("--variant", metavar="V", help="the variant's name; else the file's")
        parser.add_argument("--file", metavar="PATH", default="", help="which file of the version")

    def handle(self, *args: Any, source: str, **options: Any) -> None:
        sensors = _stated(options["input"])
        reference = _reference(source) if source.startswith(SCHEME) else None
        name = _name(options["name"], reference)
        model = _fetch(reference, options["file"]) if reference else _read(source)
        if options["input"] is None:
            sensors = self._ask()
        own = not options["name"] or name == model.name
        said = _registration(model, name, own, options["variant"], sensors)
        try:
            row = import_network(name, said, model.data, origin=model.source)
        except (FormatError, ArtifactError) as error:
            raise CommandError(f"{source}: {error}") from error
        except RegistrationError as error:
            raise CommandError(f"--name or --variant: {error}") from error
        self.stdout.write(f"{row}: variant {row.pk}, {len(model.data)} bytes")
        if sensors is None:
            self.stdout.write(_NOT_STATED)

    def _ask(self) -> _Sensors:
        """The answer of whoever sits at the terminal; None where nobody does or nobody knows."""
        if not (sys.stdin.isatty() and self.stdout.isatty()):
            return None
        while True:
            try:
                return parse_input_source(input(_QUESTION))
            except InputSourceError as error:
                self.stdout.write(str(error))
            except EOFError:
                return None


def _stated(text: str | None) -> _Sensors:
    try:
        return parse_input_source(text)
    except InputSourceError as error:
        raise CommandError(f"--input: {error}") from error


def _read(source: str) -> _Model:
    path = Path(source)
    data = read_model_file(path, settings.ARTIFACT_MAX_BYTES)
    return _Model(data, path.name, f"imported from {path.name}")


def _reference(source: str) -> ModelReference:
    try:
        return parse_reference(source)
    except ModelSourceError as error:
        raise CommandError(str(error)) from error


def _fetch(reference: ModelReference, file: str) -> _Model:
    try:
        fetched = fetch_model(reference, file)
    except ModelSourceError as error:
        raise CommandError(str(error)) from error
    version = fetched.version
    file_name = PurePosixPath(fetched.path).name
    return _Model(
        fetched.data, file_name, fetched.source, version.name, version.version, version.run_id
    )


def _name(given: str | None, reference: ModelReference | None) -> str:
    """What the model is to be called, before anything is fetched or read for it."""
    try:
        name = given or (model_name_for(reference.name) if reference else "")
    except ModelSourceError as error:
        raise CommandError(str(error)) from error
    if not name:
        raise CommandError("--name is missing: what the model is to be called")
    try:
        check_name(name, "model")
    except RegistrationError as error:
        raise CommandError(f"--name: {error}") from error
    return name


def _registration(
    model: _Model, name: str, own: bool, variant: str | None, sensors: _Sensors
) -> Registration:
    """A version counts as the variant's own only where the name follows from that in MLflow."""
    elsewhere = model.name if model.name != name else ""
    return Registration(
        name=variant or slugify(PurePosixPath(model.file_name).stem) or "variant",
        sensors=sensors,
        mlflow_model=elsewhere if own else "",
        mlflow_version=model.version if own else "",
        mlflow_run_id=model.run_id if own else "",
    )
