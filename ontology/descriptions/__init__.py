"""Devices and networks as others describe them in RDF: bytes in, typed facts out.

`documents` turns files into triples within bounds; `terms` mends what is known to be wrong in
published descriptions; `devices` and `networks` read the shapes of S3N, SSN and the TinyML schema.
"""

from ontology.descriptions.documents import DocumentLimits, DocumentParser, DocumentRefused
from ontology.descriptions.facts import DescribedDevice, DescribedNetwork, Descriptions
from ontology.descriptions.reading import read_descriptions
from ontology.descriptions.terms import DescriptionRefused, Graph, Mend
from ontology.descriptions.words import plain

__all__ = [
    "DescribedDevice",
    "DescribedNetwork",
    "DescriptionRefused",
    "Descriptions",
    "DocumentLimits",
    "DocumentParser",
    "DocumentRefused",
    "Graph",
    "Mend",
    "plain",
    "read_descriptions",
]
