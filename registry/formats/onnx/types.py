"""Types of a node's outputs.

Rules: https://onnx.ai/onnx/operators/ and, for `com.microsoft`, onnxruntime's ContribOperators.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from registry.formats.network import UNDEFINED
from registry.formats.onnx.schema import DATA_TYPES
from registry.formats.onnx.values import Call, Value, for_each

_TypeRule = Callable[[Call, int], str]


def _first(call: Call, output: int) -> str:
    return call.dtype(0)


def _of(*dtypes: str) -> _TypeRule:
    """Fixed types; the last one holds for all further outputs."""
    return lambda call, output: dtypes[min(output, len(dtypes) - 1)]


def _from(position: int, default: str = UNDEFINED) -> _TypeRule:
    """The type of an input, where it is given."""
    return lambda call, output: call.dtype(position) if call.has(position) else default


def _stated(attribute: str, fallback: _TypeRule) -> _TypeRule:
    """The type that an attribute says, else the fallback."""

    def rule(call: Call, output: int) -> str:
        number = call.integer(attribute)
        return DATA_TYPES.get(number, UNDEFINED) if number else fallback(call, output)

    return rule


def _then(first: _TypeRule, *more: str) -> _TypeRule:
    """One rule for the first output and fixed types for the others."""
    return lambda call, output: first(call, output) if output == 0 else _of(*more)(call, output - 1)


def _value_attribute(default: str) -> _TypeRule:
    def rule(call: Call, output: int) -> str:
        value = call.attributes.get("value")
        return value.dtype if isinstance(value, Value) else default

    return rule


# Operators that are not here give the type of their first input, if their shape has a rule.
TYPES: Mapping[str, _TypeRule] = {
    **for_each("Equal Greater GreaterOrEqual Less LessOrEqual IsInf IsNaN", _of("BOOL")),
    **for_each("ArgMax ArgMin NonMaxSuppression NonZero Shape Size", _of("INT64")),
    **for_each("OptionalHasElement RegexFullMatch", _of("BOOL")),
    **for_each("SequenceLength", _of("INT64")),
    **for_each(
        "AffineGrid Attention CausalConvWithState CenterCropPad Col2Im Compress DFT"
        " FlexAttention GRU LSTM LinearAttention MaxRoiPool MaxUnpool NegativeLogLikelihoodLoss"
        " RNN STFT SoftmaxCrossEntropyLoss StringConcat StringNormalizer SwiGLU",
        _first,
    ),
    **for_each(
        "BlackmanWindow HammingWindow HannWindow MelWeightMatrix",
        _stated("output_datatype", _of("FLOAT32")),
    ),
    **for_each("SequenceConstruct SequenceEmpty SequenceInsert SequenceErase", _of("SEQUENCE")),
    **for_each("SplitToSequence", _of("SEQUENCE")),
    **for_each("ConvInteger MatMulInteger", _of("INT32")),
    **for_each("QLinearConv QLinearMatMul", _from(7)),
    **for_each("MaxPool TopK Unique", _then(_first, "INT64")),
    **for_each("BitCast Cast", _stated("to", _of(UNDEFINED))),
    **for_each("Bernoulli EyeLike RandomNormalLike RandomUniformLike", _stated("dtype", _first)),
    **for_each("RandomNormal RandomUniform", _stated("dtype", _of("FLOAT32"))),
    **for_each(
        "com.microsoft.DynamicQuantizeMatMul com.microsoft.MatMulIntegerToFloat",
        _of("FLOAT32"),
    ),
    "CastLike": _from(1),
    "Constant": _value_attribute(UNDEFINED),
    "ConstantOfShape": _value_attribute("FLOAT32"),
    "DequantizeLinear": _stated("output_dtype", _from(1)),
    "com.microsoft.DequantizeLinear": _from(1),
    "Dropout": _then(_first, "BOOL"),
    "DynamicQuantizeLinear": _of("UINT8", "FLOAT32", "UINT8"),
    "Multinomial": _stated("dtype", _of("INT32")),
    "OneHot": _from(2),
    "QuantizeLinear": _stated("output_dtype", _from(2, "UINT8")),
    "com.microsoft.QuantizeLinear": _from(2, "UINT8"),
    "TfIdfVectorizer": _of("FLOAT32"),
    "Where": _from(1),
}
