"""Operator options of the TensorFlow Lite schema, by the number of their union member.

Facts from tensorflow/lite/schema/schema.fbs. Listed are the tables whose values decide an
operator's cost, and all that hold an offset; a member that is not listed holds only scalars.
Notation: `name:code=default`, where code is a struct letter, `*` before it means a vector and `s`
is text.
"""

from __future__ import annotations

from collections.abc import Mapping

from registry.formats.tflite_schema import Field, TableType, octets, scalar, scalars, string

_STRIDES = "padding:b stride_w:i stride_h:i"
_LSTM = "activation:b cell_clip:f projection_clip:f"

_OPTIONS: Mapping[int, tuple[str, str]] = {
    1: (
        "Conv2DOptions",
        f"{_STRIDES} activation:b dilation_w:i=1 dilation_h:i=1 quantized_bias_type:b",
    ),
    2: (
        "DepthwiseConv2DOptions",
        f"{_STRIDES} depth_multiplier:i activation:b dilation_w:i=1 dilation_h:i=1",
    ),
    3: ("ConcatEmbeddingsOptions", "channels:i columns_per_channel:*i dimension_per_channel:*i"),
    5: ("Pool2DOptions", f"{_STRIDES} filter_w:i filter_h:i activation:b"),
    6: ("SVDFOptions", "rank:i activation:b asymmetric_inputs:?"),
    8: (
        "FullyConnectedOptions",
        "activation:b weights_format:b keep_dims:? asymmetric_inputs:? quantized_bias_type:b"
        " quantization_spec:*B",
    ),
    9: ("SoftmaxOptions", "beta:f"),
    10: ("ConcatenationOptions", "axis:i activation:b"),
    11: ("AddOptions", "activation:b pot_scale_int16:?=1"),
    17: ("ReshapeOptions", "new_shape:*i"),
    21: ("MulOptions", "activation:b"),
    23: ("GatherOptions", "axis:i batch_dims:i"),
    27: ("ReducerOptions", "keep_dims:?"),
    28: ("SubOptions", "activation:b pot_scale_int16:?=1"),
    29: ("DivOptions", "activation:b"),
    30: ("SqueezeOptions", "squeeze_dims:*i"),
    32: (
        "StridedSliceOptions",
        "begin_mask:i end_mask:i ellipsis_mask:i new_axis_mask:i shrink_axis_mask:i offset:?",
    ),
    35: ("SplitOptions", "count:i"),
    49: ("TransposeConvOptions", f"{_STRIDES} activation:b quantized_bias_type:b"),
    59: ("PackOptions", "count:i axis:i"),
    64: ("UnpackOptions", "count:i axis:i"),
    71: (
        "UnidirectionalSequenceLSTMOptions",
        f"{_LSTM} time_major:? asymmetric_inputs:? diagonal_recurrent:?",
    ),
    79: ("SplitVOptions", "count:i"),
    92: ("IfOptions", "then_subgraph:i else_subgraph:i"),
    93: ("WhileOptions", "condition_subgraph:i body_subgraph:i"),
    101: ("BatchMatMulOptions", "adjoint_x:? adjoint_y:? asymmetric_inputs:?"),
    103: ("CallOnceOptions", "subgraph:i"),
    106: (
        "Conv3DOptions",
        "padding:b stride_d:i stride_w:i stride_h:i activation:b dilation_d:i=1 dilation_w:i=1"
        " dilation_h:i=1",
    ),
    111: ("VarHandleOptions", "container:s shared_name:s"),
    114: ("RandomOptions", "seed:q seed2:q"),
    115: ("BucketizeOptions", "boundaries:*f"),
}

_OPTIONS_2: Mapping[int, tuple[str, str]] = {
    1: ("StablehloConcatenateOptions", "dimension:q"),
    2: ("StablehloBroadcastInDimOptions", "dimensions:*q"),
    3: ("StablehloSliceOptions", "start:*q limit:*q strides:*q"),
    4: (
        "StablehloConvolutionOptions",
        "window_strides:*q padding:*q lhs_dilation:*q rhs_dilation:*q window_reversal:*?"
        " input_batch:q input_feature:q input_spatial:*q kernel_input_feature:q"
        " kernel_output_feature:q kernel_spatial:*q output_batch:q output_feature:q"
        " output_spatial:*q feature_groups:q batch_groups:q precision:*I",
    ),
    5: (
        "StablehloCustomCallOptions",
        "target:s side_effect:? backend_config:s api_version:i computations:*i attributes:*B",
    ),
    6: ("StablehloReduceOptions", "dimensions:*q body_subgraph:i"),
    7: (
        "StablehloScatterOptions",
        "sorted:? update_window:*q inserted_window:*q to_operand:*q index_dim:q unique:?"
        " subgraph:i",
    ),
    9: ("StablehloDynamicSliceOptions", "sizes:*q"),
    10: ("StablehloPadOptions", "low:*q high:*q interior:*q"),
    11: ("StablehloIotaOptions", "dimension:q"),
    12: (
        "StablehloDotGeneralOptions",
        "lhs_batching:*q rhs_batching:*q lhs_contracting:*q rhs_contracting:*q precision:*I",
    ),
    13: (
        "StablehloReduceWindowOptions",
        "window:*q strides:*q base_dilations:*q window_dilations:*q padding:*q body_subgraph:i",
    ),
    14: ("StablehloSortOptions", "dimension:q stable:? comparator_subgraph:i"),
    16: (
        "StablehloGatherOptions",
        "offset_dims:*q collapsed:*q start_index_map:*q index_dim:q sizes:*q sorted:?",
    ),
    17: ("StablehloTransposeOptions", "permutation:*q"),
    21: (
        "StableHLOCompositeOptions",
        "name:s decomposition_subgraph:i attributes:*B attributes_format:b version:i",
    ),
    23: ("StablehloCaseOptions", "branch_subgraphs:*i"),
}

_LAST_MEMBER = 126
_LAST_MEMBER_2 = 23


def _field(text: str) -> Field:
    name, _, rest = text.partition(":")
    code, _, default = rest.partition("=")
    if code == "s":
        return string(name)
    if code == "*B":
        return octets(name)
    if code.startswith("*"):
        return scalars(name, code[1:])
    return scalar(name, code, int(default or 0))


def _members(listed: Mapping[int, tuple[str, str]], last: int) -> Mapping[int, TableType | None]:
    members: dict[int, TableType | None] = dict.fromkeys(range(1, last + 1))
    for number, (name, fields) in listed.items():
        members[number] = TableType(name, tuple(map(_field, fields.split())))
    return members


BUILTIN_OPTIONS = _members(_OPTIONS, _LAST_MEMBER)
BUILTIN_OPTIONS_2 = _members(_OPTIONS_2, _LAST_MEMBER_2)
