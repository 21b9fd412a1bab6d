"""Models as they come in: a release opens, bytes become a variant, what they need is kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_slug
from django.db import transaction
from django.db.models import Max

from ontology.facts import Figure, Metric, Need, Status
from registry.footprint.description import Description, describe
from registry.footprint.figures import derived_figures
from registry.footprint.quantization import Scheme
from registry.formats.errors import FormatError
from registry.formats.model_file import MEDIA_TYPES
from registry.formats.network import Network
from registry.models import Artifact, RegisteredModel, Release, Variant
from registry.projection import facts
from registry.services import measurements
from registry.services.artifacts import (
    ArtifactError,
    artifact_row,
    check_size,
    store_artifact,
    store_bytes,
)

__all__ = ["ArtifactError", "FormatError", "Registration", "RegistrationError"]
__all__ += ["import_network", "need_of", "open_release", "register", "register_variant"]
__all__ += ["store_artifact"]

log = structlog.get_logger(__name__)

MAX_NAME = 120


class RegistrationError(ValueError):
    """What was to be registered contradicts itself or what is there.

    `field` is the part of the registration at fault; the message is a sentence.
    """

    def __init__(self, field: str, problem: str) -> None:
        self.field = field
        super().__init__(problem)


@dataclass(frozen=True, slots=True)
class Registration:
    """What is said of a variant beside its bytes.

    `sensors` is a list of {kind, rate_hz, shape}: [] says that it needs none, None that it is not
    known. `accuracy` is a fraction, measured with the file itself.
    """

    name: str
    sensors: Sequence[Mapping[str, Any]] | None = None
    accuracy: float | None = None
    accuracy_source: str = "evaluation of the file on held-out data"
    parent: Variant | None = None
    technique: str = ""
    mlflow_model: str = ""
    mlflow_version: str = ""
    mlflow_run_id: str = ""


@dataclass(frozen=True, slots=True)
class _Bytes:
    """A file that was read and stored."""

    digest: str
    description: Description

    @property
    def network(self) -> Network:
        return self.description.network


@transaction.atomic
def open_release(
    model_name: str,
    *,
    task: str = "",
    data_source: str = "",
    mlflow_run_id: str = "",
    notes: str = "",
) -> Release:
    """The next release of a model; the model is registered where it is new.

    `data_source` is what it was trained on, never where its file came from: that is for `notes`.
    """
    check_name(model_name, "model")
    model, _ = RegisteredModel.objects.get_or_create(name=model_name, defaults={"task": task})
    # Two openings at once would take the same number: the second waits for this row.
    RegisteredModel.objects.select_for_update().get(pk=model.pk)
    newest = model.releases.aggregate(newest=Max("number"))["newest"] or 0
    release = Release.objects.create(
        model=model,
        number=newest + 1,
        data_source=data_source,
        mlflow_run_id=mlflow_run_id,
        notes=notes,
    )
    log.info("release_opened", model=model.name, release=release.number)
    return release


def register_variant(
    release: Release,
    name: str,
    data: bytes,
    *,
    sensors: Sequence[Mapping[str, Any]] | None = None,
    accuracy: float | None = None,
    parent: Variant | None = None,
    technique: str = "",
    mlflow_version: str = "",
    mlflow_run_id: str = "",
) -> Variant:
    """`register` with its registration spelt out."""
    said = Registration(
        name=name,
        sensors=sensors,
        accuracy=accuracy,
        parent=parent,
        technique=technique,
        mlflow_version=mlflow_version,
        mlflow_run_id=mlflow_run_id,
    )
    return register(release, said, data)


def register(release: Release, said: Registration, data: bytes) -> Variant:
    """Keep a .tflite or .onnx file and what it needs as a variant of a release.

    Derived figures (flash, arena for each kernel set, MACs) are recorded with it. The same bytes
    under the same name again give the variant that is there, with what is newly said of it. Raises
    and changes nothing: FormatError for bytes that are no sound network, ArtifactError for too
    many of them, RegistrationError for a bad name or accuracy or a name that other bytes have.
    """
    file = _read(said, data)
    with transaction.atomic():
        return _write(release, said, file)


def import_network(
    model_name: str, said: Registration, data: bytes, *, origin: str = ""
) -> Variant:
    """A trained network from outside, as the first variant of a new release of a model.

    `origin` says where its file came from; on what it was trained is not known.
    Raises as `register` does; then no release is opened either.
    """
    check_name(model_name, "model")
    file = _read(said, data)
    with transaction.atomic():
        return _write(open_release(model_name, notes=origin), said, file)


def need_of(variant: Variant) -> Need:
    """What one variant needs, read afresh; a fixed number of queries."""
    return facts.need_of(facts.variants_with_needs().get(pk=variant.pk))


def check_name(name: str, field: str = "name") -> None:
    """RegistrationError for `field` unless the name can stand in an address."""
    try:
        validate_slug(name)
    except ValidationError as error:
        problem = f"{name!r} is no name: letters, digits, hyphens and underscores only"
        raise RegistrationError(field, problem) from error
    if len(name) > MAX_NAME:
        raise RegistrationError(field, f"a name has at most {MAX_NAME} characters")


def _read(said: Registration, data: bytes) -> _Bytes:
    """Check everything that can be refused without the database, then store the bytes."""
    check_name(said.name)
    if said.accuracy is not None and not 0 <= said.accuracy <= 1:
        problem = f"an accuracy is a fraction from 0 to 1, not {said.accuracy}"
        raise RegistrationError("accuracy", problem)
    check_size(len(data))
    description = describe(data)
    return _Bytes(store_bytes(data), description)


def _write(release: Release, said: Registration, file: _Bytes) -> Variant:
    media_type = MEDIA_TYPES[file.network.file_format]
    artifact = artifact_row(file.digest, file.description.file_bytes, media_type)
    variant, created = Variant.objects.get_or_create(
        release=release, name=said.name, defaults=_columns(said, file, artifact)
    )
    if not created:
        _restate(variant, said, artifact)
    measurements.record(variant, _figures(said, file))
    log.info("variant_registered", variant=variant.pk, created=created)
    return variant


def _columns(said: Registration, file: _Bytes, artifact: Artifact) -> dict[str, Any]:
    return {"artifact": artifact, **read_columns(file.description), **_stated(said)}


def read_columns(description: Description) -> dict[str, Any]:
    """What a variant's row says of its file, all of it read from the bytes."""
    return {
        "precision": precision_of(description),
        "operators": description.network.operator_versions,
        "dtypes": _listed(description.known_dtypes),
        "description": description.as_json(settings.DESCRIBED_LAYERS_MAX),
    }


