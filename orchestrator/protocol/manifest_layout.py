"""The fixed frame of a TinyFleet manifest: which SUIT commands it has, and where parameters stand.

One component, three identity conditions, fetch, image match: nothing to interpret on a device.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.protocol import cbor, suit
from orchestrator.protocol.fields import Fields
from orchestrator.protocol.messages import ResultCode
from orchestrator.protocol.refusal import ManifestError

PARAMETERS: Mapping[str, int] = {
    "vendor_id": 1,
    "class_id": 2,
    "image_digest": 3,
    "image_size": 14,
    "uri": 21,
    "device_uuid": 24,
    "device_id": -1,
    "deployment": -2,
    "issued_at": -3,
    "expires_at": -4,
    "block_exponents": -5,
    "arena_bytes": -6,
    "operators": -7,
    "runtime": -8,
    "input_shape": -9,
    "output_shape": -10,
    "self_test": -11,
}
"""SUIT's own parameters by their numbers; ours are suit-parameter-custom, below zero."""

_VERSION = 1
_REPORT_ALL, _REPORT_FAILURE = 15, 2  # SUIT_Rep_Policy bits, as in the draft's examples
_COMPONENTS = [[b"\x00"]]
_IDENTITY: list[suit.Command] = [
    (suit.CONDITION_VENDOR, _REPORT_ALL),
    (suit.CONDITION_CLASS, _REPORT_ALL),
    (suit.CONDITION_DEVICE, _REPORT_ALL),
]
_MATCH: list[suit.Command] = [(suit.CONDITION_IMAGE, _REPORT_ALL)]
_FETCH: list[suit.Command] = [(suit.FETCH, _REPORT_FAILURE)]


def assemble(sequence: int, parameters: Mapping[str, Any]) -> bytes:
    """The encoded manifest of named parameters; those that are None are left out."""
    given = {PARAMETERS[name]: value for name, value in parameters.items() if value is not None}
    uri = {PARAMETERS["uri"]: given.pop(PARAMETERS["uri"])}
    shared = [(suit.OVERRIDE_PARAMETERS, given), *_IDENTITY]
    install = [(suit.OVERRIDE_PARAMETERS, uri), *_FETCH, *_MATCH]
    common = {suit.COMPONENTS: _COMPONENTS, suit.SHARED_SEQUENCE: _commands(shared)}
    return cbor.dumps(
        {
            suit.VERSION: _VERSION,
            suit.SEQUENCE_NUMBER: sequence,
            suit.COMMON: cbor.dumps(common),
            suit.VALIDATE: _commands(_MATCH),
            suit.INSTALL: _commands(install),
        }
    )


def take_apart(encoded: bytes) -> tuple[int, Fields]:
    """(sequence number, parameters) of an encoded manifest.

    A member or command beyond the frame is refused, because it might matter; an unknown custom
    parameter is inert and ignored.
    """
    root = suit.read_map(encoded, "manifest")
    wanted = {suit.VERSION, suit.SEQUENCE_NUMBER, suit.COMMON, suit.VALIDATE, suit.INSTALL}
    if set(root) != wanted or root[suit.VERSION] != _VERSION:
        raise _foreign("manifest")
    if suit.read_commands(root[suit.VALIDATE], "validate") != tuple(_MATCH):
        raise _foreign("validate sequence")
    parameters = _shared_parameters(root[suit.COMMON]) | _install_parameters(root[suit.INSTALL])
    numbers = Fields(root, "/manifest", {"sequence": suit.SEQUENCE_NUMBER})
    return numbers.integer("sequence"), Fields(parameters, "/parameters", PARAMETERS)


def _shared_parameters(encoded: object) -> dict[object, object]:
    common = suit.read_map(encoded if isinstance(encoded, bytes) else b"", "common")
    if set(common) != {suit.COMPONENTS, suit.SHARED_SEQUENCE}:
        raise _foreign("common part")
    if common[suit.COMPONENTS] != _COMPONENTS:
        raise _foreign("component list")
    commands = suit.read_commands(common[suit.SHARED_SEQUENCE], "shared sequence")
    return _overridden(commands, _IDENTITY, "shared sequence")


def _install_parameters(encoded: object) -> dict[object, object]:
    parameters = _overridden(
        suit.read_commands(encoded, "install"), [*_FETCH, *_MATCH], "install sequence"
    )
    if set(parameters) != {PARAMETERS["uri"]}:
        raise _foreign("install sequence's parameters")
    return parameters


def _overridden(
    commands: tuple[suit.Command, ...], rest: list[suit.Command], what: str
) -> dict[object, object]:
    code, parameters = commands[0]
    if code != suit.OVERRIDE_PARAMETERS or list(commands[1:]) != rest:
        raise _foreign(what)
    if not isinstance(parameters, dict):
        raise _foreign(what)
    return parameters


def _commands(commands: list[suit.Command]) -> bytes:
    return cbor.dumps([part for command in commands for part in command])


def _foreign(what: str) -> ManifestError:
    return ManifestError(ResultCode.MALFORMED, f"the {what} is not that of a TinyFleet manifest")
