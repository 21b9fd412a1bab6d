"""Every route of the installation."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

from deploy.health import health
from registry.api.sparql import SparqlView

admin.site.index_title = "Overview"

urlpatterns: list[URLPattern | URLResolver] = [
    path("", RedirectView.as_view(pattern_name="admin:index", permanent=False)),
    path("admin/", admin.site.urls),
    path("api/", include("registry.api.urls")),
    path("api/", include("orchestrator.api.urls")),
    path("sparql", SparqlView.as_view(), name="sparql"),
    path("health", health, name="health"),
]
