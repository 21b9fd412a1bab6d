"""Neural networks as the TinyML schema describes them: needs, figures and what feeds them."""

from __future__ import annotations

import re

from ontology.descriptions.facts import Credits, DescribedNetwork
from ontology.descriptions.layers import layer_subjects, read_layers
from ontology.descriptions.quantities import number, size_bytes
from ontology.descriptions.sensors import is_sensor, sensor_kinds
from ontology.descriptions.terms import DescriptionRefused, Graph, short, tail
from ontology.descriptions.words import address, identity, text
from ontology.namespaces import PREFIXES, expand
from ontology.vocabulary import network_categories

_FEATURES = ("s3n:hasProcedureFeature", "ssn-system:inCondition")
_MOST_RUNTIMES = 100


def network_subjects(graph: Graph) -> list[str]:
    """Every neural network."""
    return graph.instances("nnet:NeuralNetwork")


def read_network(graph: Graph, subject: str) -> DescribedNetwork:
    """What is said of one; DescriptionRefused where it contradicts itself."""
    iri = identity(graph, subject, "a neural network")
    name = text(graph, subject, "schema:name", "rdfs:label", "td:title")
    whose = name or iri
    return DescribedNetwork(
        iri=iri,
        name=name,
        description=text(graph, subject, "schema:description", "rdfs:comment"),
        category=_category(graph, subject, whose),
        data_source=address(graph, subject, "nnet:trainingDataset", whose),
        credits=_credits(graph, subject, whose),
        precision=_precision(graph, subject),
        ram_bytes=_need(graph, subject, "s3n_extend:RAM", whose),
        flash_bytes=_need(graph, subject, "s3n_extend:Flash", whose),
        macs=_macs(graph, subject, whose),
        accuracy=_accuracy(graph, subject, whose),
        sensors=_sensors(graph, subject, whose),
        runtimes=_runtimes(graph, subject),
        layers=read_layers(graph, subject),
    )


def _need(graph: Graph, subject: str, kind: str, whose: str) -> int | None:
    """The memory of a kind that is the least in which the network runs; 0 says nothing."""
    label = f"the {kind.partition(':')[2]} that {whose} needs"
    conditions = graph.related(subject, *_FEATURES)
    memories = [each for each in conditions if expand(kind) in graph.types(each)]
    sizes = {size_bytes(graph, each, "schema:minValue", label) for each in memories} - {None}
    if len(sizes) > 1:
        listed = " and ".join(f"{size:,} B" for size in sorted(filter(None, sizes)))
        raise DescriptionRefused(f"{label} is {listed} at once; leave one")
    size = next(iter(sizes), None)
    if size == 0:
        graph.mend(subject, f"{label} is given as 0; taken as not known")
    return size or None


def _macs(graph: Graph, subject: str, whose: str) -> int | None:
    count = number(graph, subject, "nnet:hasMultiplyAccumulateOps", whose)
    return None if count is None else round(count)


def _accuracy(graph: Graph, subject: str, whose: str) -> float | None:
    """Top-1 accuracy as a fraction; the schema's figures are per cent, and 0.0 says nothing."""
    metrics = graph.related(subject, "nnet:hasMetric")
    top_1 = [each for each in metrics if expand("nnet:Top_1_accuracy") in graph.types(each)]
    found = {
        number(graph, each, "nnet:hasMetricValue", f"the accuracy of {whose}") for each in top_1
    }
    if 0 in found:
        graph.mend(subject, f"the accuracy of {whose} is given as 0.0; taken as not known")
    values = sorted(value for value in found if value)
    if len(values) > 1:
        listed = " and ".join(f"{value:g}" for value in values)
        raise DescriptionRefused(f"the accuracy of {whose} is {listed} at once; leave one")
    return _fraction(graph, subject, values[0], whose) if values else None


def _fraction(graph: Graph, subject: str, value: float, whose: str) -> float:
    if value > 100:
        raise DescriptionRefused(f"the accuracy of {whose} is {value:g}, which is above 100 %")
    if value > 1:
        return round(value / 100, 12)  # as it would be written
    graph.mend(subject, f"the accuracy of {whose} is {value:g}; read as a fraction, not per cent")
    return value


def _category(graph: Graph, subject: str, whose: str) -> str:
    for found in graph.related(subject, "nnet:hasCategory"):
        if found in network_categories():
            return tail(found)
        if found.startswith(PREFIXES["nnet"]):
            graph.mend(
                subject, f"{short(found)} names no category; that of {whose} is taken as not known"
            )
    return ""


def _credits(graph: Graph, subject: str, whose: str) -> Credits:
    names = ("schema:creator", "schema:dateCreated", "schema:citation")
    return Credits(*(address(graph, subject, name, whose) for name in names))


def _sensors(graph: Graph, subject: str, whose: str) -> tuple[str, ...] | None:
    """What provides the network's inputs, all of it together; None unless each has a sensor."""
    what = f"what feeds {whose}"
    inputs = graph.related(subject, "ssn:hasInput")
    sources = {each: graph.subjects("ssn_extend:provideInput", each) for each in inputs}
    all_sources = dict.fromkeys(source for each in inputs for source in sources[each])
    fed = [each for each in inputs if any(is_sensor(graph, source) for source in sources[each])]
    if len(fed) < len(inputs):
        if all_sources:
            unfed = f"{len(inputs) - len(fed)} of the {len(inputs)} inputs of {whose}"
            graph.mend(subject, f"no sensor is stated for {unfed}; {what} is taken as not known")
        return None
    return sensor_kinds(graph, all_sources, what)


def _runtimes(graph: Graph, subject: str) -> tuple[str, ...] | None:
    """Platforms as runtimes are named in the catalogue: TFLite Micro is tflite-micro."""
    words = graph.related(subject, "schema:runtimePlatform")
    names = {re.sub(r"[^a-z0-9]+", "-", word.lower()).strip("-")[:60] for word in words}
    if len(names) > _MOST_RUNTIMES:
        raise DescriptionRefused(f"{short(subject)} runs on more than {_MOST_RUNTIMES} platforms")
    return tuple(sorted(names - {""})) or None


def _precision(graph: Graph, subject: str) -> str:
    """The one type in which all layers compute that say so; '' where they differ or say nothing."""
    stated = {
        tail(t).lower()
        for layer in layer_subjects(graph, subject)
        for t in graph.related(layer, "nnet:hasQuantization")
    }
    return stated.pop()[:20] if len(stated) == 1 else ""
