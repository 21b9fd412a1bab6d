"""All devices and networks of a graph, or the reason why it is not read."""

from __future__ import annotations

from ontology.descriptions.devices import described_devices
from ontology.descriptions.facts import Descriptions
from ontology.descriptions.networks import described_networks
from ontology.descriptions.terms import Graph


def read_descriptions(graph: Graph) -> Descriptions:
    """What the graph says; DescriptionRefused for what contradicts itself or cannot be."""
    devices = tuple(described_devices(graph))
    networks = tuple(described_networks(graph))
    graph.report_kilobytes()
    return Descriptions(devices, networks, graph.mends)
