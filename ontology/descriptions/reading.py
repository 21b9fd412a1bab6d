"""All devices and networks of a graph, or the reason why it is not read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from ontology.descriptions.devices import device_subjects, read_device
from ontology.descriptions.facts import Descriptions
from ontology.descriptions.networks import network_subjects, read_network
from ontology.descriptions.terms import DescriptionRefused, Graph

Described = TypeVar("Described")


def count_subjects(graph: Graph) -> int:
    """How many devices and networks the graph speaks of, before any is read."""
    return len(device_subjects(graph)) + len(network_subjects(graph))


def read_descriptions(graph: Graph) -> Descriptions:
    """What the graph says; DescriptionRefused for what contradicts itself or cannot be."""
    devices = tuple(_each(graph, device_subjects(graph), read_device))
    networks = tuple(_each(graph, network_subjects(graph), read_network))
    return Descriptions(devices, networks, graph.report())


def _each(
    graph: Graph, subjects: Iterable[str], read: Callable[[Graph, str], Described]
) -> Iterator[Described]:
    for subject in subjects:
        try:
            yield read(graph, subject)
        except DescriptionRefused as error:
            raise DescriptionRefused(f"{graph.document_of(subject)}: {error}") from error
