"""Checks of validation: section 7.3.2.2.6."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import jsonschema

from tests.conformance.directory_client import TD_TYPE, Directory, address, description, new_id
from tests.conformance.discovery_assertions import asserts
from tests.conformance.discovery_http import is_problem


def _examples() -> Path:
    return Path(os.environ["TINYFLEET_DATA"]) / "w3c-wot"


def _send(directory: Directory, text: bytes) -> int:
    """Register a document as its `id` demands; the status."""
    thing_id = json.loads(text).get("id")
    method, path = ("POST", "/things") if thing_id is None else ("PUT", address(thing_id))
    return directory.ask(method, path, directory.writer, text, Content_Type=TD_TYPE).status


def _invalid(**members: Any) -> dict[str, Any]:
    td = description(new_id(), **members)
    return {name: value for name, value in td.items() if value is not None}


@asserts("tdd-validation-syntactic")
def what_is_wrong_is_not_stored(directory: Directory) -> None:
    for wrong in (b"{", b"[]", b"\xff", b"null", b'{"title": "x"}'):
        reply = directory.ask("POST", "/things", directory.writer, wrong, Content_Type=TD_TYPE)
        is_problem(reply, 400)
    td = _invalid(title=None)
    is_problem(directory.put(td), 400)
    assert directory.get(address(td["id"])).status == 404


@asserts("tdd-validation-jsonschema")
def validation_is_no_weaker_than_the_json_schema(directory: Directory) -> None:
    schema = json.loads((_examples() / "td-schema-11.json").read_bytes())
    validator = jsonschema.Draft7Validator(schema)
    refused = 0
    for file in sorted((_examples() / "tds").glob("*/*.json")):
        text = file.read_bytes()
        if not validator.is_valid(json.loads(text)):
            assert _send(directory, text) == 400, file.name
            refused += 1
        elif file.parent.name == "valid":
            assert _send(directory, text) in {201, 204}, file.name
    assert refused > 0
    for wrong in ({"expires": "x"}, {"ttl": "x"}, {"expires": 5}, "x"):
        is_problem(directory.put(_invalid(registration=wrong)), 400)


def _errors(directory: Directory, **members: Any) -> list[dict[str, Any]]:
    reply = directory.put(_invalid(**members))
    is_problem(reply, 400)
    found: list[dict[str, Any]] = json.loads(reply.body)["validationErrors"]
    return found


@asserts("tdd-validation-result")
def the_client_learns_what_to_mend(directory: Directory) -> None:
    assert "title" in _errors(directory, title=None)[0]["description"]
    [error] = _errors(directory, properties={"on": {"forms": [{"href": 5}]}})
    assert error["field"] == "/properties/on/forms/0/href"
    [error] = _errors(directory, security=["none"])
    assert "none" in error["description"]


@asserts("tdd-validation-response")
def validation_errors_have_field_and_description(directory: Directory) -> None:
    for members in ({"title": None}, {"title": 5}, {"securityDefinitions": {}}):
        errors = _errors(directory, **members)
        assert errors
        for error in errors:
            assert isinstance(error["field"], str) and error["field"]
            assert isinstance(error["description"], str) and error["description"]


@asserts("tdd-validation-response-utf-8")
def validation_errors_are_utf_8(directory: Directory) -> None:
    reply = directory.put(_invalid(properties={"größe": {"forms": [{"href": 5}]}}))
    is_problem(reply, 400)
    assert "größe" in reply.body.decode("utf-8")
    assert "charset" not in reply.headers["Content-Type"]
