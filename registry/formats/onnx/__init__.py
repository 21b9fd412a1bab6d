"""Reading a .onnx file: bytes in, a checked `Network` out, in the form that .tflite files give.

Structure is checked by `protobuf_reader`. Names become indices, nodes are brought into an order in
which they can run, shapes that the file leaves out are inferred, and what says how tensors are
quantized is noted at them. Format: https://onnx.ai/onnx/repo-docs/IR.html
"""

from registry.formats.onnx.external import external_files, with_contents
from registry.formats.onnx.model import MEDIA_TYPE, parse

__all__ = ["MEDIA_TYPE", "external_files", "parse", "with_contents"]
