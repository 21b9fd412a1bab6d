"""W3C's published examples: the good ones come in, the bad ones are refused with the reason."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from registry.formats.thing_description import (
    DescriptionError,
    DescriptionLimits,
    parse_description,
)

LIMITS = DescriptionLimits(max_bytes=65536, max_depth=32, max_affordances=1000)
# What is wrong with each invalid example, and where, as its own description says it.
REASONS = {
    "camelCase": ("/actions/toggle/forms/0/op/0", "invokeAction"),
    "duplicateEnum": ("/properties/status/enum/2", "there already"),
    "duplicatePropertyAffordanceNames": ("/properties", "'status' twice"),
    "duplicateSecurityDefinitions": ("/securityDefinitions", "'basic_sc' twice"),
    "emptyEnum": ("/properties/status/enum", "is empty"),
    "emptyForm": ("/events/overheating/forms", "is empty"),
    "emptyOpArray": ("/properties/status/forms/0/op", "is empty"),
    "emptySecDef": ("/securityDefinitions", "at least one definition"),
    "emptySecurity": ("/security", "is empty"),
    "invalidDataType": ("/actions/status/input/type", "myAmazingType"),
    "invalidInteractionElement": ("/actions/wrongAction", "not an object"),
    "invalidOp": ("/properties/brightness/forms/2/op/0", "subscribeevent"),
    "invalidSecuMatch": ("/actions/toggle/forms/0/security/0", "someScheme"),
    "invalidSecuScheme": ("/securityDefinitions/basic_sc/scheme", "mostSecureScheme"),
    "multipleRelType": ("/links", "more than one link"),
    "noContext": ("", "lacks @context"),
    "noForm1": ("/properties/status", "lacks forms"),
    "noForm2": ("/actions/status", "lacks forms"),
    "noForm3": ("/events/status", "lacks forms"),
    "noHref": ("/events/overheating/forms/0", "lacks href"),
    "noTitle": ("", "lacks title"),
    "usingTM": ("/properties/status/enum", "no number"),
    "versionInstanceMissing": ("/version", "lacks instance"),
}


@pytest.fixture
def examples(data_dir: Path) -> Path:
    return data_dir / "w3c-wot" / "tds"


def test_every_valid_example_is_accepted_without_a_remark(examples: Path) -> None:
    files = sorted((examples / "valid").glob("*.json"))
    assert files
    for file in files:
        said = parse_description(file.read_bytes(), LIMITS)
        assert said.thing.title == json.loads(file.read_bytes())["title"]
        assert said.remarks == (), file.name


def test_every_example_with_a_warning_is_accepted_with_a_remark(examples: Path) -> None:
    files = sorted((examples / "warning").glob("*.json"))
    assert files
    for file in files:
        assert parse_description(file.read_bytes(), LIMITS).remarks, file.name


def test_every_invalid_example_is_refused_with_its_own_reason(examples: Path) -> None:
    files = sorted((examples / "invalid").glob("*.json"))
    assert {file.stem for file in files} == set(REASONS)
    for file in files:
        pointer, words = REASONS[file.stem]
        with pytest.raises(DescriptionError, match=re.escape(words)) as refused:
            parse_description(file.read_bytes(), LIMITS)
        assert refused.value.pointer == pointer, file.name
        assert refused.value.remedy, file.name


def test_default_values_are_filled_in(examples: Path) -> None:
    def affordances(name: str) -> list[tuple[str, list[tuple[object, ...]]]]:
        said = parse_description((examples / "valid" / name).read_bytes(), LIMITS)
        return [
            (each.name, [(form.operations, form.content_type) for form in each.forms])
            for each in said.thing.affordances
        ]

    json_type = "application/json"
    assert affordances("simple.json") == [
        ("status", [(("readproperty", "writeproperty"), json_type)]),
        ("toggle", [(("invokeaction",), json_type)]),
        ("overheating", [(("subscribeevent", "unsubscribeevent"), json_type)]),
    ]
    assert affordances("simpleWithDefaults.json")[0] == (
        "status",
        [(("readproperty",), json_type)],
    )
