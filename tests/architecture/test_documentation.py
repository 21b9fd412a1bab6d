"""What can be set, sent, run or asked is documented."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.core.management import get_commands
from django.urls import get_resolver

from orchestrator.protocol.topics import TopicKind

ROOT = Path(__file__).resolve().parents[2]
OURS = {"deploy", "orchestrator", "registry"}
SETTING = r"TINYFLEET_[A-Z0-9_]+"
ROUTE = re.compile(r"api/v1/\^?(\w[\w-]*)")
QUERIES = sorted((ROOT / "ontology/queries").glob("*.rq"))
INTERNAL_SETTINGS = {"TINYFLEET_DATA", "TINYFLEET_DEMO_FOLDER"}


def all_documentation() -> str:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    return "\n".join(page.read_text() for page in pages)


def settings_in_code() -> set[str]:
    files = [path for package in OURS for path in (ROOT / package).rglob("*.py")]
    return {
        name for path in files for name in re.findall(r"TINYFLEET_[A-Z0-9_]+", path.read_text())
    }


def test_every_setting_is_documented_and_every_documented_one_exists() -> None:
    documented = set(re.findall(SETTING, (ROOT / "docs/settings.md").read_text()))
    assert settings_in_code() - INTERNAL_SETTINGS == documented


@pytest.mark.parametrize("kind", list(TopicKind))
def test_every_topic_is_documented(kind: TopicKind) -> None:
    page = (ROOT / "docs/mqtt-protocol.md").read_text()
    assert kind.value.replace("_", "/") in page or kind.value.partition("_")[0] in page


@pytest.mark.parametrize("name", sorted(n for n, app in get_commands().items() if app in OURS))
def test_every_command_is_documented(name: str) -> None:
    assert re.search(rf"\b{name}\b", all_documentation())


@pytest.mark.parametrize(
    "path", sorted((ROOT / "ontology/queries").glob("*.rq")), ids=lambda p: p.stem
)
def test_every_query_is_documented(path: Path) -> None:
    assert path.stem in all_documentation()


def api_routes() -> list[str]:
    routes = []

    def walk(resolver, prefix: str) -> None:
        for entry in resolver.url_patterns:
            here = prefix + str(entry.pattern)
            if hasattr(entry, "url_patterns"):
                walk(entry, here)
            elif here.startswith("api/v1/"):
                routes.append(here)

    walk(get_resolver(), "")
    return routes


def test_every_route_is_documented() -> None:
    documentation = all_documentation()
    roots = {
        match.group(1)
        for route in api_routes()
        if (match := re.match(r"api/v1/\^?(\w[\w-]*)", route))
    }
    assert roots
    assert {root for root in roots if root not in documentation} == set()
