"""/rollouts/ and /deployments/: campaigns and what came of each device's update."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import django_filters
from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from orchestrator.api.permissions import ApprovingPermissions, SteeringPermissions
from orchestrator.api.plan_serializers import PlanSerializer
from orchestrator.api.rollout_serializers import (
    DeploymentDetailSerializer,
    DeploymentSerializer,
    PassedOverSerializer,
    RolloutDetailSerializer,
    RolloutOrderSerializer,
    RolloutSerializer,
)
from orchestrator.models import Deployment, DeploymentPurpose, Rollout, RolloutStatus
from orchestrator.protocol.messages import DeploymentStatus
from orchestrator.services import rollouts
from orchestrator.services.plan_summaries import summarise
from orchestrator.services.plans import Assignment
from orchestrator.services.rollouts import Plan, RolloutError
from orchestrator.services.steering import steer
from registry.api.filters import WholeNumberFilter

_PAGE = [
    OpenApiParameter("limit", OpenApiTypes.INT, description="Assignments on a page"),
    OpenApiParameter("offset", OpenApiTypes.INT, description="Assignments to leave out"),
]


class RolloutConflict(APIException):
    """An order that the rollout's present status does not allow."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"


class RolloutFilter(django_filters.FilterSet):
    """By status, by the model or release that is sent, or by whether no person made it."""

    status = django_filters.ChoiceFilter(choices=RolloutStatus.choices)
    model = django_filters.CharFilter(field_name="release__model__name")
    release = WholeNumberFilter(field_name="release")
    variant = WholeNumberFilter(field_name="variant")
    proposed = django_filters.BooleanFilter(method="by_proposal")

    def by_proposal(self, rows: QuerySet[Rollout], name: str, proposed: bool) -> QuerySet[Rollout]:
        """Those that a move in MLflow proposed, or the others."""
        return rows.exclude(proposal="") if proposed else rows.filter(proposal="")

    class Meta:
        model = Rollout
        fields: tuple[str, ...] = ()


class RolloutViewSet(viewsets.ReadOnlyModelViewSet[Rollout]):
    """Rollouts: made as drafts, then started, paused, resumed, aborted and retried."""

    queryset = Rollout.objects.select_related(
        "release__model",
        "variant__release__model",
        "variant__artifact",
        "created_by",
        "approved_by",
    )
    serializer_class = RolloutSerializer
    filterset_class = RolloutFilter
    lookup_value_regex = "[0-9]+"

    def get_object(self) -> Rollout:
        """A number beyond any key is not found, not an error of the database."""
        if len(self.kwargs["pk"]) > 18:
            raise Http404
        return super().get_object()

    def get_serializer_class(self) -> type[serializers.BaseSerializer[Rollout]]:
        """Waves cost a count over deployments, so only one rollout at a time shows them."""
        return RolloutDetailSerializer if self.action == "retrieve" else RolloutSerializer

    @extend_schema(request=RolloutOrderSerializer, responses={201: RolloutDetailSerializer})
    def create(self, request: Request) -> Response:
        """Make a draft. It is planned at once and refused where nothing fits anybody."""
        order = _order(request)
        try:
            rollout = rollouts.create_rollout(**order, user=_user(request))
        except RolloutError as error:
            raise _refusal(error) from error
        return Response(RolloutDetailSerializer(rollout).data, status=status.HTTP_201_CREATED)

    @extend_schema(
        operation_id="rollouts_plan_order",
        request=RolloutOrderSerializer,
        parameters=_PAGE,
        responses=PlanSerializer,
    )
    @action(detail=False, methods=["post"], url_path="plan", filterset_class=None)
    def plan_order(self, request: Request) -> Response:
        """A dry run of a rollout that is not made: nothing is written."""
        order = _order(request)
        try:
            draft = rollouts.draft_rollout(**order, user=_user(request))
            planned = rollouts.plan(draft)
        except RolloutError as error:
            raise _refusal(error) from error
        return self._plan_page(draft, planned)

    @extend_schema(operation_id="rollouts_plan", parameters=_PAGE, responses=PlanSerializer)
    @action(detail=True, url_path="plan", filterset_class=None)
    def plan(self, request: Request, pk: str) -> Response:
        """A dry run on the devices as they are now; of use before the start."""
        rollout = self.get_object()
        try:
            planned = rollouts.plan(rollout)
        except RolloutError as error:
            raise RolloutConflict(str(error)) from error
        return self._plan_page(rollout, planned)

    def _plan_page(self, rollout: Rollout, planned: Plan) -> Response:
        page = self.paginate_queryset(planned.assignments)  # type: ignore[arg-type]
        plan = plan_json(rollout, planned, _user(self.request), page or [])
        return Response(PlanSerializer(plan).data)

    @extend_schema(request=None, responses=RolloutDetailSerializer)
    @action(detail=True, methods=["post"], permission_classes=[ApprovingPermissions])
    def approve(self, request: Request, pk: str) -> Response:
        """Approve what somebody else has made, so that it can be started."""
        return self._steer(lambda rollout: rollouts.approve(rollout, _user(request)))

    @extend_schema(request=None, responses=RolloutDetailSerializer)
    @action(detail=True, methods=["post"], permission_classes=[SteeringPermissions])
    def start(self, request: Request, pk: str) -> Response:
        """Send it on its way, or schedule it where its start is still to come."""
        return self._steer(rollouts.start_rollout)

    @extend_schema(request=None, responses=RolloutDetailSerializer)
    @action(detail=True, methods=["post"], permission_classes=[SteeringPermissions])
    def pause(self, request: Request, pk: str) -> Response:
        """Send nothing more until it is resumed."""
        return self._steer(rollouts.pause)

    @extend_schema(request=None, responses=RolloutDetailSerializer)
    @action(detail=True, methods=["post"], permission_classes=[SteeringPermissions])
    def resume(self, request: Request, pk: str) -> Response:
        """Go on where it was paused."""
        return self._steer(rollouts.resume)

    @extend_schema(request=None, responses=RolloutDetailSerializer)
    @action(detail=True, methods=["post"], permission_classes=[SteeringPermissions])
    def abort(self, request: Request, pk: str) -> Response:
        """End it; what is not installed yet is cancelled."""
        return self._steer(rollouts.abort)

    @extend_schema(request=None, responses=PassedOverSerializer)
    @action(detail=True, methods=["post"], permission_classes=[SteeringPermissions])
    def retry(self, request: Request, pk: str) -> Response:
        """One more attempt for what did not come through; what is left alone is said with why."""
        return self._steer_and_tell(rollouts.retry_failed)

    @extend_schema(request=None, responses=PassedOverSerializer)
    @action(
        detail=True,
        methods=["post"],
        url_path="roll-back",
        permission_classes=[SteeringPermissions],
    )
    def roll_back(self, request: Request, pk: str) -> Response:
        """Send its devices back to what each ran before; its release is champion no more."""
        return self._steer_and_tell(rollouts.roll_back)

    def _steer_and_tell(self, order: Callable[[Rollout], Rollout]) -> Response:
        """With whom the order leaves alone, and why."""
        answer = self._steer(order)
        left = rollouts.left_alone(self.get_object())
        return Response({**answer.data, "left_alone": [asdict(each) for each in left]})

    def _steer(self, order: Callable[[Rollout], Rollout]) -> Response:
        try:
            rollout = steer(order, self.get_object(), _user(self.request))
        except RolloutError as error:
            raise RolloutConflict(str(error)) from error
        return Response(RolloutDetailSerializer(rollout).data)


