"""Routes under /api/: what changes in the fleet."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path
from rest_framework.routers import SimpleRouter

from orchestrator.api.aliases import MlflowAliasViewSet
from orchestrator.api.compliance import ComplianceView
from orchestrator.api.compressions import CompressionOfferViewSet, CompressionViewSet
from orchestrator.api.enrolment import KeyRequestViewSet, KnownDeviceViewSet
from orchestrator.api.observations import (
    DriftAlertViewSet,
    JobViewSet,
    LearningTaskViewSet,
    TelemetryViewSet,
)
from orchestrator.api.rollouts import DeploymentViewSet, RolloutViewSet

router = SimpleRouter()
router.register("rollouts", RolloutViewSet, basename="rollout")
router.register("deployments", DeploymentViewSet, basename="deployment")
router.register("telemetry", TelemetryViewSet, basename="telemetry")
router.register("key-requests", KeyRequestViewSet, basename="key-request")
router.register("known-devices", KnownDeviceViewSet, basename="known-device")
router.register("compressions", CompressionViewSet, basename="compression")
router.register("compression-offers", CompressionOfferViewSet, basename="compression-offer")
router.register("jobs", JobViewSet, basename="job")
router.register("mlflow-aliases", MlflowAliasViewSet, basename="mlflow-alias")
router.register("drift-alerts", DriftAlertViewSet, basename="drift-alert")
router.register("learning-tasks", LearningTaskViewSet, basename="learning-task")

urlpatterns: list[URLPattern | URLResolver] = [
    path("v1/compliance/", ComplianceView.as_view(), name="compliance"),
    path("v1/", include(router.urls)),
]
