"""The rules of the recommendation, one change at a time: what holds, what is refused, and where."""

from __future__ import annotations

from typing import Any

import pytest

from registry.formats.thing_description import DescriptionError
from tests.registry.td_samples import REMOVED, TD_1_0, TD_1_1, THING, parsed, with_change

ONE_OF = {"scheme": "combo", "oneOf": ["open", "basic"]}
BASIC, KEY = "securityDefinitions|basic", "securityDefinitions|key"
LOGIN, PROPERTY = "securityDefinitions|login", "properties|temperature"
FORM = f"{PROPERTY}|forms|0"


def oauth(flow: str, *servers: str) -> dict[str, Any]:
    return {"scheme": "oauth2", "flow": flow} | dict.fromkeys(servers, "https://x.example")


ACCEPTED = [
    ("@context", TD_1_1),
    ("@context", TD_1_0),
    ("@context", [TD_1_0, TD_1_1, {"ace": "https://example.org/ace#"}]),
    ("@context", [TD_1_0, "https://example.org/context"]),
    ("@context", [TD_1_1, "https://example.org/context", {"a": "https://a.example/"}, "urn:c"]),
    ("@context", [TD_1_1, {"@language": None, "@direction": None, "gone": None}]),
    ("@context", [TD_1_1, {"term": {"@id": "https://a.example/term", "@type": "@id"}}]),
    ("@type", REMOVED),
    ("@type", []),
    ("id", REMOVED),
    ("id", "https://例え.example/thing"),
    ("title", ""),
    ("titles", {}),
    ("titles", {"zh-Hant-HK": "a", "sl-nedis": "b", "i-klingon": "c", "x-private": "d"}),
    ("version", {"instance": "1", "vendor:build": 7}),
    ("created", "2016-12-31T23:59:60z"),
    ("modified", "2024-02-29T00:00:00.123456-23:59"),
    ("support", "tel:+431234"),
    ("base", "http://{host}/"),
    ("profile", "https://www.w3.org/2022/wot/profile/http-basic/v1"),
    ("security", ["basic", "open"]),
    ("unknown", {"any": [1, None, {"deep": True}]}),
    ("vendor:extension", "of any kind"),
    (f"{PROPERTY}|vendor:calibrated", True),
    (BASIC, {"scheme": "auto"}),
    (BASIC, {"scheme": "psk", "identity": "me"}),
    (BASIC, {"scheme": "digest", "qop": "auth-int", "in": "cookie"}),
    (BASIC, {"scheme": "bearer", "alg": "mine", "format": "any", "authorization": "https://a.b"}),
    (BASIC, {"scheme": "apikey", "in": "body", "name": "/credentials/0/~1key"}),
    (BASIC, {"scheme": "ace:ACESecurityScheme", "ace:as": "coaps://as.example.com/token"}),
    (BASIC, {"scheme": "https://example.org/schemes#own"}),
    ("securityDefinitions|both", ONE_OF),
    (LOGIN, oauth("code", "authorization", "token", "refresh")),
    (LOGIN, oauth("device")),
    (f"{PROPERTY}|forms|0|op", "writeproperty"),
    (f"{PROPERTY}|forms|0|href", "x{/unit:3}{?unit*}{#unit,unit}"),
    (f"{PROPERTY}|forms|0|scopes", "read"),
    (f"{PROPERTY}|enum", [1, 2.5]),
    (f"{PROPERTY}|enum", [1, "unknown"]),
    (f"{PROPERTY}|format", "anything"),
    (f"{PROPERTY}|items", {"type": "null"}),
    (f"{PROPERTY}|multipleOf", 0.5),
    ("properties", {}),
    ("actions", REMOVED),
    ("events|frost", {"forms": [{"href": ""}]}),
    ("links", []),
    ("links|0|sizes", "16x16"),
    ("links|1|rel", "type"),
]


@pytest.mark.parametrize(("path", "value"), ACCEPTED)
def test_what_the_recommendation_allows_is_accepted(path: str, value: Any) -> None:
    assert parsed(with_change(path, value)).thing.title in {THING["title"], ""}


