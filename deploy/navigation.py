"""The admin's titles and side bar."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse_lazy


def _page(title: str, icon: str, name: str) -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": reverse_lazy(f"admin:{name}_changelist")}


def mlflow_address(request: HttpRequest) -> str:
    """Where this installation's experiments are tracked."""
    from orchestrator.services import mlflow_server  # it needs the apps, which settings come before

    return mlflow_server.mlflow_address()


NAVIGATION: list[dict[str, Any]] = [
    {
        "title": "Fleet",
        "items": [
            {"title": "Overview", "icon": "dashboard", "link": reverse_lazy("admin:index")},
            _page("Devices", "memory", "registry_device"),
            _page("Things directory", "menu_book", "registry_thingregistration"),
            _page("Fleets", "workspaces", "registry_fleet"),
            _page("Capability profiles", "fingerprint", "registry_capabilityprofile"),
            _page("Enrolment tokens", "key", "orchestrator_enrolmenttoken"),
            _page("Known devices", "checklist", "orchestrator_knowndevice"),
            _page("New keys", "passkey", "orchestrator_keyrequest"),
        ],
    },
    {
        "title": "Models",
        "items": [
            _page("Models", "model_training", "registry_registeredmodel"),
            _page("Releases", "new_releases", "registry_release"),
            _page("Variants", "deployed_code", "registry_variant"),
            _page("Measurements", "straighten", "registry_measurement"),
            _page("Artifacts", "inventory_2", "registry_artifact"),
        ],
    },
    {
        "title": "Operations",
        "items": [
            _page("Rollouts", "rocket_launch", "orchestrator_rollout"),
            {"title": "Compliance", "icon": "rule", "link": reverse_lazy("compliance-page")},
            _page("Deployments", "sync", "orchestrator_deployment"),
            _page("Telemetry", "monitoring", "orchestrator_telemetry"),
            _page("Drift alerts", "troubleshoot", "orchestrator_driftalert"),
            _page("Learning tasks", "school", "orchestrator_learningtask"),
            _page("Jobs", "task", "orchestrator_job"),
            _page("MLflow aliases", "label", "orchestrator_mlflowalias"),
            _page("Offers to compress", "compress", "orchestrator_compressionoffer"),
            _page("Arena reports", "memory_alt", "orchestrator_arenareport"),
            _page("Dropped messages", "block", "orchestrator_droppedmessage"),
        ],
    },
    {
        "title": "Administration",
        "items": [
            _page("Users", "person", "auth_user"),
            _page("Roles", "groups", "auth_group"),
            _page("Scopes", "shield_person", "registry_fleetscope"),
            _page("Audit trail", "history", "registry_auditentry"),
        ],
    },
    {
        "title": "Catalogue",
        "items": [
            _page("Board types", "developer_board", "registry_boardtype"),
            _page("Runtimes", "terminal", "registry_runtime"),
            _page("Firmware builds", "package_2", "registry_firmwarebuild"),
        ],
    },
    {
        "title": "Ask",
        "items": [
            {"title": "SPARQL", "icon": "hub", "link": "/sparql"},
            {"title": "API", "icon": "api", "link": "/api/docs/"},
            {"title": "MLflow", "icon": "experiment", "link": mlflow_address},
        ],
    },
]

ADMIN_SITE: dict[str, Any] = {
    "SITE_TITLE": "TinyFleet",
    "SITE_HEADER": "TinyFleet",
    "SITE_SUBHEADER": "What fits what, and why not",
    "SITE_SYMBOL": "memory",
    "SHOW_HISTORY": True,
    "DASHBOARD_CALLBACK": "deploy.dashboard.dashboard_context",
    "SIDEBAR": {"show_search": True, "navigation": NAVIGATION},
}
