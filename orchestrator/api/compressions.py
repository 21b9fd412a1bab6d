"""/compressions/ and /compression-offers/: search for variants until a fleet is served."""

from __future__ import annotations

from collections.abc import Callable

import django_filters
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import APIException, PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from orchestrator.api.compression_serializers import (
    CompressionDetailSerializer,
    CompressionOfferSerializer,
    CompressionOrderSerializer,
    CompressionSerializer,
)
from orchestrator.api.permissions import SteeringPermissions
from orchestrator.models import CompressionOffer, Job, JobStatus, OfferStatus
from orchestrator.services import compression_offers, jobs
from orchestrator.services.compression_orders import (
    COMPRESS,
    OrderError,
    OutOfScope,
    order_compression,
)


class CompressionConflict(APIException):
    """An order that the present status of a job or an offer does not allow."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"


class CompressionFilter(django_filters.FilterSet):
    """By status, model or fleet."""

    status = django_filters.ChoiceFilter(choices=JobStatus.choices)
    model = django_filters.CharFilter(field_name="payload__model")
    fleet = django_filters.CharFilter(field_name="payload__fleet")

    class Meta:
        model = Job
        fields: tuple[str, ...] = ()


class CompressionViewSet(viewsets.ReadOnlyModelViewSet[Job]):
    """Searches: ordered, watched, cancelled and tried again."""

    queryset = Job.objects.filter(kind=COMPRESS)
    filterset_class = CompressionFilter
    lookup_value_regex = "[0-9]{1,18}"

    def get_serializer_class(self) -> type[serializers.BaseSerializer[Job]]:
        """Standings are worked out from the trials, so only one job at a time shows them."""
        return CompressionSerializer if self.action == "list" else CompressionDetailSerializer

    @extend_schema(request=CompressionOrderSerializer, responses={201: CompressionDetailSerializer})
    def create(self, request: Request) -> Response:
        """Have the workers search; what nothing dominates becomes a release of the model."""
        said = CompressionOrderSerializer(data=request.data)
        said.is_valid(raise_exception=True)
        try:
            job = order_compression(said.order(), request.user)
        except OrderError as error:
            raise ValidationError({error.field: [error.sentence]}) from error
        except OutOfScope as error:
            raise PermissionDenied(str(error)) from error
        return Response(CompressionDetailSerializer(job).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=None, responses=CompressionDetailSerializer)
    @action(detail=True, methods=["post"], permission_classes=[SteeringPermissions])
    def cancel(self, request: Request, pk: str) -> Response:
        """End it at its next step; finished trials are kept."""
        return self._steer(jobs.cancel)

    @extend_schema(request=None, responses=CompressionDetailSerializer)
    @action(detail=True, methods=["post"], permission_classes=[SteeringPermissions])
    def retry(self, request: Request, pk: str) -> Response:
        """Let one that failed or was cancelled go on from what it has."""
        return self._steer(jobs.retry)

    def _steer(self, order: Callable[[Job], Job]) -> Response:
        try:
            job = order(self.get_object())
        except jobs.JobRefusal as error:
            raise CompressionConflict(str(error)) from error
        return Response(CompressionDetailSerializer(job).data)


class CompressionOfferFilter(django_filters.FilterSet):
    """By status."""

    status = django_filters.ChoiceFilter(choices=OfferStatus.choices)

    class Meta:
        model = CompressionOffer
        fields: tuple[str, ...] = ()


class CompressionOfferViewSet(viewsets.ReadOnlyModelViewSet[CompressionOffer]):
    """Searches that new kinds of device suggest; somebody accepts or dismisses them."""

    queryset = CompressionOffer.objects.select_related("model", "fleet").prefetch_related(
        "profiles__board"
    )
    serializer_class = CompressionOfferSerializer
    filterset_class = CompressionOfferFilter
    lookup_value_regex = "[0-9]{1,18}"

    @extend_schema(request=None, responses={201: CompressionDetailSerializer})
    @action(detail=True, methods=["post"], permission_classes=[SteeringPermissions])
    def accept(self, request: Request, pk: str) -> Response:
        """Order the search that is offered."""
        try:
            job = compression_offers.accept(self.get_object(), request.user, timezone.now())
        except (compression_offers.OfferRefusal, OrderError) as error:
            raise CompressionConflict(str(error)) from error
        except OutOfScope as error:
            raise PermissionDenied(str(error)) from error
        return Response(CompressionDetailSerializer(job).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=None, responses=CompressionOfferSerializer)
    @action(detail=True, methods=["post"], permission_classes=[SteeringPermissions])
    def dismiss(self, request: Request, pk: str) -> Response:
        """Do not offer these kinds of device again for this model."""
        offer = self.get_object()
        try:
            compression_offers.dismiss(offer, request.user, timezone.now())
        except compression_offers.OfferRefusal as error:
            raise CompressionConflict(str(error)) from error
        return Response(CompressionOfferSerializer(offer).data)
