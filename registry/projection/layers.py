"""A variant's layers and tensors as triples, from the description that is kept with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ontology.describe import Description
from ontology.graph import shape_text
from ontology.vocabulary import notation_of, noted

_Json = Mapping[str, Any]


def describe_layers(variant: Description, described: _Json) -> None:
    """What the TinyML schema says of a network: its layers in order, and what they read and write.

    A variant of which no layers are kept, such as one that is known from publications, has none.
    """
    variant.has("tf:layerCount", described.get("layer_count"))
    stated = described.get("stated_layers", ())
    if stated:
        parts = [_describe_stated(variant, number, each) for number, each in enumerate(stated, 1)]
        _describe_order(variant, parts, whole=len(parts) == described.get("layer_count"))
        return
    tensors = {tensor["index"]: tensor for tensor in described.get("tensors", ())}
    for tensor in tensors.values():
        _describe_tensor(variant, tensor)
    layers = described.get("layers", ())
    parts = [
        _describe_layer(variant, number, layer, tensors) for number, layer in enumerate(layers, 1)
    ]
    _describe_order(variant, parts, whole=len(parts) == described.get("layer_count"))


def _describe_stated(variant: Description, number: int, layer: _Json) -> Description:
    """A layer of a network that somebody described: its kind, and what else is said of it."""
    part = variant.part(f"layer-{number}").a("nnet:Layer").has("nnet:hasIndex", number)
    operator = notation_of("nnet:LayerType", layer["kind"])
    part.has("tf:operatorName", operator)
    part.is_to("nnet:hasType", noted("nnet:LayerType", operator))
    for name, kind, said in (
        ("nnet:hasActivation", "nnet:Activation", layer["activation"]),
        ("nnet:hasQuantization", "nnet:Quantization", layer["precision"]),
    ):
        part.is_to(name, noted(kind, notation_of(kind, said)))
    for name, shape in (("nnet:shapeIn", layer["shape_in"]), ("nnet:shapeOut", layer["shape_out"])):
        part.has(name, None if shape is None else shape_text(tuple(shape)))
    return part


def _describe_layer(
    variant: Description, number: int, layer: _Json, tensors: Mapping[int, _Json]
) -> Description:
    part = variant.part(f"layer-{number}").a("nnet:Layer").has("nnet:hasIndex", number)
    part.has("tf:operatorName", layer["operator"])
    part.is_to("nnet:hasType", noted("nnet:LayerType", layer["operator"]))
    part.is_to("nnet:hasActivation", noted("nnet:Activation", layer["activation"]))
    part.has("nnet:hasMultiplyAccumulateOps", layer["macs"])
    part.for_each("tf:reads", [_tensor_part(variant, index) for index in layer["reads"]])
    part.for_each("tf:writes", [_tensor_part(variant, index) for index in layer["writes"]])
    _describe_ends(part, layer, tensors)
    return part


def _describe_ends(part: Description, layer: _Json, tensors: Mapping[int, _Json]) -> None:
    """The shapes at both ends and the number format, as the TinyML schema has them at a layer."""
    for name, indices in (("nnet:shapeIn", layer["reads"]), ("nnet:shapeOut", layer["writes"])):
        part.has(name, *(_shape(tensors[index]) for index in indices[:1]))
    for index in layer["writes"][:1]:
        part.is_to("nnet:hasQuantization", noted("nnet:Quantization", tensors[index]["dtype"]))


def _describe_order(variant: Description, parts: Sequence[Description], whole: bool) -> None:
    """First, middle and last; the last of those that are kept is the output only if all are."""
    variant.for_each("tf:hasLayer", parts)
    variant.for_each("nnet:inputLayer", parts[:1])
    last = len(parts) - 1 if whole else len(parts)
    variant.for_each("nnet:middleLayer", parts[1:last])
    variant.for_each("nnet:outputLayer", parts[last:])


def _describe_tensor(variant: Description, tensor: _Json) -> None:
    part = _tensor_part(variant, tensor["index"]).a("tf:Tensor")
    part.has("tf:dtype", tensor["dtype"].lower()).has("tf:shape", _shape(tensor))
    part.has("tf:constant", tensor["constant"]).has("tf:sizeBytes", tensor["bytes"])
    quantization = tensor["quantization"] or {}
    part.has("tf:scale", quantization.get("scale"))
    part.has("tf:zeroPoint", quantization.get("zero_point"))
    part.has("tf:quantizedAxis", quantization.get("axis"))
    part.has("tf:scaleCount", quantization.get("scales"))
    variant.is_to("tf:hasTensor", part.iri.value)


def _tensor_part(variant: Description, index: int) -> Description:
    return variant.part(f"tensor-{index}")


def _shape(tensor: _Json) -> str | None:
    return None if tensor["shape"] is None else shape_text(tuple(tensor["shape"]))
