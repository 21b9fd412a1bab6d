"""Networks as torch exports them to ONNX."""

from __future__ import annotations

import io
import warnings

import torch


def exported(network: torch.nn.Module, shape: tuple[int, ...], open_batch: bool = False) -> bytes:
    """The file that torch's exporter writes for an input `x` of that shape."""
    out = io.BytesIO()
    with warnings.catch_warnings():
        # The exporter that needs no further packages says that it ages.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network.eval(),
            (torch.zeros(shape),),
            out,
            dynamo=False,
            opset_version=17,
            input_names=["x"],
            dynamic_axes={"x": {0: "batch"}} if open_batch else None,
        )
    return out.getvalue()
