"""The layers of a network as the TinyML schema describes them: in order, each with its kind."""

from __future__ import annotations

import math
import re

import pyoxigraph as ox

from ontology.descriptions.facts import DescribedLayer
from ontology.descriptions.terms import Graph, tail
from ontology.descriptions.words import text

_RELATIONS = ("nnet:inputLayer", "nnet:middleLayer", "nnet:outputLayer")
_NAME_LENGTH = 60
_LENGTH = re.compile(r"\d{1,12}")
_MOST_LENGTHS = 32


def layer_subjects(graph: Graph, network: str) -> list[str]:
    """The first layers, those in the middle by their number, the last ones; each once."""
    found = (
        layer
        for relation in _RELATIONS
        for layer in sorted(graph.related(network, relation), key=lambda each: _place(graph, each))
    )
    return list(dict.fromkeys(found))


def _place(graph: Graph, layer: str) -> tuple[float, str]:
    stated = [o.value for o in graph.objects(layer, "nnet:hasIndex") if isinstance(o, ox.Literal)]
    numbers = [int(value) for value in stated if _LENGTH.fullmatch(value)]
    return min(numbers, default=math.inf), layer


def read_layers(graph: Graph, network: str) -> tuple[DescribedLayer, ...]:
    """Every layer that says what kind it is; one that does not says nothing."""
    layers = (_read(graph, layer) for layer in layer_subjects(graph, network))
    return tuple(layer for layer in layers if layer.kind)


def _read(graph: Graph, layer: str) -> DescribedLayer:
    return DescribedLayer(
        kind=_name(graph, layer, "nnet:hasType"),
        activation=_name(graph, layer, "nnet:hasActivation"),
        precision=_name(graph, layer, "nnet:hasQuantization"),
        shape_in=_shape(graph, layer, "nnet:shapeIn"),
        shape_out=_shape(graph, layer, "nnet:shapeOut"),
    )


def _name(graph: Graph, layer: str, name: str) -> str:
    return next((tail(each)[:_NAME_LENGTH] for each in graph.related(layer, name)), "")


def _shape(graph: Graph, layer: str, name: str) -> tuple[int, ...] | None:
    """Lengths however they are set apart: '[ 1 59]', '1x59'."""
    lengths = _LENGTH.findall(text(graph, layer, name))
    return tuple(map(int, lengths)) if 0 < len(lengths) <= _MOST_LENGTHS else None
