"""Devices and networks as others describe them in RDF: bytes in, typed facts out.

`documents` turns files into triples within bounds; `terms` mends what is known to be wrong in
published descriptions; `devices` and `networks` read the shapes of S3N, SSN and the TinyML schema.
"""

from ontology.descriptions.documents import DocumentLimits, DocumentParser, DocumentRefused
from ontology.descriptions.facts import (
    DescribedAffordance,
    DescribedDevice,
    DescribedLayer,
    DescribedNetwork,
    Descriptions,
)
from ontology.descriptions.reading import count_subjects, read_descriptions
from ontology.descriptions.terms import DescriptionRefused, Graph, Mend
from ontology.descriptions.words import plain

__all__ = [
    "DescribedAffordance",
    "DescribedDevice",
    "DescribedLayer",
    "DescribedNetwork",
    "DescriptionRefused",
    "Descriptions",
    "DocumentLimits",
    "DocumentParser",
    "DocumentRefused",
    "Graph",
    "Mend",
    "count_subjects",
    "plain",
    "read_descriptions",
]
