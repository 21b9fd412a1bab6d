"""/key-requests/ and /known-devices/: who may join, and by which key."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import django_filters
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import APIException
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from orchestrator.api.permissions import DevicePermissions, KnownDevicePermissions
from orchestrator.models import KeyRequest, KnownDevice
from orchestrator.services import enrolment, known_devices


class KeyConflict(APIException):
    """A decision on a key that does not wait any more."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"


class KeyRequestSerializer(serializers.ModelSerializer[KeyRequest]):
    """A member's new key, by fingerprints: SHA-256 of the SubjectPublicKeyInfo in DER."""

    device = serializers.SlugRelatedField[KeyRequest](slug_field="device_id", read_only=True)
    old_fingerprint = serializers.CharField(help_text="Of the accepted key; empty: none yet")
    new_fingerprint = serializers.CharField()

    class Meta:
        model = KeyRequest
        fields = (
            "id",
            "device",
            "old_fingerprint",
            "new_fingerprint",
            "asked_at",
            "rejected_at",
        )


class KeyRequestFilter(django_filters.FilterSet):
    """By device, and whether it still waits."""

    device = django_filters.CharFilter(field_name="device__device_id")
    waits = django_filters.BooleanFilter(field_name="rejected_at", lookup_expr="isnull")

    class Meta:
        model = KeyRequest
        fields: tuple[str, ...] = ()


class KeyRequestViewSet(viewsets.ReadOnlyModelViewSet[KeyRequest]):
    """New keys of members, which an operator accepts or rejects."""

    queryset = KeyRequest.objects.select_related("device").defer("device__td")
    serializer_class = KeyRequestSerializer
    filterset_class = KeyRequestFilter
    lookup_value_regex = "[0-9]{1,18}"

    @extend_schema(request=None, responses={204: None})
    @action(detail=True, methods=["post"], permission_classes=[DevicePermissions])
    def accept(self, request: Request, pk: str) -> Response:
        """Let the new key take the old one's place; the old one's connection is cut."""
        return self._decide(enrolment.accept_key)

    @extend_schema(request=None, responses={204: None})
    @action(detail=True, methods=["post"], permission_classes=[DevicePermissions])
    def reject(self, request: Request, pk: str) -> Response:
        """Turn the new key away; the device stays a member with the one that it has."""
        return self._decide(enrolment.reject_key)

    def _decide(self, decision: Callable[[KeyRequest, datetime], None]) -> Response:
        try:
            decision(self.get_object(), timezone.now())
        except enrolment.NotWaiting as error:
            raise KeyConflict(str(error)) from error
        return Response(status=status.HTTP_204_NO_CONTENT)


class KnownDeviceSerializer(serializers.ModelSerializer[KnownDevice]):
    """An id of the list; one that has let its device in is `used_at` that moment."""

    class Meta:
        model = KnownDevice
        fields = ("device_id", "key_sha256", "listed_at", "used_at")


class KnownListSerializer(serializers.Serializer[object]):
    """A CSV file with ids."""

    file = serializers.FileField(help_text="device_id and, where wanted, key_sha256")


class ListedSerializer(serializers.Serializer[known_devices.Listed]):
    """What came of a list, in ids."""

    added = serializers.IntegerField()
    changed = serializers.IntegerField(help_text="With another fingerprint now")
    unchanged = serializers.IntegerField()


class KnownDeviceViewSet(viewsets.ReadOnlyModelViewSet[KnownDevice]):
    """Ids that may join without a token, each once."""

    queryset = KnownDevice.objects.all()
    permission_classes = (KnownDevicePermissions,)
    parser_classes = (MultiPartParser,)
    serializer_class = KnownDeviceSerializer
    filterset_fields = ("device_id",)
    lookup_field = "device_id"

    @extend_schema(
        request={"multipart/form-data": KnownListSerializer}, responses={200: ListedSerializer}
    )
    def create(self, request: Request) -> Response:
        """Put the ids of a CSV file on the list, all of them or none."""
        said = KnownListSerializer(data=request.data)
        said.is_valid(raise_exception=True)
        try:
            listed = known_devices.import_file(said.validated_data["file"], timezone.now())
        except known_devices.ListError as error:
            raise serializers.ValidationError({"file": [str(error)]}) from error
        return Response(ListedSerializer(listed).data)
