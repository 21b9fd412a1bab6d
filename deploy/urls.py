"""Every route of the installation."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path
from django.views.generic import RedirectView

from deploy import broker_endpoint
from deploy.health import health
from orchestrator.admin.compliance import compliance_page
from registry.api.service_description import VoidView
from registry.api.sparql import SparqlView

admin.site.index_title = "Overview"

urlpatterns: list[URLPattern | URLResolver] = [
    path("", RedirectView.as_view(pattern_name="admin:index", permanent=False)),
    path("admin/compliance/", admin.site.admin_view(compliance_page), name="compliance-page"),
    path("admin/", admin.site.urls),
    path("api/", include("registry.api.urls")),
    path("api/", include("orchestrator.api.urls")),
    re_path(r"^sparql/?$", SparqlView.as_view(), name="sparql"),
    path(".well-known/void", VoidView.as_view(), name="void"),
    path("", include("registry.api.directory_urls")),
    path("health", health, name="health"),
    path("broker/emqx/authenticate", broker_endpoint.emqx_authenticate),
    path("broker/emqx/authorize", broker_endpoint.emqx_authorize),
    path("broker/http/authenticate", broker_endpoint.http_authenticate),
    path("broker/http/authorize", broker_endpoint.http_authorize),
    path("broker/http/superuser", broker_endpoint.http_superuser),
]
