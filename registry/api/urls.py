"""Routes under /api/: the resources of the inventory, the schema and its pages."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView
from rest_framework.routers import SimpleRouter

from registry.api import openapi  # noqa: F401  # its schemes are known once it is imported
from registry.api.audit import AuditViewSet
from registry.api.compatibility import CompatibilityView
from registry.api.devices import DeviceViewSet, FleetViewSet
from registry.api.graph import GraphView
from registry.api.hardware import BoardViewSet, RuntimeViewSet
from registry.api.networks import ModelViewSet, ReleaseViewSet, VariantViewSet
from registry.api.ranking import WhatIfView
from registry.api.techniques import CitedWorkViewSet, TechniqueViewSet

router = SimpleRouter()
router.register("audit", AuditViewSet, basename="audit")
router.register("boards", BoardViewSet, basename="board")
router.register("runtimes", RuntimeViewSet, basename="runtime")
router.register("devices", DeviceViewSet, basename="device")
router.register("fleets", FleetViewSet, basename="fleet")
router.register("models", ModelViewSet, basename="model")
router.register("releases", ReleaseViewSet, basename="release")
router.register("variants", VariantViewSet, basename="variant")
router.register("techniques", TechniqueViewSet, basename="technique")
router.register("cited-works", CitedWorkViewSet, basename="cited-work")

_to_docs = RedirectView.as_view(pattern_name="api-docs")

urlpatterns: list[URLPattern | URLResolver] = [
    path("", _to_docs),
    path("v1/", _to_docs),
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("docs/", SpectacularSwaggerView.as_view(url_name="schema"), name="api-docs"),
    path("v1/compatibility/", CompatibilityView.as_view(), name="compatibility"),
    path("v1/graph/", GraphView.as_view(), name="graph"),
    path("v1/what-if/", WhatIfView.as_view(), name="what-if"),
    path("v1/", include(router.urls)),
]
