"""Reading a W3C Thing Description with our capacity terms: bytes in, frozen facts out.

The description is JSON-LD, but no remote context is ever fetched: our terms are found by the
prefix that the description itself declares for our namespace, whatever it is called, or by their
full IRIs. Terms of other vocabularies are tolerated and left alone.

Source: W3C, Web of Things (WoT) Thing Description 1.1, section 5.3.1.1; JSON-LD 1.1, section 3.1.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from ontology.facts import Sensor
from registry.formats.td_node import DescriptionError, Node
from registry.formats.td_terms import Terms

__all__ = ["DescriptionError", "DeviceDescription", "parse_description"]

TD_1_1 = "https://www.w3.org/2022/wot/td/v1.1"
CONTEXTS = frozenset({TD_1_1, "https://www.w3.org/2019/wot/td/v1"})
REQUIRED = ("@context", "id", "title", "security", "securityDefinitions")
NAME_LENGTH = 80


@dataclass(frozen=True, slots=True)
class DeclaredRuntime:
    """The interpreter that a firmware says it holds."""

    name: str
    version: str = ""
    kernels: str = ""


@dataclass(frozen=True, slots=True)
class DeclaredFirmware:
    """The image that a device says it runs, with the capacity that it declares. Sizes are bytes."""

    name: str
    version: str
    runtime: DeclaredRuntime
    arena_budget_bytes: int | None = None
    slot_bytes: int | None = None
    operators: Mapping[str, int] | None = None
    dtypes: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class DeviceDescription:
    """What a Thing Description says, as far as we read it. None means that it does not say.

    `board_pointer` is where the board stands, for a refusal by who knows the boards.
    """

    id: str
    title: str
    board: str | None = None
    board_pointer: str = ""
    firmware: DeclaredFirmware | None = None
    sensors: tuple[Sensor, ...] | None = None


def parse_description(payload: bytes, max_bytes: int) -> DeviceDescription:
    """The facts in a Thing Description, or DescriptionError naming what is wrong and where."""
    if len(payload) > max_bytes:
        raise DescriptionError("", f"has {len(payload)} bytes, more than the {max_bytes} allowed")
    document = _json(payload)
    if not isinstance(document, dict):
        raise DescriptionError("", "is not a JSON object, so no Thing Description")
    for name in REQUIRED:
        if name not in document:
            raise DescriptionError("", f"is not a Thing Description: {name} is missing")
    root = Node(document, "", Terms.of_context(document["@context"]))
    _check_context(root)
    _check_security(root)
    return DeviceDescription(
        id=root.member("id").text(NAME_LENGTH * 2),
        title=root.member("title").text(NAME_LENGTH * 2),
        **_declared(root),
    )


def _json(payload: bytes) -> Any:
    try:
        return json.loads(payload.decode("utf-8"), parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise DescriptionError("", f"is not UTF-8 at byte {error.start}") from error
    except RecursionError as error:
        raise DescriptionError("", "is nested too deeply to be a Thing Description") from error
    except ValueError as error:
        raise DescriptionError("", f"is not JSON: {error}") from error


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _check_context(root: Node) -> None:
    context = root.member("@context")
    parts = context.value if isinstance(context.value, list) else [context.value]
    if not CONTEXTS.intersection(part for part in parts if isinstance(part, str)):
        context.refuse(f"does not name the context of Thing Descriptions, {TD_1_1}")


def _check_security(root: Node) -> None:
    """Each name in `security` must be defined, as TD 1.1 section 5.3.1.1 demands."""
    definitions = root.member("securityDefinitions")
    if not isinstance(definitions.value, dict) or not definitions.value:
        definitions.refuse("is not an object with at least one definition")
    for name in root.member("security").items():
        if name.text(NAME_LENGTH) not in definitions.value:
            name.refuse(f"is {name.value!r}, which securityDefinitions does not define")


def _declared(root: Node) -> dict[str, Any]:
    board = root.term("board")
    capacity, firmware = root.term("capacity"), root.term("firmware")
    if capacity is None and firmware is None:
        return _board(board) if board else {}
    if board is None:
        root.refuse("declares a capacity or firmware, but no board that it belongs to")
    if capacity is None or firmware is None:
        missing = "capacity" if capacity is None else "firmware"
        root.refuse(f"lacks {missing}: a capacity belongs to a firmware build, and a build has one")
    declared = {"firmware": _firmware(firmware, capacity), "sensors": _sensors(capacity)}
    return _board(board) | declared


def _board(node: Node) -> dict[str, Any]:
    return {"board": node.text(NAME_LENGTH), "board_pointer": node.pointer}


def _firmware(firmware: Node, capacity: Node) -> DeclaredFirmware:
    operators, dtypes = capacity.term("operators"), capacity.term("dtypes")
    arena, slot = capacity.term("arenaBudgetBytes"), capacity.term("slotBytes")
    return DeclaredFirmware(
        name=firmware.required("name").text(NAME_LENGTH),
        version=firmware.required("version").text(40),
        runtime=_runtime(capacity.required("runtime")),
        arena_budget_bytes=arena.size() if arena else None,
        slot_bytes=slot.size() if slot else None,
        operators=_operators(operators) if operators else None,
        dtypes=_dtypes(dtypes) if dtypes else None,
    )


def _runtime(node: Node) -> DeclaredRuntime:
    version, kernels = node.term("version"), node.term("kernels")
    return DeclaredRuntime(
        name=node.required("name").slug(60),
        version=version.text(60) if version else "",
        kernels=kernels.slug(40) if kernels else "",
    )


def _operators(node: Node) -> dict[str, int]:
    """Operator names are kept as they come: a firmware may link some that no schema knows."""
    return {name: version.count() for name, version in node.members()}


def _dtypes(node: Node) -> tuple[str, ...]:
    return tuple(sorted({item.slug(20).lower() for item in node.items()}))


def _sensors(capacity: Node) -> tuple[Sensor, ...] | None:
    node = capacity.term("sensors")
    return None if node is None else tuple(_sensor(item) for item in node.items())


def _sensor(node: Node) -> Sensor:
    rate, shape = node.term("maxRateHz"), node.term("shape")
    return Sensor(
        kind=node.required("kind").slug(40),
        max_rate_hz=rate.rate() if rate else None,
        shape=tuple(_lengths(shape)) if shape else None,
    )


def _lengths(shape: Node) -> Iterator[int]:
    return (length.count() for length in shape.items())