def _listed(names: frozenset[str] | None) -> list[str] | None:
    return None if names is None else sorted(names)


def _stated(said: Registration) -> dict[str, Any]:
    return {
        "sensors": None if said.sensors is None else [dict(sensor) for sensor in said.sensors],
        "parent": said.parent,
        "technique": said.technique,
        "mlflow_model": said.mlflow_model,
        "mlflow_version": said.mlflow_version,
        "mlflow_run_id": said.mlflow_run_id,
    }


def _restate(variant: Variant, said: Registration, artifact: Artifact) -> None:
    """A job that runs again after a crash finds its variant and completes what is said of it."""
    if variant.artifact_id != artifact.pk:
        problem = f"{variant} is there with other bytes; choose another name or release"
        raise RegistrationError("name", problem)
    for name, value in _stated(said).items():
        if value not in (None, ""):
            setattr(variant, name, value)
    variant.save()


def precision_of(description: Description) -> str:
    """The type that the network computes in: what is quantized beforehand, else its input's.

    An input of whole numbers that are indices or flags says nothing.
    """
    quantization = description.quantization
    if quantization.scheme is Scheme.STATIC and len(quantization.activations) == 1:
        return quantization.activations[0].lower()
    types = [tensor.dtype.lower() for tensor in (*description.inputs, *description.outputs)]
    return next((dtype for dtype in types if dtype not in {"int32", "int64", "bool"}), "")


def _figures(said: Registration, file: _Bytes) -> Iterator[Figure]:
    yield from derived_figures(file.description)
    if said.accuracy is not None:
        yield Figure(Metric.ACCURACY, said.accuracy, Status.MEASURED, said.accuracy_source)
