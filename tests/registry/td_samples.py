"""A Thing Description with a little of everything, and ways to change it."""

from __future__ import annotations

import copy
import json
from typing import Any

from registry.formats.thing_description import (
    DescriptionLimits,
    DeviceDescription,
    parse_description,
)

LIMITS = DescriptionLimits(max_bytes=65536, max_depth=32, max_affordances=1000)
TD_1_1 = "https://www.w3.org/2022/wot/td/v1.1"
TD_1_0 = "https://www.w3.org/2019/wot/td/v1"
REMOVED = object()

THING: dict[str, Any] = {
    "@context": [
        TD_1_1,
        {
            "@language": "en",
            "ace": "https://example.org/ace#",
            "sosa": "http://www.w3.org/ns/sosa/",
            "ssn": "http://www.w3.org/ns/ssn/",
            "sx": "https://w3id.org/tinyml-schema/neural-network-schema/sosa_extend/",
        },
    ],
    "@type": ["Thing", "sosa:Platform"],
    "id": "urn:uuid:0804d572-cce8-422a-bb7c-4412fcd56f06",
    "title": "Weather mast",
    "titles": {"en": "Weather mast", "de-AT": "Wettermast"},
    "description": "Measures the weather",
    "version": {"instance": "1.2.0", "model": "1.0.0"},
    "created": "2026-01-31T12:00:00Z",
    "modified": "2026-02-01T12:00:00.5+01:00",
    "support": "mailto:weather@example.org",
    "base": "https://mast.example.org/",
    "profile": ["https://www.w3.org/2022/wot/profile/http-basic/v1"],
    "securityDefinitions": {
        "open": {"scheme": "nosec"},
        "basic": {"scheme": "basic", "in": "header"},
        "key": {"scheme": "apikey", "in": "uri", "name": "token"},
        "both": {"scheme": "combo", "allOf": ["basic", "key"]},
        "login": {
            "scheme": "oauth2",
            "flow": "client",
            "token": "https://login.example.org/token",
            "scopes": ["read"],
        },
    },
    "security": "basic",
    "schemaDefinitions": {"problem": {"type": "string"}},
    "uriVariables": {"unit": {"type": "string", "enum": ["C", "F"]}},
    "properties": {
        "temperature": {
            "@type": "sx:Thermometer",
            "title": "Temperature",
            "type": "number",
            "unit": "degree_Celsius",
            "minimum": -40,
            "maximum": 85.5,
            "readOnly": True,
            "observable": True,
            "forms": [
                {"href": "temperature{?unit}", "op": ["readproperty", "observeproperty"]},
                {"href": "raw/{token}", "security": ["both"]},
            ],
        }
    },
    "actions": {
        "heat": {
            "@type": "sosa:Actuator",
            "safe": False,
            "idempotent": True,
            "synchronous": True,
            "input": {
                "type": "object",
                "properties": {"for": {"type": "integer", "minimum": 1}},
                "required": ["for"],
            },
            "uriVariables": {"level": {"type": "integer"}},
            "forms": [
                {
                    "href": "heat/{level}",
                    "contentType": "application/cbor",
                    "response": {"contentType": "application/json"},
                    "additionalResponses": [{"success": False, "schema": "problem"}],
                }
            ],
        }
    },
    "events": {
        "frost": {
            "data": {"type": "array", "items": [{"type": "number"}, {"type": "string"}]},
            "subscription": {"oneOf": [{"const": 1}, {"enum": ["a", None, 1.5]}]},
            "cancellation": {"type": "string", "minLength": 1, "maxLength": 8},
            "forms": [{"href": "frost", "subprotocol": "longpoll"}],
        }
    },
    "forms": [{"href": "all", "op": "readallproperties"}],
    "links": [
        {"href": "icon.png", "rel": "icon", "sizes": "16x16 32x32", "type": "image/png"},
        {"href": "https://example.org/manual", "rel": "service-doc", "hreflang": ["en", "de-AT"]},
    ],
}


def with_change(path: str, value: Any) -> dict[str, Any]:
    """The sample with one member replaced, added or REMOVED; steps by bars."""
    td = copy.deepcopy(THING)
    *parents, last = path.split("|")
    place: Any = td
    for step in parents:
        place = place[int(step)] if isinstance(place, list) else place[step]
    key: Any = int(last) if isinstance(place, list) else last
    if value is REMOVED:
        del place[key]
    else:
        place[key] = value
    return td


def parsed(td: dict[str, Any]) -> DeviceDescription:
    """What the parser makes of it."""
    return parse_description(json.dumps(td).encode(), LIMITS)
