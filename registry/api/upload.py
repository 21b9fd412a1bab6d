"""A .tflite or .onnx file that comes over HTTP: the same registration as `import_model`."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from rest_framework import serializers, status
from rest_framework.exceptions import APIException

from registry.models import Release, Variant
from registry.services.input_sources import InputSourceError, parse_input_source
from registry.services.networks import (
    ArtifactError,
    FormatError,
    Registration,
    RegistrationError,
    import_network,
    register,
)


class FileTooLarge(APIException):
    """413: more bytes than ARTIFACT_MAX_BYTES."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"


class VariantUploadSerializer(serializers.Serializer[object]):
    """A file and what is said of it."""

    file = serializers.FileField(help_text="A .tflite or .onnx file", max_length=400)
    model = serializers.SlugField(max_length=120, help_text="The model; made where it is new")
    name = serializers.SlugField(max_length=120, help_text="The variant's name in its release")
    release = serializers.IntegerField(
        required=False, min_value=1, help_text="An existing release; a new one by default"
    )
    input = serializers.CharField(
        required=False,
        help_text="What feeds it: SENSOR[,RATE[,SHAPE]], e.g. microphone,16000; or none",
    )
    accuracy = serializers.FloatField(required=False, min_value=0, max_value=1)
    technique = serializers.CharField(required=False, max_length=120)
    parent = serializers.IntegerField(  # type: ignore[assignment]  # a field, not the serializer's
        required=False, help_text="The variant that it came of"
    )

    def validate_file(self, file: UploadedFile[bytes]) -> UploadedFile[bytes]:
        """Refuse by the announced size, before the bytes are read into memory."""
        limit = settings.ARTIFACT_MAX_BYTES
        if file.size is not None and file.size > limit:
            problem = f"The file has {file.size} bytes, more than the {limit} allowed."
            raise FileTooLarge({"file": [problem]})
        return file

    def validate_input(self, text: str) -> list[dict[str, Any]] | None:
        """The text as sensors."""
        try:
            return parse_input_source(text)
        except InputSourceError as error:
            raise serializers.ValidationError(str(error)) from error

    def validate_parent(self, pk: int) -> Variant:
        """The parent's row."""
        parent = Variant.objects.filter(pk=pk).first()
        if parent is None:
            raise serializers.ValidationError(f"There is no variant {pk}.")
        return parent


def register_upload(said: dict[str, Any]) -> Variant:
    """Register an upload; what the service refuses becomes a 400 that names the field."""
    registration = Registration(
        name=said["name"],
        sensors=said.get("input"),
        accuracy=said.get("accuracy"),
        accuracy_source="stated at upload",
        technique=said.get("technique", ""),
        parent=said.get("parent"),
    )
    try:
        return _register(said, registration, said["file"].read())
    except (FormatError, ArtifactError) as error:
        raise serializers.ValidationError({"file": [str(error)]}) from error
    except RegistrationError as error:
        raise serializers.ValidationError({error.field: [str(error)]}) from error


def _register(said: dict[str, Any], registration: Registration, data: bytes) -> Variant:
    model, number = said["model"], said.get("release")
    if number is None:
        source = f"uploaded file {said['file'].name}"[:300]
        return import_network(model, registration, data, origin=source)
    release = Release.objects.filter(model__name=model, number=number).first()
    if release is None:
        raise serializers.ValidationError({"release": [f"{model!r} has no release {number}."]})
    return register(release, registration, data)
