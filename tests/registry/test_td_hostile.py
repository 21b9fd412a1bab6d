"""Descriptions that mean harm or are broken: refused with a sentence, within named limits."""

from __future__ import annotations

import copy
import json
import os
import string
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ontology.describe import Description
from registry.formats.thing_description import (
    DescriptionError,
    DescriptionLimits,
    parse_description,
)
from registry.models import CapabilityProfile, Device, FirmwareBuild, GraphChange
from registry.projection.things import describe_thing
from registry.services.things import import_thing
from tests.registry.td_samples import LIMITS, TD_1_1, THING, parsed, with_change

WIDE = DescriptionLimits(max_bytes=100_000_000, max_depth=32, max_affordances=1000)


def many_affordances(number: int) -> bytes:
    forms = [{"href": "x"}]
    return json.dumps(
        THING | {"events": {f"e{n}": {"forms": forms} for n in range(number)}}
    ).encode()


def nested(depth: int) -> bytes:
    """A description whose deepest value stands `depth` levels down."""
    return (
        json.dumps(with_change("deep", 0))
        .replace('"deep": 0', f'"deep": {"[" * (depth - 1)}{"]" * (depth - 1)}')
        .encode()
    )


def in_sample(old: str, new: str) -> bytes:
    text = json.dumps(THING)
    assert old in text
    return text.replace(old, new, 1).encode()


HOSTILE = [
    (many_affordances(10_000), "10002 properties, actions and events, more than the 1000 allowed"),
    (nested(33), "nested more than 32 levels deep"),
    (nested(100_000), "nested too deeply"),
    (b'{"a":' * 100_000, "nested too deeply"),
    (in_sample('"title"', '"title": "twice", "title"'), "says 'title' twice"),
    (in_sample("85.5", "NaN"), "NaN is no JSON number"),
    (in_sample("85.5", "-Infinity"), "-Infinity is no JSON number"),
    (in_sample("85.5", "1e999"), "/properties/temperature/maximum is a number beyond the range"),
    (in_sample("85.5", "9" * 5001), "/properties/temperature/maximum is a number of 5001 digits"),
    (
        in_sample("85.5", "-" + "9" * 310),
        "is a number of 310 digits, more than the 309 of a double",
    ),
    (f"[{'9' * 5001}]".encode(), "is not a JSON object"),
    (in_sample("Weather", "\\ud800"), "half a surrogate pair"),
    (in_sample('"frost"', '"\\udfff"'), "half a surrogate pair"),
    (in_sample("Weather", "a\\u0000b"), "U+0000"),
    (in_sample("Weather", "X").replace(b"X", b"\xff"), "is not UTF-8 at byte"),
    (json.dumps(THING).encode("utf-16"), "is not UTF-8 at byte 0"),
    (json.dumps(THING).encode()[:-1], "is not JSON"),
    (json.dumps(THING).encode() + b"{}", "is not JSON"),
]


@pytest.mark.parametrize(("payload", "words"), HOSTILE, ids=lambda each: str(each)[:40])
def test_it_is_refused_with_a_sentence(payload: bytes, words: str) -> None:
    with pytest.raises(DescriptionError) as refused:
        parse_description(payload, WIDE)
    assert words in str(refused.value)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 500


def test_what_stands_just_within_the_limits_is_read() -> None:
    assert len(parse_description(many_affordances(998), WIDE).thing.affordances) == 1000
    assert parse_description(nested(32), WIDE).thing.title == THING["title"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("DESCRIPTION_MAX_BYTES", 1000, "TINYFLEET_DESCRIPTION_MAX_BYTES"),
        ("DESCRIPTION_MAX_DEPTH", 4, "TINYFLEET_DESCRIPTION_MAX_DEPTH"),
        ("DESCRIPTION_MAX_AFFORDANCES", 2, "TINYFLEET_DESCRIPTION_MAX_AFFORDANCES"),
    ],
)
def test_each_limit_is_a_setting_that_the_refusal_names(
    settings, name: str, value: int, words: str
) -> None:
    setattr(settings, name, value)
    with pytest.raises(DescriptionError, match=words):
        import_thing(json.dumps(THING).encode())


@pytest.mark.django_db
def test_a_byte_order_mark_is_passed_over_and_kept() -> None:
    text = b"\xef\xbb\xbf" + json.dumps(THING).encode()
    done = import_thing(text)
    assert Device.objects.get(device_id=done.device_id).td.encode() == text


@pytest.mark.django_db
def test_nothing_else_is_disturbed(make_device, tmp_path: Path) -> None:
    device = make_device("cam-01")
    counts = [model.objects.count() for model in (CapabilityProfile, Device, FirmwareBuild)]
    GraphChange.objects.all().delete()
    for number, (payload, _) in enumerate(HOSTILE):
        (tmp_path / f"{number}.json").write_bytes(payload)
    with pytest.raises(CommandError, match=f"{len(HOSTILE)} refused"):
        call_command("import_td", str(tmp_path), stdout=StringIO(), stderr=StringIO())
    assert [m.objects.count() for m in (CapabilityProfile, Device, FirmwareBuild)] == counts
    assert not GraphChange.objects.exists()
    device.refresh_from_db()
    assert device.profile is not None


