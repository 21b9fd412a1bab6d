"""A trained model that lies in an MLflow server, by the name that MLflow gives it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import structlog
from django.conf import settings

from orchestrator.gateways.mlflow import MlflowRefused, MlflowUnreachable
from orchestrator.gateways.mlflow_models import (
    MlflowModels,
    MlflowTooSlow,
    ModelVersion,
    RemoteFile,
)
from orchestrator.services.mlflow_server import mlflow_address, mlflow_url
from registry.formats.errors import FormatError
from registry.formats.model_file import FILE_SUFFIXES, files_beside, whole_file

log = structlog.get_logger(__name__)

SCHEME = "models:/"
_FORM = "write models:/NAME@ALIAS or models:/NAME/VERSION"
# A name may hold an @ itself: the last one, or the slash, is where it ends.
_REFERENCE = re.compile(r"models:/(?P<name>[^/:]+)(@(?P<alias>[^/@:]+)|/(?P<version>[0-9]{1,18}))")
_SHOWN_FILES = 10


class ModelSourceError(ValueError):
    """No model file could be had from there; the message is a sentence."""


@dataclass(frozen=True, slots=True)
class ModelReference:
    """A model version as people name it: by an alias, or else by its number."""

    name: str
    alias: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class FetchedModel:
    """A model file with the version that it is part of."""

    version: ModelVersion
    path: str
    data: bytes

    @property
    def source(self) -> str:
        """Where it came from, in words."""
        return f"{self.version} ({self.path})"


def parse_reference(text: str) -> ModelReference:
    """`models:/NAME@ALIAS` or `models:/NAME/VERSION`; ModelSourceError for anything else.

    MLflow's stages and its `latest` are no names for a version: they mean another one tomorrow.
    """
    match = _REFERENCE.fullmatch(text)
    if match is None:
        raise ModelSourceError(f"{text!r} names no model version; {_FORM}")
    return ModelReference(match["name"], match["alias"] or "", match["version"] or "")


def fetch_model(reference: ModelReference, file: str = "") -> FetchedModel:
    """The version's .tflite or .onnx file; `file` says which where it has several.

    Raises ModelSourceError where MLflow does not answer, or not within MLFLOW_FETCH_TIMEOUT_S, has
    no such version, or the version has no such file or one larger than ARTIFACT_MAX_BYTES.
    """
    url, shown, deadline_s = mlflow_url(), mlflow_address(), settings.MLFLOW_FETCH_TIMEOUT_S
    try:
        with MlflowModels(url, settings.NETWORK_TIMEOUT_S, deadline_s) as models:
            version = _version(models, reference)
            files = models.files(version)
            chosen = _choose(files, file, version)
            data = _whole(_Folder(models, version, files), chosen)
    except MlflowTooSlow as error:
        raise ModelSourceError(
            f"MLflow at {shown} has not given the model within {deadline_s:g} s; try again when it"
            " is faster, or raise TINYFLEET_MLFLOW_FETCH_TIMEOUT_S"
        ) from error
    except MlflowUnreachable as error:
        raise ModelSourceError(
            f"MLflow at {shown} does not answer; set TINYFLEET_MLFLOW_URL to a server that does"
        ) from error
    except MlflowRefused as error:
        raise ModelSourceError(f"MLflow at {shown} refuses: {error}") from error
    except FormatError as error:
        raise ModelSourceError(f"{chosen.path} of {version}: {error}") from error
    log.info("model_fetched", version=str(version), path=chosen.path, size_bytes=len(data))
    return FetchedModel(version, chosen.path, data)


def _version(models: MlflowModels, reference: ModelReference) -> ModelVersion:
    if reference.alias:
        return models.version_of_alias(reference.name, reference.alias)
    return models.version(reference.name, reference.version)


def _choose(files: Sequence[RemoteFile], wanted: str, version: ModelVersion) -> RemoteFile:
    """The file that is wanted, or else the only one of a kind that this product reads."""
    suffixes = set(FILE_SUFFIXES.values())
    models = [file for file in files if PurePosixPath(file.path).suffix.lower() in suffixes]
    fitting = [file for file in models if not wanted or file.path == wanted]
    if len(fitting) == 1:
        return fitting[0]
    if wanted:
        raise ModelSourceError(f"{version} has no {wanted!r}; it has {_named(models or files)}")
    if models:
        raise ModelSourceError(f"{version} has {_named(models)}; say which with --file")
    raise ModelSourceError(
        f"{version} has no .tflite or .onnx file, only {_named(files)}; convert the model and log"
        " the converted file with it"
    )


@dataclass(frozen=True, slots=True)
class _Folder:
    """The files of one version, fetched one by one within the limit."""

    models: MlflowModels
    version: ModelVersion
    files: Sequence[RemoteFile]

    def fetch(self, path: str, room: int) -> bytes:
        """One of them; ModelSourceError where it is not there or has more than `room` bytes."""
        file = next((file for file in self.files if file.path == path), None)
        if file is None:
            raise ModelSourceError(f"{self.version} has no {path!r}, which its model needs")
        _check_size(file.size_bytes, path, room)
        data = self.models.download(self.version, path, room)
        _check_size(len(data), path, room)
        return data


def _whole(folder: _Folder, chosen: RemoteFile) -> bytes:
    """The file, with what it keeps in others beside it, as MLflow's own ONNX flavour does."""
    limit = settings.ARTIFACT_MAX_BYTES
    data = folder.fetch(chosen.path, limit)
    beside: dict[str, bytes] = {}
    for name in files_beside(data):
        room = limit - len(data) - sum(map(len, beside.values()))
        beside[name] = folder.fetch(str(PurePosixPath(chosen.path).parent / name), room)
    return whole_file(data, beside, limit)


def _named(files: Sequence[RemoteFile]) -> str:
    names = [file.path for file in files[:_SHOWN_FILES]]
    more = f" and {len(files) - _SHOWN_FILES} more" if len(files) > _SHOWN_FILES else ""
    return (", ".join(names) + more) or "no file at all"


def _check_size(size_bytes: int | None, path: str, room: int) -> None:
    if size_bytes is not None and size_bytes > room:
        raise ModelSourceError(
            f"{path} has {size_bytes} bytes, more than the {room} allowed; compress the model or"
            " raise TINYFLEET_ARTIFACT_MAX_BYTES"
        )
