"""/boards/ and /runtimes/: the catalogue, read-only; it is changed by its files."""

from __future__ import annotations

from typing import ClassVar

from rest_framework import serializers, viewsets

from registry.api.fields import NamesField, OperatorsField, ShapeField
from registry.models import BoardType, OnboardSensor, Runtime


class OnboardSensorSerializer(serializers.ModelSerializer[OnboardSensor]):
    """A sensor soldered to the board; `least` and `greatest`, in `unit`, are its range.

    The current is what the whole part draws under the conditions.
    """

    shape = ShapeField(allow_null=True)

    class Meta:
        model = OnboardSensor
        fields = (
            "kind",
            "part",
            "observes",
            "max_rate_hz",
            "shape",
            "least",
            "greatest",
            "unit",
            "power_mw",
            "current_ma",
            "conditions",
            "source",
        )


class BoardSerializer(serializers.ModelSerializer[BoardType]):
    """A kind of hardware; sizes in bytes, the clock in hertz."""

    sensors = OnboardSensorSerializer(source="onboard_sensors", many=True)

    class Meta:
        model = BoardType
        fields = (
            "slug",
            "name",
            "vendor",
            "mcu",
            "core",
            "clock_hz",
            "ram_bytes",
            "flash_bytes",
            "sensors",
            "url",
            "source",
        )


class BoardViewSet(viewsets.ReadOnlyModelViewSet[BoardType]):
    """Board types with their facts and where these were read."""

    queryset = BoardType.objects.prefetch_related("onboard_sensors")
    serializer_class = BoardSerializer
    lookup_field = "slug"
    filterset_fields: ClassVar[dict[str, list[str]]] = {
        "vendor": ["exact", "icontains"],
        "name": ["icontains"],
        "mcu": ["exact", "icontains"],
        "core": ["exact"],
        "ram_bytes": ["gte", "lte"],
        "flash_bytes": ["gte", "lte"],
        "onboard_sensors__kind": ["exact"],
    }


class RuntimeSerializer(serializers.ModelSerializer[Runtime]):
    """An interpreter; an operator's version is the highest that it takes."""

    operators = OperatorsField()
    dtypes = NamesField()

    class Meta:
        model = Runtime
        fields = ("id", "name", "version", "kernels", "operators", "dtypes", "source")


class RuntimeViewSet(viewsets.ReadOnlyModelViewSet[Runtime]):
    """Interpreters with the operators that they register."""

    queryset = Runtime.objects.all()
    serializer_class = RuntimeSerializer
    filterset_fields = ("name", "version", "kernels")
