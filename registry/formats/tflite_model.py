"""The outer tables of the TensorFlow Lite schema: operators, subgraphs, buffers, the model.

Facts from tensorflow/lite/schema/schema.fbs.
"""

from __future__ import annotations

from registry.formats.tflite_options import BUILTIN_OPTIONS, BUILTIN_OPTIONS_2
from registry.formats.tflite_schema import (
    OPERATOR_CODE,
    TENSOR,
    TableType,
    many,
    octets,
    scalar,
    scalars,
    string,
    union,
)

OPERATOR = TableType(
    "Operator",
    (
        scalar("opcode_index", "I"),
        scalars("inputs", "i"),
        scalars("outputs", "i"),
        scalar("builtin_options_type", "B"),
        union("builtin_options", "builtin_options_type", BUILTIN_OPTIONS),
        octets("custom_options", align=8),
        scalar("custom_options_format", "b"),
        scalars("mutating_variable_inputs", "?"),
        scalars("intermediates", "i"),
        scalar("large_custom_options_offset", "Q"),
        scalar("large_custom_options_size", "Q"),
        scalar("builtin_options_2_type", "B"),
        union("builtin_options_2", "builtin_options_2_type", BUILTIN_OPTIONS_2),
        scalar("debug_metadata_index", "i", -1),
    ),
)

SUBGRAPH = TableType(
    "SubGraph",
    (
        many("tensors", TENSOR),
        scalars("inputs", "i"),
        scalars("outputs", "i"),
        many("operators", OPERATOR),
        string("name"),
        scalar("debug_metadata_index", "i", -1),
    ),
)

BUFFER = TableType("Buffer", (octets("data", align=16), scalar("offset", "Q"), scalar("size", "Q")))
METADATA = TableType("Metadata", (string("name"), scalar("buffer", "I")))
_TENSOR_MAP = TableType("TensorMap", (string("name"), scalar("tensor_index", "I")))
SIGNATURE = TableType(
    "SignatureDef",
    (
        many("inputs", _TENSOR_MAP),
        many("outputs", _TENSOR_MAP),
        string("signature_key"),
        scalar("deprecated_tag", "I"),
        scalar("subgraph_index", "I"),
    ),
)
_EXTERNAL_BUFFER_GROUP = TableType("ExternalBufferGroup", (string("name"),))
_EXTERNAL_BUFFER = TableType(
    "ExternalBuffer",
    (
        scalar("id", "I"),
        scalar("group", "I"),
        scalar("offset", "Q"),
        scalar("length", "Q"),
        string("packing"),
    ),
)

MODEL = TableType(
    "Model",
    (
        scalar("version", "I"),
        many("operator_codes", OPERATOR_CODE),
        many("subgraphs", SUBGRAPH),
        string("description"),
        many("buffers", BUFFER),
        scalars("metadata_buffer", "i"),
        many("metadata", METADATA),
        many("signature_defs", SIGNATURE),
        many("external_buffer_groups", _EXTERNAL_BUFFER_GROUP),
        many("external_buffers", _EXTERNAL_BUFFER),
    ),
)
