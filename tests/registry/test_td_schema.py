"""Where W3C's JSON Schema and our parser differ, and why: no other difference may be found."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from registry.formats.thing_description import DescriptionError, parse_description
from tests.registry.td_samples import LIMITS, REMOVED, TD_1_0, TD_1_1, THING, with_change

BASIC, PROPERTY = "securityDefinitions|basic", "properties|temperature"


@dataclass(frozen=True)
class Difference:
    """What we refuse and the schema lets pass: how the refusal reads, and a case of it."""

    why: str
    says: str
    path: str
    value: Any
    at: str = ""


STRICTER = [
    Difference(
        "a format is an annotation in draft 7, and anyURI is plain text in this schema",
        "no IRI|neither an IRI|no URI template",
        f"{PROPERTY}|forms|0|href",
        "a b",
    ),
    Difference(
        "date-time is an annotation in draft 7 (TD 1.1, 6.1: RFC 3339)",
        "no date-time of RFC 3339",
        "created",
        "2026-01-31",
    ),
    Difference(
        "the names of translations, and @language, are not held to BCP 47",
        "no language tag|not a language tag",
        "titles",
        {"e n": "x"},
    ),
    Difference(
        "a schema cannot look a name up elsewhere in the document",
        "does not define|does not declare",
        f"{PROPERTY}|forms|0|security",
        "nobody",
    ),
    Difference(
        "nor see that a combination leads back to itself",
        "combines itself",
        "securityDefinitions|both|allOf",
        ["key", "both"],
    ),
    Difference(
        "of oneOf and allOf in a combination, one that is malformed passes beside the other",
        "both oneOf and allOf",
        "securityDefinitions|both|oneOf",
        [1],
    ),
    Difference(
        "nor compare the variables of templates with those of security schemes",
        "lacks the variable|security scheme as well",
        f"{PROPERTY}|forms|0|security",
        "both",
    ),
    Difference(
        "variables of a URI template are single values (5.3.1.1, a sentence of the table)",
        "which no IRI can hold",
        "uriVariables|unit",
        {"type": "array", "items": {}},
    ),
    Difference(
        "flow is mandatory, and each flow has its servers (5.3.3.10)",
        "lacks flow|which the flow",
        "securityDefinitions|login|flow",
        "code",
    ),
    Difference(
        "what holds a key has a name of the right form (5.3.3.1)",
        "no JSON pointer into the body|lacks name, the variable",
        BASIC,
        {"scheme": "apikey", "in": "body", "name": "key"},
    ),
    Difference(
        "the alternatives for @context let an empty array and any order after 1.0 pass",
        "does not begin with the context|in the wrong order",
        "@context",
        [TD_1_0, "https://example.org/c", TD_1_1],
    ),
    Difference(
        "the keywords of JSON-LD within @context are any texts",
        'no keyword that|not "ltr"|not 1.1|not true or false',
        "@context",
        [TD_1_1, {"@direction": "up"}],
        at="/@context/",
    ),
    Difference(
        "1.0 is an integer to JSON Schema, not to TD 1.1 (6.1); IntegerSchema has integer bounds",
        "not a whole number",
        f"{PROPERTY}|minLength",
        1.0,
    ),
    Difference(
        "values are not compared with the type that stands beside them",
        r"has no \w+ in it|is .*, no (boolean|integer|number|string|object|array|null)$",
        f"{PROPERTY}|const",
        "warm",
    ),
    Difference(
        "these members have no type in the schema, everywhere or for properties",
        "not a text|not an object",
        f"{PROPERTY}|pattern",
        5,
        at="/(pattern|properties|contentEncoding|contentMediaType|version/model)$",
    ),
    Difference(
        "the class of Thing Models has other spellings than tm:ThingModel",
        "Thing Model",
        "@type",
        "https://www.w3.org/2019/wot/tm#ThingModel",
    ),
    Difference(
        "links are not counted",
        "more than one link",
        "links",
        [{"href": "a", "rel": "type"}, {"href": "b", "rel": "type"}],
    ),
    Difference(
        "not every store keeps U+0000, and half a surrogate pair is no text (RFC 8259, 8.2)",
        "U\\+0000|half a surrogate pair",
        "title",
        "a\0b",
    ),
    Difference(
        "the pattern of sizes is not anchored",
        "no sizes of an icon",
        "links|0|sizes",
        "about 16x16",
    ),
]

# What the schema refuses and we accept.
LAXER = {
    "JSON-LD lets a context define a term by an object, or take it away with null; TD 1.1 (6.3.3)"
    ' gives "@direction": null as an example, and the schema knows texts alone': (
        "@context",
        [TD_1_1, {"@direction": None, "term": {"@id": "https://a.example/term"}}],
    ),
}

# The examples that the schema lets pass although they are invalid.
BEYOND_THE_SCHEMA = {
    "duplicatePropertyAffordanceNames": "a schema sees what is left of two members of one name",
    "duplicateSecurityDefinitions": "a schema sees what is left of two members of one name",
    "invalidSecuMatch": "a schema cannot look a name up elsewhere in the document",
    "multipleRelType": "links are not counted",
    "usingTM": "values are not compared with the type that stands beside them",
}


class Schema:
    """W3C's JSON Schema; with a short name in what a failing test prints."""

    def __init__(self, file: Path) -> None:
        self._validator = Draft7Validator(json.loads(file.read_bytes()))

    def is_valid(self, td: Any) -> bool:
        return self._validator.is_valid(td)

    def complaints(self, td: Any) -> set[tuple[str | int, ...]]:
        """Where it finds something wrong."""
        return {tuple(error.absolute_path) for error in self._validator.iter_errors(td)}


