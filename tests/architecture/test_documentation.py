"""What can be set, sent, run or asked is documented."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.core.management import get_commands
from django.urls import get_resolver

from orchestrator.protocol import topics
from orchestrator.protocol.topics import TopicKind
from registry.services.device_selection import selection_fields

ROOT = Path(__file__).resolve().parents[2]
OURS = {"deploy", "orchestrator", "registry"}
SETTING = r"TINYFLEET_[A-Z0-9_]+"
ROUTE = re.compile(r"api/v1/\^?(\w[\w-]*)")
QUERIES = sorted((ROOT / "ontology/queries").glob("*.rq"))
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
INTERNAL_SETTINGS = {"TINYFLEET_DEMO_FOLDER"}


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


QUOTA_ROW = re.compile(r"^\| `TINYFLEET_(\w+)` \|", re.MULTILINE)


def test_every_quota_of_delivery_is_exceeded_by_a_test() -> None:
    section = (ROOT / "docs/operations.md").read_text().partition("## Quotas")[2]
    quotas = QUOTA_ROW.findall(section.partition("\n## ")[0])
    tests = (ROOT / "tests/orchestrator/test_quotas.py").read_text()
    assert quotas
    assert [name for name in quotas if f"def test_{name.lower()}_" not in tests] == []


def topic_as_documented(kind: TopicKind) -> str:
    """The topic's path under the root as its builder makes it, with names for its parts."""
    if kind is TopicKind.ARTIFACT_BLOCK:
        built = topics.artifact_block("ab" * 32, 10, 7)
        assert built == f"{topics.ROOT}/artifacts/{'ab' * 32}/10/7"
        return "artifacts/{sha256}/{n}/{block}"
    built = getattr(topics, kind.value)("pump-1")
    assert topics.parse(built).kind is kind
    return built.removeprefix(f"{topics.ROOT}/").replace("pump-1", "{device}")


@pytest.mark.parametrize("kind", list(TopicKind))
def test_every_topic_is_documented(kind: TopicKind) -> None:
    page = (ROOT / "docs/mqtt-protocol.md").read_text()
    assert f"| `{kind.value}` | `{topic_as_documented(kind)}` |" in page


@pytest.mark.parametrize("name", sorted(n for n, app in get_commands().items() if app in OURS))
def test_every_command_is_documented(name: str) -> None:
    assert re.search(rf"manage\.py {name}\b|`{name}[` ]", all_documentation())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, heading = link.partition("#")
        target = (page.parent / name) if name else page
        if not target.exists() or (heading and heading not in headings(target)):
            broken.append(link)
    assert broken == []


def headings(page: Path) -> set[str]:
    """The anchors of a page, as GitHub makes them of its headings."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


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


@pytest.mark.parametrize("name", selection_fields())
def test_every_field_of_filters_is_documented(name: str) -> None:
    field = selection_fields()[name]
    page = (ROOT / "docs/how-to/choose-devices.md").read_text()
    assert f"| `{name}` | {field.kind} | {field.means} |" in page