REFUSED = [
    # contexts
    ("@context", [], "/@context", "does not begin"),
    ("@context", {"td": TD_1_1}, "/@context", "does not begin"),
    ("@context", ["https://example.org/c", TD_1_1], "/@context", "does not begin"),
    ("@context", [TD_1_1, TD_1_0], "/@context", "wrong order"),
    ("@context", [TD_1_0, "https://example.org/c", TD_1_1], "/@context", "wrong order"),
    ("@context", [TD_1_1, 7], "/@context/1", "neither an IRI"),
    ("@context", [TD_1_1, ["https://a.example"]], "/@context/1", "neither an IRI"),
    ("@context", [TD_1_1, "no iri"], "/@context/1", "neither an IRI"),
    ("@context", [TD_1_1, {"a": 7}], "/@context/1/a", "not the IRI"),
    ("@context", [TD_1_1, {"a": {"@id": []}}], "/@context/1/a", "not the IRI"),
    ("@context", [TD_1_1, {"@language": "e"}], "/@context/1/@language", "language tag"),
    ("@context", [TD_1_1, {"@direction": "up"}], "/@context/1/@direction", "rtl"),
    ("@context", [TD_1_1, {"@nothing": "up"}], "/@context/1/@nothing", "no keyword"),
    # the thing
    ("title", REMOVED, "", "lacks title"),
    ("title", None, "/title", "not a text"),
    ("title", {"@value": "x"}, "/title", "not a text"),
    ("titles", {"english": "x", "e n": "y"}, "/titles", "'e n'"),
    ("titles", {"de": 5}, "/titles/de", "not a text"),
    ("titles", ["x"], "/titles", "not an object"),
    ("descriptions", {"deutsch-": "x"}, "/descriptions", "no language tag"),
    ("@type", "tm:ThingModel", "/@type", "Thing Model"),
    ("@type", ["https://www.w3.org/2019/wot/tm#ThingModel"], "/@type", "Thing Model"),
    ("@type", ["Thing", 5], "/@type/1", "not a text"),
    ("id", "mast", "/id", "scheme"),
    ("id", "urn:a b", "/id", "no IRI"),
    ("id", "https://x.example/{id}", "/id", "scheme"),
    ("version", {"model": "1"}, "/version", "lacks instance"),
    ("version", "1.0", "/version", "not an object"),
    ("version", {"instance": 1}, "/version/instance", "not a text"),
    ("created", "2026-01-31", "/created", "RFC 3339"),
    ("created", "2026-01-31T12:00:00", "/created", "RFC 3339"),
    ("created", "2026-02-30T12:00:00Z", "/created", "RFC 3339"),
    ("modified", "2026-01-31 12:00:00Z", "/modified", "RFC 3339"),
    ("modified", "2026-01-31T24:00:00Z", "/modified", "RFC 3339"),
    ("modified", 1769860800, "/modified", "not a text"),
    ("support", "not an address", "/support", "no IRI"),
    ("base", "http://{host", "/base", "URI template"),
    ("profile", [], "/profile", "is empty"),
    ("profile", ["a b"], "/profile/0", "no IRI"),
    ("properties", [], "/properties", "not an object"),
    ("forms", [], "/forms", "is empty"),
    ("forms|0|op", REMOVED, "/forms/0", "lacks op"),
    ("forms|0|op", "readproperty", "/forms/0/op", "'readproperty'"),
    ("schemaDefinitions", {}, "/schemaDefinitions", "is empty"),
    # security
    ("security", REMOVED, "", "lacks security"),
    ("security", "other", "/security", "'other'"),
    ("security", [["basic"]], "/security/0", "not a text"),
    ("securityDefinitions", REMOVED, "", "lacks securityDefinitions"),
    (BASIC, {}, "/securityDefinitions/basic", "lacks scheme"),
    (BASIC, {"scheme": "Basic"}, "/securityDefinitions/basic/scheme", "'Basic'"),
    (BASIC, {"scheme": "oscore:Own"}, "/securityDefinitions/basic/scheme", "prefix"),
    (BASIC, {"scheme": "basic", "in": "uri"}, "/securityDefinitions/basic/in", "'uri'"),
    (BASIC, {"scheme": "basic", "proxy": "a b"}, "/securityDefinitions/basic/proxy", "no IRI"),
    (BASIC, {"scheme": "auto", "name": "x"}, "/securityDefinitions/basic", "has a name"),
    (BASIC, {"scheme": "digest", "qop": "x"}, "/securityDefinitions/basic/qop", "'x'"),
    (BASIC, {"scheme": "bearer", "alg": 5}, "/securityDefinitions/basic/alg", "not a text"),
    (BASIC, {"scheme": "psk", "identity": 5}, "/securityDefinitions/basic/identity", "text"),
    (KEY, {"scheme": "apikey", "in": "uri"}, "/securityDefinitions/key", "lacks name"),
    (f"{KEY}|name", "other", "/properties/temperature/forms/1/href", "'token'"),
    (f"{KEY}|name", "unit", "/uriVariables/unit", "security scheme as well"),
    (
        KEY,
        {"scheme": "apikey", "in": "body", "name": "key"},
        "/securityDefinitions/key/name",
        "JSON pointer",
    ),
    (LOGIN, {"scheme": "oauth2"}, "/securityDefinitions/login", "lacks flow"),
    (LOGIN, oauth("code", "token"), "/securityDefinitions/login", "lacks authorization"),
    (LOGIN, oauth("client"), "/securityDefinitions/login", "lacks token"),
    (LOGIN, oauth("client", "token", "authorization"), "/securityDefinitions/login", "has author"),
    (f"{LOGIN}|scopes", [1], "/securityDefinitions/login/scopes/0", "not a text"),
    (f"{LOGIN}|refresh", "a b", "/securityDefinitions/login/refresh", "no IRI"),
    (
        "securityDefinitions|both",
        {"scheme": "combo"},
        "/securityDefinitions/both",
        "neither oneOf nor allOf",
    ),
    (
        "securityDefinitions|both|oneOf",
        ["open", "key"],
        "/securityDefinitions/both",
        "both oneOf and allOf",
    ),
    ("securityDefinitions|both|allOf", ["key"], "/securityDefinitions/both/allOf", "fewer"),
    (
        "securityDefinitions|both|allOf",
        ["key", "none"],
        "/securityDefinitions/both/allOf/1",
        "'none'",
    ),
    (
        "securityDefinitions|both|allOf",
        ["key", "both"],
        "/securityDefinitions/both",
        "combines itself",
    ),
    # affordances
    (f"{PROPERTY}|forms", REMOVED, "/properties/temperature", "lacks forms"),
    (f"{PROPERTY}|forms", {"href": "x"}, "/properties/temperature/forms", "not an array"),
    (f"{PROPERTY}|forms|0", "x", "/properties/temperature/forms/0", "not an object"),
    (f"{PROPERTY}|observable", "yes", "/properties/temperature/observable", "true or false"),
    (f"{PROPERTY}|uriVariables", [], "/properties/temperature/uriVariables", "not an object"),
    (
        f"{PROPERTY}|uriVariables",
        {"a": {"type": "array"}},
        "/properties/temperature/uriVariables/a",
        "no IRI can hold",
    ),
    ("actions|heat|safe", 1, "/actions/heat/safe", "true or false"),
    ("actions|heat|idempotent", None, "/actions/heat/idempotent", "true or false"),
    ("actions|heat|synchronous", "no", "/actions/heat/synchronous", "true or false"),
    ("actions|heat|input", [], "/actions/heat/input", "not an object"),
    ("events|frost|data", "x", "/events/frost/data", "not an object"),
    ("events|frost|dataResponse", 5, "/events/frost/dataResponse", "not an object"),
    # forms
    (f"{FORM}|href", REMOVED, "/properties/temperature/forms/0", "lacks href"),
    (f"{FORM}|href", "a b", "/properties/temperature/forms/0/href", "no IRI"),
    (f"{FORM}|href", "x/{?a b}", "/properties/temperature/forms/0/href", "no IRI"),
    (f"{FORM}|href", "x/{unit*unit}", "/properties/temperature/forms/0/href", "URI template"),
    (f"{FORM}|href", "x/{unit,}", "/properties/temperature/forms/0/href", "URI template"),
    (f"{FORM}|href", "x/{{unit}}", "/properties/temperature/forms/0/href", "URI template"),
    (f"{FORM}|href", "x}", "/properties/temperature/forms/0/href", "URI template"),
    (f"{FORM}|href", "x{?when}", "/properties/temperature/forms/0/href", "'when'"),
    (f"{FORM}|href", "x/%zz", "/properties/temperature/forms/0/href", "no IRI"),
    (f"{FORM}|op", "invokeaction", "/properties/temperature/forms/0/op", "'invokeaction'"),
    (f"{FORM}|contentType", 5, "/properties/temperature/forms/0/contentType", "not a text"),
    (f"{FORM}|security", [], "/properties/temperature/forms/0/security", "is empty"),
    (f"{FORM}|security", "both", "/properties/temperature/forms/0/href", "'token'"),
    (f"{FORM}|scopes", [5], "/properties/temperature/forms/0/scopes/0", "not a text"),
    (f"{FORM}|response", {}, "/properties/temperature/forms/0/response", "lacks contentType"),
    (
        f"{FORM}|additionalResponses",
        {},
        "/properties/temperature/forms/0/additionalResponses",
        "not an array",
    ),
    (
        f"{FORM}|additionalResponses",
        [{"schema": "other"}],
        "/properties/temperature/forms/0/additionalResponses/0/schema",
        "'other'",
    ),
    # data schemas
    (f"{PROPERTY}|type", "float", "/properties/temperature/type", "'float'"),
    (f"{PROPERTY}|type", ["number"], "/properties/temperature/type", "not a text"),
    (f"{PROPERTY}|enum", ["a", "b"], "/properties/temperature/enum", "no number"),
    (f"{PROPERTY}|enum", [1, 2, 1.0], "/properties/temperature/enum/2", "there already"),
    (f"{PROPERTY}|enum", "a", "/properties/temperature/enum", "not an array"),
    (f"{PROPERTY}|const", "a", "/properties/temperature/const", "no number"),
    (f"{PROPERTY}|oneOf", {}, "/properties/temperature/oneOf", "not an array"),
    (f"{PROPERTY}|oneOf", [{"type": "x"}], "/properties/temperature/oneOf/0/type", "'x'"),
    (f"{PROPERTY}|minimum", "0", "/properties/temperature/minimum", "not a number"),
    (f"{PROPERTY}|minimum", True, "/properties/temperature/minimum", "not a number"),
    (f"{PROPERTY}|multipleOf", 0, "/properties/temperature/multipleOf", "above 0"),
    (f"{PROPERTY}|minItems", -1, "/properties/temperature/minItems", "below 0"),
    (f"{PROPERTY}|maxLength", 1.0, "/properties/temperature/maxLength", "whole number"),
    (f"{PROPERTY}|readOnly", 1, "/properties/temperature/readOnly", "true or false"),
    (f"{PROPERTY}|unit", 5, "/properties/temperature/unit", "not a text"),
    (f"{PROPERTY}|pattern", 5, "/properties/temperature/pattern", "not a text"),
    (f"{PROPERTY}|properties", [], "/properties/temperature/properties", "not an object"),
    (f"{PROPERTY}|required", ["a", 1], "/properties/temperature/required/1", "not a text"),
    (f"{PROPERTY}|items", [5], "/properties/temperature/items/0", "not an object"),
    (
        "actions|heat|input|properties|for|minimum",
        0.5,
        "/actions/heat/input/properties/for/minimum",
        "whole number",
    ),
    # links
    ("links", {}, "/links", "not an array"),
    ("links|0|href", REMOVED, "/links/0", "lacks href"),
    ("links|0|rel", "tm:extends", "/links/0/rel", "Thing Model"),
    ("links|0|rel", "item", "/links/0/sizes", "no icon"),
    ("links|0|sizes", "large", "/links/0/sizes", "no sizes"),
    ("links|1|hreflang", "e", "/links/1/hreflang", "no language tag"),
    ("links|1|hreflang", ["en", "e"], "/links/1/hreflang/1", "no language tag"),
    ("links|1|anchor", "a b", "/links/1/anchor", "no IRI"),
]