@pytest.fixture(scope="module")
def schema(data_dir: Path) -> Schema:
    return Schema(data_dir / "w3c-wot" / "td-schema-11.json")


def refusal(payload: bytes) -> DescriptionError | None:
    try:
        parse_description(payload, LIMITS)
    except DescriptionError as error:
        return error
    return None


def is_explained(error: DescriptionError, difference: Difference) -> bool:
    place = re.search(difference.at, error.pointer) if difference.at else True
    return bool(place and re.search(difference.says, error.problem))


def test_on_the_examples_the_two_differ_only_where_a_schema_cannot_tell(
    schema: Schema, data_dir: Path
) -> None:
    differing = set()
    for file in sorted((data_dir / "w3c-wot" / "tds").rglob("*.json")):
        error = refusal(file.read_bytes())
        if schema.is_valid(json.loads(file.read_bytes())) != (error is None):
            assert error is not None, f"{file.name}: the schema is stricter"
            differing.add(file.stem)
    assert differing == set(BEYOND_THE_SCHEMA)


@pytest.mark.parametrize("difference", STRICTER, ids=lambda each: each.why)
def test_each_way_in_which_we_are_stricter(schema: Schema, difference: Difference) -> None:
    td = with_change(difference.path, difference.value)
    error = refusal(json.dumps(td).encode())
    assert schema.is_valid(td)
    assert error is not None
    assert is_explained(error, difference)


@pytest.mark.parametrize("why", LAXER)
def test_each_way_in_which_the_schema_is_stricter(schema: Schema, why: str) -> None:
    td = with_change(*LAXER[why])
    assert not schema.is_valid(td)
    assert refusal(json.dumps(td).encode()) is None


def places(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Where every member and element of a document stands."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for step, each in inner:
        yield (*path, str(step))
        if isinstance(each, dict | list):
            yield from places(each, (*path, str(step)))


@cache
def everything() -> tuple[tuple[str, ...], ...]:
    return tuple(places(THING))


def value_at(path: tuple[str, ...]) -> Any:
    place: Any = THING
    for step in path:
        place = place[int(step)] if isinstance(place, list) else place[step]
    return copy.deepcopy(place)


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 5),
    st.sampled_from([0.5, 1.0, "", "a b", "{x}", "{?unit}", "x/{token}", TD_1_0, TD_1_1]),
    st.sampled_from(["basic", "both", "uri", "body", "auto", "oauth2", "combo", "code", "de-AT"]),
    st.sampled_from(["invokeaction", "readproperty", "integer", "array", "icon", "type", "16x16"]),
    st.text(max_size=4),
)
NAMES = st.sampled_from(
    ["scheme", "in", "name", "oneOf", "allOf", "flow", "op", "href", "security", "type", "enum"]
    + ["const", "minimum", "items", "properties", "pattern", "readOnly", "uriVariables", "rel"]
    + ["sizes", "@type", "@id", "@language", "titles", "forms", "contentType", "required", "x:y"]
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=5,
)
BORROWED = st.sampled_from(everything()).map(value_at)
CHANGES = st.tuples(
    st.sampled_from(everything()),
    st.one_of(VALUES, BORROWED, st.just(REMOVED)),
    st.none() | NAMES,
)


def changed(path: tuple[str, ...], value: Any, name: str | None) -> dict[str, Any]:
    """One place replaced or removed, or a member of some name put into it."""
    if name is not None and isinstance(value_at(path), dict) and value is not REMOVED:
        path = (*path, name)
    return with_change("|".join(path), value)


@settings(max_examples=400, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(CHANGES)
def test_on_changed_descriptions_there_is_no_other_difference(
    schema: Schema, change: tuple[tuple[str, ...], Any, str | None]
) -> None:
    td = changed(*change)
    error = refusal(json.dumps(td).encode())
    if schema.is_valid(td):
        assert error is None or any(is_explained(error, each) for each in STRICTER), str(error)
    elif error is None:
        assert schema.complaints(td) == {("@context",)}, "the schema alone refuses this"
