"""The API describes itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import Client

pytestmark = pytest.mark.django_db


def test_the_schema_is_valid_and_made_without_a_warning(tmp_path: Path) -> None:
    file = tmp_path / "schema.json"
    call_command(
        "spectacular",
        "--validate",
        "--fail-on-warn",
        "--format",
        "openapi-json",
        "--file",
        str(file),
    )
    schema = json.loads(file.read_text())
    verdict = schema["components"]["schemas"]["Verdict"]
    assert set(verdict["properties"]) == {"verdict", "assumed", "reasons"}
    assert {"/api/v1/compatibility/", "/api/v1/devices/{device_id}/compatible-variants/"} <= set(
        schema["paths"]
    )


def test_schema_and_documentation_are_served_from_here(reader: Client) -> None:
    assert reader.get("/api/schema/").status_code == 200
    page = reader.get("/api/docs/").content.decode()
    assert "swagger-ui-bundle.js" in page
    assert "cdn.jsdelivr" not in page