def _order(request: Request) -> dict[str, Any]:
    serializer = RolloutOrderSerializer(data=request.data)
    serializer.is_valid(raise_exception=True)
    return serializer.order()


def _refusal(error: RolloutError) -> ValidationError:
    """One sentence in `detail`, and one for each field that does not hold in `fields`."""
    return ValidationError({"detail": str(error), "fields": dict(error.fields)})


def _user(request: Request) -> Any:
    return request.user if request.user.is_authenticated else None


def plan_json(rollout: Rollout, planned: Plan, user: Any, page: list[Assignment]) -> dict[str, Any]:
    """A plan as PlanSerializer shows it, with one page of its assignments."""
    summary = summarise(rollout, planned)
    return {
        "devices": summary.devices,
        "refusal": rollouts.objection(rollout, planned, user),
        "outcomes": summary.outcomes,
        "variants": {each.name: each.devices for each in summary.variants},
        "waves": [each.devices for each in summary.waves],
        "refused": [asdict(each) for each in summary.refused],
        "download_bytes": summary.download_bytes,
        "published_bytes": summary.published_bytes,
        "expected_s": summary.expected.seconds if summary.expected else None,
        "expected_from": summary.expected.updates if summary.expected else 0,
        "offline": summary.offline,
        "taken_over": [asdict(each) for each in summary.taken_over],
        "assignments": page,
    }


class DeploymentFilter(django_filters.FilterSet):
    """By rollout, wave number, device, variant, status, purpose, openness and attempt."""

    rollout = WholeNumberFilter(field_name="wave__rollout")
    wave = WholeNumberFilter(field_name="wave__number")
    device = django_filters.CharFilter(field_name="device__device_id")
    variant = WholeNumberFilter(field_name="variant")
    status = django_filters.ChoiceFilter(choices=[(s.value, s.value) for s in DeploymentStatus])
    purpose = django_filters.ChoiceFilter(choices=DeploymentPurpose.choices)
    is_open = django_filters.BooleanFilter()
    is_newest = django_filters.BooleanFilter()

    class Meta:
        model = Deployment
        fields: tuple[str, ...] = ()


class DeploymentViewSet(viewsets.ReadOnlyModelViewSet[Deployment]):
    """Single updates; one of them shows its history."""

    queryset = Deployment.objects.select_related(
        "wave", "device", "variant__release__model", "previous__release__model"
    ).defer("manifest", "device__td")
    serializer_class = DeploymentSerializer
    filterset_class = DeploymentFilter

    def get_serializer_class(self) -> type[serializers.BaseSerializer[Deployment]]:
        return DeploymentDetailSerializer if self.action == "retrieve" else DeploymentSerializer
