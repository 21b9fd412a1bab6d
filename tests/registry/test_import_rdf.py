"""`import_rdf` on the published descriptions, and the published queries on what it made of them."""

from __future__ import annotations

import json
import re
from collections import Counter
from io import StringIO
from pathlib import Path

import pyoxigraph as ox
import pytest
from django.core.management import CommandError, call_command
from django.db.models import Q
from django.test import Client

from ontology.descriptions.terms import OTHER_NAMESPACES
from ontology.namespaces import ONTOLOGY, PREFIXES, expand
from ontology.store import MemoryStore
from ontology.vocabulary import materialised_triples
from registry.models import (
    BoardType,
    Device,
    FirmwareBuild,
    GraphChange,
    Measurement,
    RegisteredModel,
    SubjectKind,
    Variant,
)
from registry.projection.facts import BareBoard
from registry.projection.subjects import all_keys, graph_iri, project
from registry.services.graph_sync import drain
from registry.services.sparql import close_pools
from tests.registry.asking import answers

pytestmark = pytest.mark.django_db

DEVICES = {
    "Arduino-Nano-BLE-33_1": 19,
    "Arduino-Nano-BLE-33-Tinyml-Kit_1": 21,
    "SSI-Web_1": 8,
    "Syntiant-TinyML-Board_1": 16,
    "Adafruit-Pybadge_1": 2,
    "adafruit_tflite_micro_kit_1": 12,
    "MS200_1": 8,
    "targetv_1": 0,
    "npu_s7_realsense_1": 3,
}
TITLE = re.compile(r'td:title "([^"]+)"@en ;\s*\.\s*$')
SUBJECT = re.compile(r"^<(.+)>$", re.MULTILINE)


def import_rdf(*paths: Path) -> str:
    out = StringIO()
    call_command("import_rdf", *map(str, paths), stdout=out)
    return out.getvalue()


@pytest.fixture
def descriptions(data_dir: Path) -> Path:
    return data_dir / "ren" / "descriptions"


@pytest.fixture
def imported(descriptions: Path) -> str:
    return import_rdf(descriptions)


@pytest.fixture
def graph(imported: str, tmp_path: Path, settings):
    """The projection of the inventory and the ontology, where /sparql reads it."""
    settings.GRAPH_DIR, settings.GRAPH_URL = tmp_path / "graph", ""
    store = ox.Store(str(settings.GRAPH_DIR))
    bare = BareBoard.from_settings()
    graphs = {
        graph_iri(kind, key): triples or []
        for kind in SubjectKind
        for key, triples in project(kind, all_keys(kind), bare).items()
    }
    for name, triples in (graphs | {ONTOLOGY: materialised_triples()}).items():
        store.extend(ox.Quad(*triple, ox.NamedNode(name)) for triple in triples)
    store.flush()
    yield store
    close_pools()


@pytest.fixture
def ask(graph, django_user_model):
    client = Client()
    client.force_login(django_user_model.objects.create_user("asker"))

    def rows(query: str) -> list[dict[str, str]]:
        answer = client.get("/sparql", {"query": query}, headers={"accept": "application/json"})
        assert answer.status_code == 200, answer.content
        bindings = json.loads(answer.content)["results"]["bindings"]
        return [{name: term["value"] for name, term in row.items()} for row in bindings]

    return rows


def published_query(data_dir: Path, number: int) -> str:
    """As published, but for the namespaces and the PREFIX lines that it forgot."""
    text = (data_dir / "ren" / f"query_{number}.txt").read_text()
    for older, prefix in OTHER_NAMESPACES.items():
        text = text.replace(f"<{older}>", f"<{PREFIXES[prefix]}>")
    used = {prefix for prefix in re.findall(r"\b([a-z][\w-]*):\w", text) if prefix in PREFIXES}
    stated = set(re.findall(r"PREFIX ([\w-]+):", text))
    missing = [f"PREFIX {prefix}: <{PREFIXES[prefix]}>" for prefix in sorted(used - stated)]
    return "\n".join([*missing, text])


