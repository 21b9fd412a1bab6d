"""Smart sensors as S3N and SSN describe them: a microcontroller with its memory, and sensors."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice

from ontology.descriptions.facts import DescribedDevice
from ontology.descriptions.interactions import read_affordances
from ontology.descriptions.quantities import size_bytes
from ontology.descriptions.sensors import sensor_kinds
from ontology.descriptions.terms import DescriptionRefused, Graph
from ontology.descriptions.words import identity, text
from ontology.namespaces import expand
from ontology.parts import HAS_PART, IS_PART_OF

_MOST_PARTS = 1_000
_CAPABILITIES = ("s3n:hasSystemCapability", "ssn-system:hasSystemCapability")


def device_subjects(graph: Graph) -> list[str]:
    """Every smart sensor, and everything else that has a microcontroller for a part.

    What has one and is itself a part of a smart sensor, however deep, belongs to that.
    """
    sensors = graph.instances("s3n:SmartSensor")
    chips = graph.instances("s3n:MicroController")
    owners = {owner for chip in chips for owner in _joined(graph, chip, IS_PART_OF, HAS_PART)}
    inside = set(_reached(graph, sensors, None))
    return sorted((owners - inside) | set(sensors))


def read_device(graph: Graph, subject: str) -> DescribedDevice:
    """What is said of one; DescriptionRefused where it contradicts itself."""
    iri = identity(graph, subject, "a smart sensor")
    name = text(graph, subject, "td:title", "schema:name", "rdfs:label")
    parts = _parts(graph, subject, name or iri)
    return DescribedDevice(
        iri=iri,
        name=name,
        description=text(graph, subject, "td:description", "schema:description") or name,
        ram_bytes=_memory(graph, [subject, *parts], "s3n_extend:RAM", name or iri),
        flash_bytes=_memory(graph, [subject, *parts], "s3n_extend:Flash", name or iri),
        sensors=sensor_kinds(graph, parts, f"what {name or iri} senses"),
        affordances=read_affordances(graph, subject),
    )


def _parts(graph: Graph, subject: str, whose: str) -> list[str]:
    """Its parts and theirs, each once; those of a smart sensor among them are that one's own."""
    parts = list(islice(_reached(graph, [subject], subject), _MOST_PARTS + 1))
    if len(parts) > _MOST_PARTS:
        raise DescriptionRefused(f"{whose} has more than {_MOST_PARTS:,} parts")
    return parts


def _reached(graph: Graph, wholes: Iterable[str], but: str | None) -> Iterator[str]:
    """The parts of these, nearest first; through `but` and through smart sensors leads no way."""
    seen: set[str | None] = {but}
    pending = deque(wholes)
    while pending:
        for part in _joined(graph, pending.popleft(), HAS_PART, IS_PART_OF):
            if part not in seen and not _is_device(graph, part):
                seen.add(part)
                pending.append(part)
                yield part


def _is_device(graph: Graph, thing: str) -> bool:
    return expand("s3n:SmartSensor") in graph.types(thing)


def _joined(
    graph: Graph, thing: str, relations: tuple[str, ...], inverses: tuple[str, ...]
) -> list[str]:
    """What a thing is joined with, stated of either of the two, each once."""
    stated = [end for name in relations for end in graph.related(thing, name)]
    inverse = [start for name in inverses for start in graph.subjects(name, thing)]
    return list(dict.fromkeys(stated + inverse))


def _memory(graph: Graph, systems: list[str], kind: str, whose: str) -> int | None:
    """The one memory of a kind within the capabilities of a device and its parts."""
    label = f"the {kind.partition(':')[2]} of {whose}"
    sizes = {
        size_bytes(graph, memory, "schema:value", label)
        for system in systems
        for capability in _CAPABILITIES
        for memory in graph.related(system, capability, "ssn-system:hasSystemProperty")
        if expand(kind) in graph.types(memory)
    } - {None}
    if len(sizes) > 1:
        listed = " and ".join(f"{size:,} B" for size in sorted(filter(None, sizes)))
        raise DescriptionRefused(f"{label} is {listed} at once; leave one")
    return next(iter(sizes), None)
