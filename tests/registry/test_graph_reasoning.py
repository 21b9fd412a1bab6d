"""What the projection says and what the ontology says do not contradict each other."""

import pytest

from ontology.namespaces import PREFIXES, subject_iri
from ontology.reasoning import check_consistency, java_path
from registry.models import CitedWork, SubjectKind, Technique
from registry.projection.facts import BareBoard
from registry.projection.subjects import all_keys, project
from registry.services.networks import Registration, import_network
from registry.services.rdf_import import Document, import_documents
from registry.services.things import describe_device
from tests.core.test_descriptions import DEVICE, NETWORK
from tests.registry.graph_world import make_world
from tests.registry.published_world import load_facts
from tests.registry.tiny_networks import dense

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(
        java_path() is None, reason="HermiT needs Java, and there is none on the path"
    ),
]

HEAD = "".join(f"@prefix {prefix}: <{iri}> .\n" for prefix, iri in PREFIXES.items())


@pytest.fixture
def statements(make_td):
    """Every triple of a small inventory: boards, devices, networks of all sorts, verdicts."""
    world = make_world()
    describe_device(world.hall, make_td("hall", "nano"))
    world.nano.onboard_sensors.update(least=94.0, greatest=120.0, unit="dB", power_mw=1.0)
    import_network("net", Registration("as-it-came"), dense())
    publish(world)
    import_documents([Document("it.ttl", (HEAD + DEVICE + NETWORK).encode())])
    return stated({kind: all_keys(kind) for kind in SubjectKind})


def stated(keys):
    """The graphs of these subjects as Turtle."""
    bare = BareBoard.from_settings()
    triples = (
        triple
        for kind, some in keys.items()
        for graph in project(kind, some, bare).values()
        for triple in graph or ()
    )
    return HEAD + "".join(f"{triple} .\n" for triple in triples)


def test_what_is_published_agrees_with_the_ontology(db):
    load_facts()
    sampled = (SubjectKind.VARIANT, SubjectKind.VERDICTS, SubjectKind.MODEL, SubjectKind.RELEASE)
    keys = {kind: all_keys(kind)[::30] for kind in sampled}
    keys[SubjectKind.TECHNIQUE] = all_keys(SubjectKind.TECHNIQUE)
    assert check_consistency(extra_turtle=stated(keys)).consistent


def publish(world):
    """A language model that is small for the hall, with figures that disagree and a remark."""
    model = world.release.model
    model.language_model, model.traits = True, {"rotary_positions": True, "convolutional": False}
    model.save()
    said = {"metric": "frame_rate_hz", "unit": "1/s", "status": "published", "dataset": "d"}
    first, second = (
        world.large.measurements.create(value=value, source=source, conditions="cold", **said)
        for value, source in ((1.0, "a paper"), (2.0, "its repository"))
    )
    first.disputes.add(second)
    world.large.remarks.create(text="out of memory", source="a paper", board=world.tiny)
    Technique.objects.create(slug="t", name="T", preconditions=["rotary_positions"], achieved="x")
    CitedWork.objects.create(slug="w", title="W", out_of_scope_because="it is about another thing")


def test_the_graph_of_an_inventory_agrees_with_the_ontology(statements):
    assert check_consistency(extra_turtle=statements).consistent


def test_a_graph_that_mixes_up_two_kinds_of_thing_does_not(statements):
    board = subject_iri("board", "nano")
    assert not check_consistency(extra_turtle=f"{statements}<{board}> tf:slotBytes 1 .").consistent
