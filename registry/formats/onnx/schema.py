"""The ONNX messages, as far as describing a network needs them.

Facts from onnx/onnx.proto (IR version 14). A field that is not listed is skipped.
Notation: `number:name:form`, where the form is i integer, r real, s text, o octets, b bulk numbers
(kept as they lie) or a message's name, and `*` before it means repeated.
"""

from __future__ import annotations

from collections.abc import Mapping

from registry.formats.protobuf_reader import MessageField, Schema, Wire

_FORMS = {
    "i": Wire.INTEGER,
    "r": Wire.REAL,
    "s": Wire.TEXT,
    "o": Wire.OCTETS,
    "b": Wire.BULK,
}

_MESSAGES: Mapping[str, str] = {
    "Model": "1:ir_version:i 2:producer_name:s 6:doc_string:s 7:graph:Graph 8:opset_import:*Opset"
    " 14:metadata_props:*Entry 25:functions:*Function",
    "Opset": "1:domain:s 2:version:i",
    "Entry": "1:key:s 2:value:s",
    "Graph": "1:node:*Node 2:name:s 5:initializer:*Tensor 11:input:*ValueInfo 12:output:*ValueInfo"
    " 13:value_info:*ValueInfo 15:sparse_initializer:*SparseTensor",
    "Node": "1:input:*s 2:output:*s 3:name:s 4:op_type:s 5:attribute:*Attribute 7:domain:s"
    " 8:overload:s",
    "Attribute": "1:name:s 2:f:r 3:i:i 4:s:o 5:t:Tensor 6:g:Graph 7:floats:*r 8:ints:*i"
    " 9:strings:*o 11:graphs:*Graph 20:type:i 21:ref_attr_name:s 22:sparse_tensor:SparseTensor",
    "Tensor": "1:dims:*i 2:data_type:i 3:segment:Segment 4:float_data:*b 5:int32_data:*b"
    " 6:string_data:*o 7:int64_data:*b 8:name:s 9:raw_data:o 10:double_data:*b 11:uint64_data:*b"
    " 13:external_data:*Entry 14:data_location:i",
    "Segment": "1:begin:i 2:end:i",
    "SparseTensor": "1:values:Tensor 2:indices:Tensor 3:dims:*i",
    "ValueInfo": "1:name:s 2:type:Type",
    "Type": "1:tensor_type:TensorType 4:sequence_type:Opaque 5:map_type:Opaque 7:opaque_type:Opaque"
    " 8:sparse_tensor_type:TensorType 9:optional_type:Opaque",
    "TensorType": "1:elem_type:i 2:shape:Shape",
    "Opaque": "",
    "Shape": "1:dim:*Dimension",
    "Dimension": "1:dim_value:i 2:dim_param:s",
    "Function": "1:name:s 4:input:*s 5:output:*s 6:attribute:*s 7:node:*Node"
    " 9:opset_import:*Opset 10:domain:s 11:attribute_proto:*Attribute 13:overload:s",
}


def _field(text: str) -> tuple[int, MessageField]:
    number, name, form = text.split(":")
    plain = form.removeprefix("*")
    wire = _FORMS.get(plain, Wire.MESSAGE)
    message = plain if wire is Wire.MESSAGE else ""
    return int(number), MessageField(name, wire, form != plain, message)


SCHEMA: Schema = {
    message: dict(map(_field, fields.split())) for message, fields in _MESSAGES.items()
}
ROOT = "Model"

# TensorProto.DataType by number, under the names that this product has for types.
DATA_TYPES: Mapping[int, str] = {
    1: "FLOAT32",
    2: "UINT8",
    3: "INT8",
    4: "UINT16",
    5: "INT16",
    6: "INT32",
    7: "INT64",
    8: "STRING",
    9: "BOOL",
    10: "FLOAT16",
    11: "FLOAT64",
    12: "UINT32",
    13: "UINT64",
    14: "COMPLEX64",
    15: "COMPLEX128",
    16: "BFLOAT16",
    17: "FLOAT8_E4M3FN",
    18: "FLOAT8_E4M3FNUZ",
    19: "FLOAT8_E5M2",
    20: "FLOAT8_E5M2FNUZ",
    21: "UINT4",
    22: "INT4",
    23: "FLOAT4_E2M1",
    24: "FLOAT8_E8M0",
    25: "UINT2",
    26: "INT2",
    27: "FLOAT6_E2M3",
    28: "FLOAT6_E3M2",
}
