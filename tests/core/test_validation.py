"""What a description lacks comes back as a sentence that names thing, property and rule."""

import pytest

from ontology.describe import Description
from ontology.facts import Capacity, Figure, Metric, Need, RuntimeId, Sensor, Status
from ontology.graph import describe_capacity, describe_figure, describe_need
from ontology.namespaces import subject_iri
from ontology.validation import incompletenesses

BOARD = subject_iri("board", "nano")


def sentences(description):
    return [each.sentence for each in incompletenesses(description.triples)]


def profile(**facts):
    found = Description(subject_iri("profile", "p")).is_to("tf:board", BOARD)
    runtime = facts.get("runtime")
    found.is_to("tf:runtime", None if runtime is None else subject_iri("runtime", "1"))
    describe_capacity(found, Capacity("p", **facts))
    return found


COMPLETE = {
    "slot_bytes": 1,
    "arena_budget_bytes": 1,
    "runtime": RuntimeId("tflite-micro"),
    "operators": {},
    "dtypes": frozenset(),
    "sensors": (Sensor("microphone", 16_000.0),),
}


def test_a_complete_profile_lacks_nothing():
    assert sentences(profile(**COMPLETE)) == []


@pytest.mark.parametrize(
    ("fact", "sentence"),
    [
        ("slot_bytes", "(tf:slotBytes) must state the size of a slot once, as a number of bytes"),
        (
            "arena_budget_bytes",
            "(tf:arenaBudgetBytes) must state its arena budget once, as a number of bytes",
        ),
        ("runtime", "(tf:runtime) must have one runtime"),
        ("operators", "(tf:declares) must declare its operators"),
        ("dtypes", "(tf:declares) must declare its tensor types"),
        ("sensors", "(tf:declares) must declare its sensors, or that it has none"),
    ],
)
def test_a_profile_must_say_what_matching_needs(fact, sentence):
    assert sentences(profile(**{**COMPLETE, fact: None})) == [f"profile/p {sentence}"]


def test_a_sensor_must_state_its_rate():
    assert sentences(profile(**{**COMPLETE, "sensors": (Sensor("microphone"),)})) == [
        "profile/p#sensor-1 (tf:maxRateHz) must state its highest rate once, in hertz above zero"
    ]


def test_a_device_must_have_a_profile_and_a_proper_identifier():
    device = Description(subject_iri("device", "X")).a("tf:Device")
    device.has("dcterms:identifier", "No Good").has("tf:enrolmentStatus", "lost")
    assert sentences(device) == [
        "device/X (dcterms:identifier) must have one identifier of small letters, digits and "
        "hyphens, at most 63",
        "device/X (tf:enrolmentStatus) must be pending, accepted, rejected or revoked",
        "device/X (tf:profile) must have one capability profile",
    ]


def test_a_variant_must_say_what_it_needs_and_where_it_came_from():
    variant = Description(subject_iri("variant", "1")).a("tf:Variant")
    describe_need(variant, Need("1"))
    rules = {each.path for each in incompletenesses(variant.triples)}
    assert rules == {
        "tf:ofRelease",
        "tf:artifact",
        "tf:needsFlashBytes",
        "tf:needsOperator",
        "tf:needsDtype",
        "tf:declares",
        "tf:runsOn",
        "prov:wasGeneratedBy",
        "^sosa:hasFeatureOfInterest",
    }


def rules_of(name, *classes):
    """What a thing of which nothing but its classes is said must still say."""
    thing = Description(subject_iri(name, "1")).a(*classes)
    return {(each.path, each.rule) for each in incompletenesses(thing.triples)}


@pytest.mark.parametrize(
    ("thing", "path", "rule"),
    [
        ("tf:Runtime", "tf:providesOperator", "must name the operators that it registers"),
        (
            "tf:FirmwareBuild",
            "tf:slotBytes",
            "must declare the size of a slot once, as a number of bytes",
        ),
        ("tf:TrainingRun", "tf:trainedOn", "must say on which data it trained"),
        ("tf:CompressionStep", "tf:technique", "must name its technique"),
        ("tf:Technique", "tf:achieved", "must say what it achieved"),
        ("nnet:Layer", "tf:operatorName", "must name one operator"),
        ("tf:Tensor", "tf:dtype", "must be of one type"),
        ("tf:Release", "tf:ofModel", "must be of one registered model"),
    ],
)
def test_a_thing_of_each_kind_must_say_what_others_ask_of_it(thing, path, rule):
    assert (path, rule) in rules_of("thing", thing)


def test_a_range_must_not_end_before_it_begins():
    board = Description(subject_iri("board", "nano"))
    part = board.part("range").has("schema:minValue", 3.0).has("schema:maxValue", 2.0)
    board.is_to("tf:range", part.iri.value)
    assert sentences(board) == [
        "board/nano#range (schema:minValue) must have one least value, not above the greatest",
        "board/nano#range (schema:unitText) must state its unit",
    ]


def test_a_measurement_must_have_a_source():
    variant = Description(subject_iri("variant", "1"))
    describe_figure(variant, 1, Figure(Metric.ARENA_BYTES, -1.0, Status.MEASURED))
    assert sentences(variant) == [
        "variant/1#measurement-1 (dcterms:source) must say where it comes from",
        "variant/1#measurement-1 (sosa:hasSimpleResult) must have one value, not below zero",
    ]
