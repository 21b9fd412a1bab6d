"""Smart sensors as S3N and SSN describe them: a microcontroller with its memory, and sensors."""

from __future__ import annotations

from ontology.descriptions.facts import DescribedDevice
from ontology.descriptions.quantities import size_bytes
from ontology.descriptions.sensors import sensor_kinds
from ontology.descriptions.terms import DescriptionRefused, Graph
from ontology.descriptions.words import identity, text
from ontology.namespaces import expand
from ontology.parts import HAS_PART, IS_PART_OF

_CAPABILITIES = ("s3n:hasSystemCapability", "ssn-system:hasSystemCapability")


def device_subjects(graph: Graph) -> list[str]:
    """Every smart sensor, and everything else that has a microcontroller for a part."""
    chips = graph.instances("s3n:MicroController")
    owners = {owner for chip in chips for owner in _joined(graph, chip, IS_PART_OF, HAS_PART)}
    return sorted(owners | set(graph.instances("s3n:SmartSensor")))


def read_device(graph: Graph, subject: str) -> DescribedDevice:
    """What is said of one; DescriptionRefused where it contradicts itself."""
    iri = identity(graph, subject, "a smart sensor")
    name = text(graph, subject, "td:title", "schema:name", "rdfs:label")
    parts = _joined(graph, subject, HAS_PART, IS_PART_OF)
    return DescribedDevice(
        iri=iri,
        name=name,
        description=text(graph, subject, "td:description", "schema:description") or name,
        ram_bytes=_memory(graph, [subject, *parts], "s3n_extend:RAM", name or iri),
        flash_bytes=_memory(graph, [subject, *parts], "s3n_extend:Flash", name or iri),
        sensors=sensor_kinds(graph, parts, f"what {name or iri} senses"),
    )


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
