"""What the graph says applies is what the rule says applies, whoever states what."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from ontology.describe import Description
from ontology.facts import Answer
from ontology.matching import assess_technique
from ontology.namespaces import subject_iri
from ontology.preconditions import known_preconditions
from ontology.store import MemoryStore
from registry.models import Technique
from registry.projection.techniques import describe_technique, describe_traits
from tests.registry.asking import answers

KEYS = ["rotary_positions", "reused_chunks", "int8", "small_language_model", "latency_measured"]
DEVICE, PROFILE = subject_iri("device", "d"), subject_iri("profile", "p")
VARIANT, SIBLING = subject_iri("variant", "1"), subject_iri("variant", "2")
RELEASE, MODEL = subject_iri("release", "m/1"), subject_iri("model", "m")
TARGET = subject_iri("target", "t")

# What depends on network and device together is nobody's to state.
stated = st.dictionaries(st.sampled_from(KEYS[:3]), st.booleans())
asks = st.lists(st.sampled_from(KEYS), min_size=1, max_size=3, unique=True)


@given(
    techniques=st.lists(asks, max_size=4),
    model=stated,
    told=stated,
    device=stated,
    small=st.sampled_from([True, False, None]),
    measured=st.tuples(st.booleans(), st.booleans()),
)
@settings(max_examples=60, deadline=None)
def test_the_query_is_the_rule(techniques, model, told, device, small, measured) -> None:
    rows = [
        Technique(
            slug=f"t{number}", name=f"T{number}", preconditions=keys, achieved="x", source="s"
        )
        for number, keys in enumerate(techniques)
    ]
    # A statement about the model outweighs what clues tell of the variant.
    told = {key: holds for key, holds in told.items() if key not in model}
    store = projected(rows, model, told, device, small is True, measured)
    known = {"small_language_model": small, "family_latency_measured": all(measured) or None}
    expected = {
        row.slug
        for row in rows
        if assess_technique(
            [known_preconditions()[key] for key in row.preconditions], model | told, [device], known
        ).answer
        is Answer.FITS
    }
    found = answers(store, "techniques-for-pair", variant=VARIANT, device=DEVICE)
    assert {row["technique"] for row in found} == expected


def projected(rows, model, told, device, small, measured) -> MemoryStore:
    unit = Description(DEVICE).a("tf:Device").is_to("tf:profile", PROFILE)
    network = Description(VARIANT).is_to("tf:ofRelease", RELEASE)
    sibling = Description(SIBLING).is_to("tf:ofRelease", RELEASE)
    network.is_to("tf:smallFor", *([PROFILE] if small else []))
    for member, was_measured in zip((network, sibling), measured, strict=True):
        member.is_to("tf:latencyMeasuredOn", *([TARGET] if was_measured else []))
    task = Description(MODEL)
    for thing, traits in ((unit, device), (network, told), (task, model)):
        describe_traits(thing, traits)
    graphs = [unit, network, sibling, task, *map(describe_technique, rows)]
    graphs.append(Description(RELEASE).is_to("tf:ofModel", MODEL))
    graphs.append(Description(PROFILE).is_to("tf:target", TARGET))
    store = MemoryStore()
    for each in graphs:
        store.replace_graph(each.iri.value, each.triples)
    return store