def test_names_that_write_to_a_terminal_are_shown_harmlessly() -> None:
    td = with_change("properties", {"\x1b[2J\n" + "x" * 5000: {"type": "no"}})
    with pytest.raises(DescriptionError) as refused:
        parsed(td)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 500
    assert refused.value.pointer.startswith("/properties/\x1b[2J\nxxx")


def test_texts_that_make_patterns_backtrack_are_refused_at_once() -> None:
    """A pattern that backtracks over them would run into the suite's time-out."""
    dates = ["1" * 60_000, "2026-01-31T12:00:00." + "1" * 60_000]
    tags = ["a-" * 30_000, "en-" + "abcde-" * 10_000]
    hrefs = ["{" * 60_000, "{a" + ",a" * 30_000]
    for path, values in (("created", dates), ("links|1|hreflang", tags), ("forms|0|href", hrefs)):
        for value in values:
            with pytest.raises(DescriptionError):
                parse_description(json.dumps(with_change(path, value)).encode(), WIDE)


ANY_TEXT = st.text(max_size=6) | st.text(string.printable, max_size=12)
ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | ANY_TEXT
    | st.sampled_from(["http://[x", "urn:x", "sosa:Sensor", "ssn:hasSubSystem", "x-private"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=8,
)
TYPES = st.sampled_from(["http://[x", "https://a.example/{b}", "urn:\ud7ff", "sx:Microphone"])


LONG = "n" * 30_000
MULTIPLIERS = {
    "a long name in the IRI of every form": THING
    | {"events": {LONG: {"forms": [{"href": "x"}] * 1000}}},
    "a long prefix in every type": with_change("@context", [TD_1_1, {"p": f"https://a.b/{LONG}"}])
    | {"@type": [f"p:{n}" for n in range(2000)]},
    "a long pointer in every remark": with_change(
        "actions", {LONG: {"forms": [{"href": "x", "additionalResponses": [{}] * 5000}]}}
    ),
    "schemes that combine all the schemes before them": THING
    | {
        "securityDefinitions": THING["securityDefinitions"]
        | {f"c{n}": {"scheme": "combo", "allOf": ["key", f"c{n + 1}"]} for n in range(700)}
        | {"c700": {"scheme": "nosec"}},
        "forms": [{"href": "x", "op": "readallproperties"}] * 500,
    },
}


@pytest.mark.parametrize("td", MULTIPLIERS.values(), ids=MULTIPLIERS)
def test_a_description_does_not_become_many_times_its_size(td: dict[str, Any]) -> None:
    text = json.dumps(td)
    assert len(text) <= LIMITS.max_bytes
    said = parsed(td)
    subject = Description("https://w3id.org/tinyfleet/id/device/x")
    describe_thing(subject, text)
    assert subject.triples
    written = sum(len(str(triple)) for triple in subject.triples)
    remarked = sum(len(remark.pointer) for remark in said.remarks)
    # A form of a few letters is five triples with IRIs; nothing grows by more than that.
    assert written + remarked < 200 * len(text)


# Like the other fuzz tests: seeded, and as many examples as TINYFLEET_FUZZ_EXAMPLES says.
fuzzed = settings(
    max_examples=int(os.environ.get("TINYFLEET_FUZZ_EXAMPLES", "60")),
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


def graph_of(td: dict[str, Any]) -> None:
    """Project an accepted description, and write what comes of it as N-Triples."""
    subject = Description("https://w3id.org/tinyfleet/id/device/x")
    describe_thing(subject, json.dumps(td))
    for triple in subject.triples:
        assert str(triple).encode()


def tried(td: dict[str, Any]) -> None:
    try:
        parsed(td)
    except DescriptionError as error:
        assert error.remedy
        assert str(error).isprintable()
    else:
        graph_of(td)


@fuzzed
@given(
    member=st.sampled_from([*THING, "@context", "ssn:hasSubSystem", "sosa:hosts"]), value=ANY_JSON
)
@example(member="@type", value="http://[x")
@example(member="ssn:hasSubSystem", value={"@type": "http://[x", "sosa:observes": "urn:a b"})
def test_whatever_stands_in_a_member_is_read_or_refused(member: str, value: Any) -> None:
    tried(with_change(member, value))


@fuzzed
@given(name=ANY_TEXT, types=TYPES | ANY_TEXT, text=ANY_TEXT, language=ANY_TEXT)
@example(name="", types="sx:Microphone", text="", language="i-klingon")
@example(name="a/form-1", types="Thing", text="x", language="x-a")
def test_whatever_an_affordance_is_called_its_graph_can_be_written(
    name: str, types: str, text: str, language: str
) -> None:
    td = copy.deepcopy(THING)
    td["properties"][name] = td["properties"]["temperature"] | {"@type": types, "title": text}
    td["titles"] = {language: text}
    tried(td)


@fuzzed
@given(st.binary(max_size=300))
def test_whatever_the_bytes_they_are_refused_and_nothing_worse(payload: bytes) -> None:
    with pytest.raises(DescriptionError):
        parse_description(payload, LIMITS)


@fuzzed
@given(st.data())
def test_a_damaged_description_is_read_or_refused(data: st.DataObject) -> None:
    damaged = bytearray(json.dumps(THING).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(damaged) - 1))
        damaged[place] = data.draw(st.integers(0, 255))
    try:
        parse_description(bytes(damaged), LIMITS)
    except DescriptionError as error:
        assert error.remedy
