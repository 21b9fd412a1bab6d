"""Rows as triples: what each graph holds, and what making it costs."""

from collections import Counter

import pyoxigraph as ox
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ontology.facts import Answer
from ontology.matching import assess
from ontology.namespaces import ID, expand
from ontology.vocabulary import ontology_triples
from registry.models import CapabilityProfile, Device, SubjectKind
from registry.projection.facts import (
    BareBoard,
    capacity_of,
    need_of,
    profiles_with_capacity,
    variants_with_needs,
)
from registry.projection.subjects import all_keys, graph_iri, project
from registry.services.networks import Registration, import_network
from registry.services.things import describe_device
from tests.registry.graph_world import make_variant, make_world
from tests.registry.published_world import load_facts
from tests.registry.tiny_networks import dense

pytestmark = pytest.mark.django_db


@pytest.fixture
def world():
    return make_world()


def everything():
    """Every graph by its name."""
    bare = BareBoard.from_settings()
    return {
        graph_iri(kind, key): triples
        for kind in SubjectKind
        for key, triples in project(kind, all_keys(kind), bare).items()
    }


def test_no_triple_stands_in_two_graphs(world):
    times = Counter(triple for triples in everything().values() for triple in set(triples))
    assert [str(triple) for triple, count in times.items() if count > 1] == []


def test_a_graph_speaks_of_its_own_subject_only(world):
    for name, triples in everything().items():
        subject = name.replace("/verdicts/", "/variant/")
        assert {t.subject.value.partition("#")[0] for t in triples} == {subject}


def test_every_class_and_property_of_the_graph_is_in_the_ontology(world, make_td):
    load_facts()
    describe_device(world.hall, make_td("hall", "nano"))
    import_network("net", Registration("as-it-came"), dense())
    world.nano.onboard_sensors.update(least=94.0, greatest=120.0, unit="dB", power_mw=1.5)
    declared = {triple.subject.value for triple in ontology_triples()}
    terms = {
        term.value
        for triples in everything().values()
        for triple in triples
        for term in (triple.predicate, triple.object)
        if isinstance(term, ox.NamedNode) and not term.value.startswith(ID)
    }
    assert terms - declared - {expand("rdf:type")} == set()


def test_what_is_not_known_is_not_said(world):
    board = project(SubjectKind.BOARD, ["tiny"], BareBoard.from_settings())["tiny"]
    assert expand("tf:clockHz") not in {triple.predicate.value for triple in board}
    assert not any(
        triple.object.value == "" for triples in everything().values() for triple in triples
    )


def test_every_link_to_a_subject_leads_to_one(world):
    graphs = everything()
    names = {triple.subject.value for triples in graphs.values() for triple in triples}
    links = {
        triple.object.value
        for triples in graphs.values()
        for triple in triples
        if triple.object.value.startswith(ID) and "/target/" not in triple.object.value
    }
    assert links - names == set()


def test_a_subject_without_a_row_has_no_graph(world):
    found = project(SubjectKind.RELEASE, ["words/1", "words/2"], BareBoard.from_settings())
    assert found["words/2"] is None
    assert found["words/1"]


def queries_to_project(kind):
    keys = all_keys(kind)
    with CaptureQueriesContext(
        connection,
    ) as captured:
        project(kind, keys, BareBoard(0.5, 0.5))
    return len(captured)


@pytest.mark.parametrize("kind", SubjectKind)
def test_projecting_more_rows_asks_the_database_no_more(world, kind):
    before = queries_to_project(kind)
    for number in range(5):
        make_variant(world.release, f"more-{number}", 100, {"CONV_2D": 1}, parent=world.large)
        profile = CapabilityProfile.objects.create(
            digest=f"{number}" * 64, board=world.nano, firmware=world.firmware, sensors=None
        )
        device = Device.objects.create(device_id=f"more-{number}", profile=profile)
        device.fleets.add(world.fleet)
    assert queries_to_project(kind) == before


def test_firmware_that_leaves_it_open_has_its_runtimes_operators(world):
    world.firmware.operators = None
    world.firmware.dtypes = None
    world.firmware.save()
    capacity = capacity_of(profiles_with_capacity().get(pk=world.hearing.pk), BareBoard(0.5, 0.5))
    assert capacity.operators == world.runtime.operators
    assert capacity.dtypes == {"int8", "int32"}


def test_a_bare_board_is_judged_with_a_visible_reserve(world):
    profile = profiles_with_capacity().get(pk=world.bare.pk)
    unknown = capacity_of(profile, BareBoard(0.25, 0.5))
    assert (unknown.arena_budget_bytes, unknown.slot_bytes) == (15_000, 96_000)
    assert (unknown.assumed, unknown.runtime, unknown.operators) == (True, None, None)
    likely = capacity_of(profile, BareBoard(0.25, 0.5, world.runtime))
    assert likely.operators == world.runtime.operators


def test_a_figure_from_a_device_holds_for_its_board_type(world):
    for device, arena in ((world.hall, 55_000.0), (world.shed, 1.0)):
        world.large.measurements.create(
            device=device, runtime=world.runtime, metric="arena_bytes", value=arena, unit="B",
            status="measured", source="telemetry",
        )  # fmt: skip
    stranger = Device.objects.create(device_id="stranger")
    world.large.measurements.create(
        device=stranger, metric="arena_bytes", value=2.0, unit="B", status="measured", source="x"
    )
    need = need_of(variants_with_needs().get(pk=world.large.pk))
    hearing = capacity_of(world.hearing, BareBoard(0.5, 0.5))
    ram = assess(need, hearing).reasons[1]
    assert (ram.need, ram.headroom) == (55_000, 5_000)


def test_a_figure_at_another_precision_does_not_count(world):
    world.large.measurements.create(
        metric="accuracy", value=0.99, unit="1", status="measured", source="x", precision="float32"
    )
    need = need_of(variants_with_needs().get(pk=world.large.pk))
    assert [f.value for f in need.figures if f.metric == "accuracy"] == [0.97]


def test_the_world_is_judged_as_worked_out_by_hand(world):
    large, small = (need_of(v) for v in variants_with_needs().order_by("pk"))
    hearing = capacity_of(world.hearing, BareBoard(0.5, 0.5))
    assert assess(large, hearing).answer is Answer.FITS
    assert assess(small, hearing).answer is Answer.DOES_NOT_FIT  # RESHAPE is not linked


def test_a_part_on_a_board_says_its_range_and_power(world):
    world.nano.onboard_sensors.update(least=94.0, greatest=120.0, unit="dB", power_mw=1.5)
    board = project(SubjectKind.BOARD, ["nano"], BareBoard.from_settings())["nano"]
    said = {(t.predicate.value, t.object.value) for t in board if "#sensor-1" in t.subject.value}
    assert said >= {
        (expand("ssn:forProperty"), expand("tf:SoundPressure")),
        (expand("tf:powerMilliwatts"), "1.5"),
        (expand("schema:minValue"), "94"),
        (expand("schema:maxValue"), "120"),
        (expand("schema:unitText"), "dB"),
    }
