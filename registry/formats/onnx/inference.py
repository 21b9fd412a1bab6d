"""Types and shapes of a node's outputs from those of its inputs.

Rules: https://onnx.ai/onnx/operators/ and, for `com.microsoft`, onnxruntime's ContribOperators.md.
An operator without a rule, or whose inputs leave the answer open, gives outputs of unknown shape.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from registry.formats.network import UNDEFINED
from registry.formats.onnx import layouts, products, selections, windows
from registry.formats.onnx.folding import fold
from registry.formats.onnx.types import TYPES
from registry.formats.onnx.values import (
    Call,
    CannotInfer,
    Shape,
    Value,
    axis_of,
    broadcast,
    for_each,
    product,
)

_ShapeRule = Callable[[Call], Sequence[Shape]]


def infer(call: Call) -> list[Value]:
    """One value for each output of the node."""
    shapes = _shapes(call)
    numbers = fold(call)
    # Numbers that do not fill the shape say that the node contradicts itself.
    if numbers is not None and (shapes[0] is None or product(shapes[0]) != len(numbers)):
        numbers = None
    return [
        Value(_dtype(call, output), shapes[output], numbers if output == 0 else None)
        for output in range(call.outputs)
    ]


def _shapes(call: Call) -> list[Shape | None]:
    rule = _SHAPES.get(call.name)
    try:
        found: list[Shape | None] = list(rule(call)) if rule else []
    except CannotInfer:
        found = []
    return (found + [None] * call.outputs)[: max(1, call.outputs)]


def _dtype(call: Call, output: int) -> str:
    rule = TYPES.get(call.name)
    if rule is not None:
        return rule(call, output)
    return call.dtype(0) if call.name in _SHAPES else UNDEFINED


def _same(call: Call) -> list[Shape]:
    return [call.shape(0)] * (2 if call.name == "Dropout" else 1)


def _normalized(call: Call) -> list[Shape]:
    """A normalization's statistics, where they are asked for, have one number for each channel."""
    source = call.shape(0)
    return [source] + [source[1:2]] * (call.outputs - 1)


def _layer_normalized(call: Call) -> list[Shape]:
    """The statistics have one number for each row that is normalized."""
    source = call.shape(0)
    axis = axis_of(call.integer("axis", -1), len(source))
    rows = (*source[:axis], *(1 for _ in source[axis:]))
    return [source] + [rows] * (call.outputs - 1)


def _broadcast(call: Call) -> list[Shape]:
    if call.opset < 7 and call.name in _ONE_WAY_BEFORE_7:
        return [call.shape(0)]
    return [broadcast(*(call.shape(position) for position in range(len(call.inputs))))]


_ONE_WAY_BEFORE_7 = frozenset(
    for_each("Add Sub Mul Div Pow And Or Xor Equal Greater Less PRelu", True)
)

_SHAPES: Mapping[str, _ShapeRule] = {
    **for_each(
        "Abs Acos Acosh Asin Asinh Atan Atanh Bernoulli BitCast BitwiseNot Cast CastLike Ceil Celu"
        " Clip Cos Cosh CumProd CumSum DequantizeLinear Dropout Elu Erf Exp Floor Gelu"
        " GroupNormalization HardSigmoid HardSwish Hardmax Identity InstanceNormalization IsInf"
        " IsNaN LRN LeakyRelu Log LogSoftmax LpNormalization"
        " MeanVarianceNormalization Mish Neg Not PRelu QuantizeLinear RMSNormalization"
        " RandomNormalLike RandomUniformLike Reciprocal Relu ReverseSequence RotaryEmbedding Round"
        " Scatter ScatterElements ScatterND Selu Shrink Sigmoid Sign Sin Sinh Softmax Softplus"
        " Softsign Sqrt Swish Tan Tanh TensorScatter ThresholdedRelu Trilu EyeLike"
        " com.microsoft.BiasGelu com.microsoft.FastGelu com.microsoft.Gelu com.microsoft.QuickGelu"
        " com.microsoft.QuantizeLinear com.microsoft.DequantizeLinear"
        " com.microsoft.QLinearSigmoid com.microsoft.QLinearLeakyRelu"
        " com.microsoft.QLinearSoftmax com.microsoft.SkipLayerNormalization"
        " com.microsoft.SimplifiedLayerNormalization",
        _same,
    ),
    **for_each(
        "Add And BitShift BitwiseAnd BitwiseOr BitwiseXor Div Equal Greater GreaterOrEqual Less"
        " LessOrEqual Max Mean Min Mod Mul Or Pow Sub Sum Where Xor",
        _broadcast,
    ),
    **for_each(
        "ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd"
        " ReduceSum ReduceSumSquare",
        selections.reduction,
    ),
    **for_each("GlobalAveragePool GlobalLpPool GlobalMaxPool", windows.global_pool),
    **for_each("AveragePool LpPool MaxPool", windows.pool),
    **for_each("Conv ConvInteger DeformConv com.microsoft.FusedConv", windows.convolution),
    **for_each(
        "MatMul MatMulInteger com.microsoft.DynamicQuantizeMatMul"
        " com.microsoft.MatMulIntegerToFloat",
        products.matrix_product,
    ),
    **for_each("LSTM GRU RNN", products.recurrence),
    **for_each("ArgMax ArgMin", selections.arg_reduction),
    **for_each("RandomNormal RandomUniform", selections.shape_attribute),
    "Attention": products.attention,
    "BatchNormalization": _normalized,
    "Concat": layouts.concat,
    "Constant": selections.constant,
    "ConstantOfShape": selections.shape_from_input,
    "ConvTranspose": windows.transposed_convolution,
    "DepthToSpace": layouts.depth_to_space,
    "Det": selections.determinant,
    "DynamicQuantizeLinear": selections.dynamic_quantization,
    "Einsum": products.einsum,
    "Expand": layouts.expand,
    "Flatten": layouts.flatten,
    "Gather": layouts.gather,
    "GatherElements": layouts.like_second,
    "GatherND": layouts.gather_nd,
    "Gemm": products.gemm,
    "GridSample": selections.sampled_grid,
    "LayerNormalization": _layer_normalized,
    "OneHot": selections.one_hot,
    "Pad": layouts.pad,
    "QLinearConv": windows.quantized_convolution,
    "QLinearMatMul": products.quantized_matrix_product,
    "Range": selections.range_,
    "Reshape": layouts.reshape,
    "Resize": layouts.resize,
    "RoiAlign": selections.region_pool,
    "Shape": selections.shape_of,
    "Size": selections.scalar,
    "Slice": layouts.slice_,
    "SpaceToDepth": layouts.space_to_depth,
    "Split": layouts.split,
    "Squeeze": layouts.squeeze,
    "Tile": layouts.tile,
    "TopK": selections.top_k,
    "Transpose": layouts.transpose,
    "Unsqueeze": layouts.unsqueeze,
    "Upsample": layouts.upsample,
}