def test_what_the_published_searches_ask_is_asked_in_standard_sparql(imported):
    drain(store := MemoryStore())
    rows = answers(store, "networks-about", word=ox.Literal("Speech"))
    described = Variant.objects.filter(
        Q(release__model__name__icontains="speech")
        | Q(release__model__description__icontains="speech")
    )
    assert {row["network"] for row in rows} == {str(each.pk) for each in described}
    needs = {"ramKilobytes", "flashKilobytes", "macs", "creator"}
    assert rows and all(needs <= set(row) for row in rows)
    assert {row["sensors"] for row in rows} == {"microphone"}
    scores = [row["score"] for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert max(scores) > min(scores)

    def boards(kind: str) -> set[str]:
        sensors = expand(f"sosa_extend:{kind}")
        found = answers(store, "devices-about", **{"word": ox.Literal("ARDUINO"), "class": sensors})
        return {row["description"] for row in found}

    assert boards("Gyroscope") == {"Arduino Nano BLE 33.", "Arduino Nano BLE 33 TinyML Kit."}
    assert boards("Camera") == {"Arduino Nano BLE 33 TinyML Kit."}


def test_the_published_queries_have_their_published_answers(ask, data_dir):
    rows = {number: ask(published_query(data_dir, number)) for number in (1, 2, 3, 4)}
    assert {number: len(found) for number, found in rows.items()} == {1: 2, 2: 2, 3: 4, 4: 9}
    assert {float(row["Acc"]) for row in rows[3]} == {92.1, 82.3, 83.0, 93.2}
    assert {row["Category"] for row in rows[3]} == {expand("nnet:Classification")}
    board = next(row for row in rows[4] if row["Description"].startswith("SIEMENS MS200"))
    assert float(board["RAM"]) == 31


def title_of(descriptions: Path) -> dict[str, str]:
    """The title that each device's own file gives it, by its IRI."""
    texts = [path.read_text() for path in descriptions.glob("*.ttl")]
    return {SUBJECT.search(text)[1]: title[1] for text in texts if (title := TITLE.search(text))}


def matched() -> list[dict]:
    out = StringIO()
    call_command("match", "--only", "ram,flash,sensors", "--json", stdout=out)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_the_published_matching_comes_out_for_each_device(imported, descriptions):
    title = title_of(descriptions)
    name = {row.device_id: title[row.iri] for row in Device.objects.all()}
    lines = matched()
    fits = Counter(name[each["device"]] for each in lines if each["verdict"] == "fits")
    assert {title: fits[title] for title in name.values()} == DEVICES
    assert (fits.total(), len(lines)) == (89, 207)


PAGE = Path(__file__).resolve().parents[2] / "docs/how-to/import-rdf.md"
IN_PUBLISHED_TERMS = re.findall(r"```sparql\n(.+?)```", PAGE.read_text(), re.DOTALL)[0]
BY_VERDICT_EDGES = """
SELECT ?device ?network WHERE {
  ?device tf:profile ?profile . ?network tf:hasVerdictOn|tf:fits|tf:unknownFor ?profile .
  FILTER NOT EXISTS { ?network tf:failsRam|tf:unknownRam|tf:failsFlash|tf:unknownFlash
                        |tf:failsSensors|tf:unknownSensors ?profile }
}"""
HEAD = "".join(f"PREFIX {prefix}: <{iri}>\n" for prefix, iri in PREFIXES.items())


def test_sparql_answers_the_same_question_alike(ask):
    ids = {str(variant): str(variant.pk) for variant in Variant.objects.all()}
    expected = {
        (graph_iri(SubjectKind.DEVICE, each["device"]),
         graph_iri(SubjectKind.VARIANT, ids[each["variant"]]))
        for each in matched() if each["verdict"] == "fits"
    }  # fmt: skip
    for query in (IN_PUBLISHED_TERMS, HEAD + BY_VERDICT_EDGES):
        pairs = [(row["device"], row["network"]) for row in ask(query)]
        assert len(pairs) == len(expected) == 89
        assert set(pairs) == expected


def test_every_mend_is_told(imported):
    told = imported.splitlines()
    for sentence in (
        "ms200.ttl: sosa_extend::Magnetometer has a colon too many;"
        " read as sosa_extend:Magnetometer.",
        "tflite_models.ttl: <None> is no IRI; the nnet:trainingDataset of Mapping_Dance is taken"
        " as not known.",
        "tflite_models.ttl: the accuracy of Move is given as 0.0; taken as not known.",
        "ms200.ttl: 2 sizes are in om:kilobyte; read as 1000 bytes each, not 1024.",
    ):
        assert sentence in told
    assert told[-2:] == [
        "devices:  9 created, 0 updated, 0 unchanged",
        "networks: 23 created, 0 updated, 0 unchanged",
    ]


def test_figures_are_published_ones_with_their_source(imported):
    network = RegisteredModel.objects.get(name="Micro_Speech_Yes_No_1")
    variant = Variant.objects.get(release__model=network)
    figures = {row.metric: row.value for row in variant.measurements.all()}
    assert figures == {
        "arena_bytes": 8080, "flash_bytes": 18712, "macs": 336000, "accuracy": 0.921,
    }  # fmt: skip
    rows = variant.measurements.all()
    assert {(row.status, row.source) for row in rows} == {("published", variant.iri)}
    assert (variant.artifact, variant.precision, variant.runtimes) == (
        None, "int8", ["tflite-micro"],
    )  # fmt: skip
    zero = Variant.objects.get(release__model__name="Move")
    assert not zero.measurements.filter(metric="accuracy").exists()


def everything() -> list[list[dict]]:
    kinds = (BoardType, FirmwareBuild, Device, RegisteredModel, Variant, Measurement, GraphChange)
    return [list(kind.objects.order_by("pk").values()) for kind in kinds]


def test_a_second_import_changes_nothing(imported, descriptions):
    before = everything()
    told = import_rdf(descriptions).splitlines()
    assert told[-2:] == [
        "devices:  0 created, 0 updated, 9 unchanged",
        "networks: 0 created, 0 updated, 23 unchanged",
    ]
    assert everything() == before


def test_a_later_description_updates_what_it_says_otherwise(imported, descriptions, tmp_path):
    text = (descriptions / "ms200.ttl").read_text().replace("schema:value 31", "schema:value 64")
    later = tmp_path / "ms200.ttl"
    later.write_text(text)
    assert "devices:  0 created, 1 updated, 0 unchanged" in import_rdf(later)
    device = Device.objects.get(description="SIEMENS MS200 MicroController")
    assert device.profile.firmware.arena_budget_bytes == 64_000
    assert Device.objects.count() == 9


def test_one_document_at_fault_keeps_all_others_out(descriptions, tmp_path):
    (tmp_path / "good.ttl").write_text((descriptions / "ms200.ttl").read_text())
    (tmp_path / "cut.ttl").write_text((descriptions / "targetV.ttl").read_text()[:-200])
    with pytest.raises(CommandError, match=r"nothing was imported: cut\.ttl: .*line"):
        import_rdf(tmp_path)
    assert not Device.objects.exists()
    assert not GraphChange.objects.exists()
