"""/devices/ and /fleets/: units in the field and their named selections."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import Count, QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from registry.api import compatibility, ranking
from registry.api.fields import (
    NamesField,
    ObjectField,
    OperatorsField,
    SensorSerializer,
    TraitsField,
)
from registry.api.filters import WholeNumberFilter
from registry.models import CapabilityProfile, Device, DeviceStatus, FirmwareBuild, Fleet, Variant
from registry.models.techniques import check_traits
from registry.selection.terms import FilterError
from registry.services import inventory
from registry.services.device_selection import read_filter, selecting
from registry.services.matching import candidates, capacity_of_device
from registry.services.ranked import ranked
from registry.services.registrations import document_of


class FirmwareSerializer(serializers.ModelSerializer[FirmwareBuild]):
    """A firmware build with the capacity that it declares, in bytes."""

    runtime = serializers.StringRelatedField[Any](allow_null=True)
    operators = OperatorsField(allow_null=True)
    dtypes = NamesField(allow_null=True)

    class Meta:
        model = FirmwareBuild
        fields = (
            "name",
            "version",
            "runtime",
            "arena_budget_bytes",
            "slot_bytes",
            "operators",
            "dtypes",
        )


class ProfileSerializer(serializers.ModelSerializer[CapabilityProfile]):
    """What a device can do; equal devices share it."""

    board = serializers.SlugRelatedField[Any](slug_field="slug", read_only=True)
    firmware = FirmwareSerializer(allow_null=True)
    sensors = SensorSerializer(many=True, allow_null=True)

    class Meta:
        model = CapabilityProfile
        fields = ("digest", "board", "firmware", "sensors")


class InstalledSerializer(serializers.ModelSerializer[Variant]):
    """The variant that a device runs."""

    variant = serializers.CharField(source="__str__", help_text="model/release/name")

    class Meta:
        model = Variant
        fields = ("id", "variant")


class DeviceSerializer(serializers.ModelSerializer[Device]):
    """One unit."""

    profile = ProfileSerializer(allow_null=True)
    installed = InstalledSerializer(allow_null=True)
    fleets = serializers.SlugRelatedField[Any](slug_field="slug", many=True, read_only=True)

    class Meta:
        model = Device
        fields: tuple[str, ...] = (
            "device_id",
            "iri",
            "description",
            "status",
            "profile",
            "fleets",
            "installed",
            "installed_at",
            "created_at",
            "accepted_at",
        )


class DeviceDetailSerializer(DeviceSerializer):
    """One unit with its Thing Description."""

    traits = TraitsField()
    td = serializers.SerializerMethodField(help_text="The Thing Description as it came")

    class Meta(DeviceSerializer.Meta):
        fields = (*DeviceSerializer.Meta.fields, "traits", "td")

    @extend_schema_field(ObjectField(allow_null=True))
    def get_td(self, device: Device) -> Any:
        return document_of(device.td) if device.td else None


class TraitsSerializer(serializers.Serializer[object]):
    """What holds where a device is used: preconditions of techniques by name."""

    traits = TraitsField(validators=[check_traits])


class DeviceFilter(django_filters.FilterSet):  # type: ignore[misc]  # untyped
    """By status, board, fleet, installed variant or capability profile; or by a whole filter."""

    status = django_filters.ChoiceFilter(choices=DeviceStatus.choices)
    board = django_filters.CharFilter(field_name="profile__board__slug")
    fleet = django_filters.CharFilter(field_name="fleets__slug")
    profile = django_filters.CharFilter(field_name="profile__digest")
    installed = WholeNumberFilter(field_name="installed")
    filter = django_filters.CharFilter(
        method="selected", help_text="E.g. `board = nano-33-ble and sensor = microphone`"
    )

    def selected(self, devices: QuerySet[Device], name: str, text: str) -> QuerySet[Device]:
        """Those that a filter means, in the language of docs/how-to/choose-devices.md."""
        try:
            return devices.filter(selecting(read_filter(text), timezone.now()))
        except FilterError as error:
            raise serializers.ValidationError({name: [str(error)]}) from error

    class Meta:
        model = Device
        fields: tuple[str, ...] = ()


class DeviceViewSet(viewsets.ReadOnlyModelViewSet[Device]):
    """Devices with their capability profile and what they run."""

    queryset = Device.objects.select_related(
        "profile__board", "profile__firmware__runtime", "installed__release__model"
    ).prefetch_related("fleets")
    serializer_class = DeviceSerializer
    filterset_class = DeviceFilter
    lookup_field = "device_id"

    def get_serializer_class(self) -> type[serializers.BaseSerializer[Device]]:
        return DeviceDetailSerializer if self.action == "retrieve" else DeviceSerializer

    @extend_schema(
        operation_id="devices_compatible_variants",
        parameters=[ranking.CandidatesQuery],
        responses=ranking.RankedVariantSerializer(many=True),
    )
    @action(detail=True, url_path="compatible-variants", filterset_class=None)
    def compatible_variants(self, request: Request, device_id: str) -> Response:
        """Every variant that fits this device, or came to another verdict, the best first."""
        asked = compatibility.parse_query(ranking.CandidatesQuery, request)
        rows = ranked(
            capacity_of_device(self.get_object()),
            candidates(asked.get("model"), reference=asked["reference"]),
            ranking.ranking_of(asked),
            limits=compatibility.limits_of(asked),
            only=asked.get("only", ()),
        )
        page: Any = self.paginate_queryset(ranking.wanted(rows, asked))  # type: ignore[arg-type]
        return self.get_paginated_response([ranking.ranked_json(row) for row in page or ()])

    @extend_schema(
        operation_id="devices_traits", request=TraitsSerializer, responses=TraitsSerializer
    )
    @action(detail=True, methods=["put"], url_path="traits", filterset_class=None)
    def traits(self, request: Request, device_id: str) -> Response:
        """State which preconditions of techniques hold where this device is used."""
        said = TraitsSerializer(data=request.data)
        said.is_valid(raise_exception=True)
        device = self.get_object()
        inventory.set_traits(device, said.validated_data["traits"])
        return Response({"traits": device.traits})


class FleetSerializer(serializers.ModelSerializer[Fleet]):
    """A named selection; `devices` sets its members, GET /devices/?fleet=SLUG lists them."""

    devices = serializers.ListField(
        child=serializers.SlugField(), write_only=True, required=False, help_text="Device ids"
    )
    device_count = serializers.IntegerField(read_only=True)

    class Meta:
        model = Fleet
        fields = ("slug", "name", "description", "devices", "device_count")

    def validate_devices(self, ids: list[str]) -> list[Device]:
        """All must exist: a typing error must not silently shrink a fleet."""
        known = {device.device_id: device for device in Device.objects.filter(device_id__in=ids)}
        missing = [name for name in ids if name not in known]
        if missing:
            shown = ", ".join(missing[:5])
            raise serializers.ValidationError(f"There are no devices {shown}.")
        return list(known.values())

    def create(self, validated_data: dict[str, Any]) -> Fleet:
        return self._save(Fleet(), validated_data)

    def update(self, instance: Fleet, validated_data: dict[str, Any]) -> Fleet:
        return self._save(instance, validated_data)

    def _save(self, fleet: Fleet, data: dict[str, Any]) -> Fleet:
        devices = data.pop("devices", None)
        for name, value in data.items():
            setattr(fleet, name, value)
        inventory.save_fleet(fleet, devices)
        return Fleet.objects.annotate(device_count=Count("devices")).get(pk=fleet.pk)


class FleetViewSet(viewsets.ModelViewSet[Fleet]):
    """Fleets: named selections that rollouts aim at."""

    queryset = Fleet.objects.annotate(device_count=Count("devices")).order_by("slug")
    serializer_class = FleetSerializer
    lookup_field = "slug"

    def perform_destroy(self, instance: Fleet) -> None:
        inventory.delete_fleet(instance)