@pytest.mark.parametrize(("path", "value", "pointer", "words"), REFUSED)
def test_what_it_forbids_is_refused_at_its_place(
    path: str, value: Any, pointer: str, words: str
) -> None:
    with pytest.raises(DescriptionError) as refused:
        parsed(with_change(path, value))
    assert refused.value.pointer == pointer
    assert words in str(refused.value)
    assert str(refused.value).endswith(f"{refused.value.remedy}.")


def test_the_sample_itself_is_read_without_a_remark() -> None:
    said = parsed(THING)
    assert said.remarks == ()
    thing = said.thing
    assert [(each.kind.value, each.name) for each in thing.affordances] == [
        ("properties", "temperature"),
        ("actions", "heat"),
        ("events", "frost"),
    ]
    assert thing.affordances[0].forms[1].operations == ("readproperty",)
    assert thing.label.title.translations == {"en": "Weather mast", "de-AT": "Wettermast"}


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (f"{PROPERTY}|writeOnly", True, "read-only and write-only"),
        (f"{FORM}|op", "writeproperty", "a form is for writing"),
        (f"{PROPERTY}|minimum", 86, "has a minimum above its maximum"),
        ("security", ["basic", "open"], "deprecates"),
        (f"{PROPERTY}|items", {"type": "array"}, "array without items"),
        (BASIC, {"scheme": "basic", "in": "auto", "name": "x"}, "though its place is auto"),
    ],
)
def test_what_may_not_be_meant_is_remarked_on(path: str, value: Any, words: str) -> None:
    assert words in " ".join(str(remark) for remark in parsed(with_change(path, value)).remarks)


@pytest.mark.parametrize(
    "login", [oauth("implicit", "authorization"), oauth("client", "token", "authorization")]
)
def test_an_older_document_is_held_to_the_older_rules(login: dict[str, Any]) -> None:
    td = with_change(LOGIN, login)
    td["@context"] = [TD_1_0, *td["@context"][1:]]
    assert parsed(td).thing.terms.edition == TD_1_0


def test_a_variable_may_have_a_hyphen_as_descriptions_in_use_do() -> None:
    td = with_change("uriVariables|response-required", {"type": "boolean"})
    td["forms"][0]["href"] = "all{?unit,response-required}"
    assert parsed(td).thing.forms[0].href == "all{?unit,response-required}"


def test_a_combination_of_many_combinations_is_read_once() -> None:
    td = with_change("security", "open")
    steps = {f"c{n}": {"scheme": "combo", "allOf": [f"c{n + 1}"] * 2} for n in range(200)}
    td["securityDefinitions"] |= steps | {"c200": {"scheme": "nosec"}}
    assert len(parsed(td).thing.schemes) == 206
