"""A model file of any kind that this product reads, told apart by its contents."""

from __future__ import annotations

from collections.abc import Mapping

from registry.formats import onnx, tflite
from registry.formats.errors import FormatError
from registry.formats.network import FileFormat, Network

MEDIA_TYPES: Mapping[FileFormat, str] = {
    FileFormat.TFLITE: tflite.MEDIA_TYPE,
    FileFormat.ONNX: onnx.MEDIA_TYPE,
}
# What is kept of a network for each of its operators and ends: no runtime has so many kinds, and no
# caller fills or reads so many tensors.
MAX_OPERATOR_KINDS = 500
MAX_ENDS = 1000
# By media type, with the dot.
FILE_SUFFIXES: Mapping[str, str] = {
    media_type: f".{file_format.value}" for file_format, media_type in MEDIA_TYPES.items()
}

# The first byte of an ONNX file: a field of its outermost message with the field's wire type.
_ONNX_TAGS = frozenset(
    {0x08, 0x28} | {number << 3 | 2 for number in (2, 3, 4, 6, 7, 8, 14)} | {0xA2, 0xCA, 0xD2}
)
_OTHERS: Mapping[bytes, str] = {
    b"PK\x03\x04": "a ZIP archive, as torch and Keras write",
    b"\x89HDF": "an HDF5 file, as Keras writes",
    b"\x80": "a Python pickle",
    b"GGUF": "a GGUF file",
}
_REMEDY = "Bring a .tflite file (litert-torch, TensorFlow) or a .onnx file (torch.onnx, tf2onnx)."


def read_network(data: bytes) -> Network:
    """The network in a .tflite or .onnx file.

    Raises FormatError, and nothing else, for whatever is not a well-formed file of either kind.
    """
    if data[4:8] == b"TFL3":
        return _bounded(tflite.parse(data))
    if _is_onnx(data):
        return _bounded(onnx.parse(data))
    kind = next(
        (f"; it is {name}" for start, name in _OTHERS.items() if data.startswith(start)), ""
    )
    raise FormatError(
        "the file is not a TensorFlow Lite flatbuffer (bytes 4 to 7 are not 'TFL3') and does not"
        f" begin as an ONNX model{kind}",
        "the start of the file",
        _REMEDY,
    )


def files_beside(data: bytes) -> tuple[str, ...]:
    """The files beside a model file that hold a part of it, by their paths from its folder.

    Raises FormatError for a model file that is damaged and for a path that leads elsewhere.
    """
    return onnx.external_files(data) if _is_onnx(data) else ()


def whole_file(data: bytes, beside: Mapping[str, bytes], max_bytes: int) -> bytes:
    """The model as one file of at most `max_bytes` bytes, with what lies in the files beside it.

    Raises FormatError where one of them is missing, too short or too long.
    """
    return onnx.with_contents(data, beside, max_bytes) if beside else data


def _bounded(network: Network) -> Network:
    """The same network, unless it lists more than anything could run."""
    for what, count, most in (
        ("kinds of operators", len(network.operator_versions), MAX_OPERATOR_KINDS),
        ("inputs", len(network.main.inputs), MAX_ENDS),
        ("outputs", len(network.main.outputs), MAX_ENDS),
    ):
        if count > most:
            raise FormatError(
                f"the network has {count} {what}, more than {most}",
                "the main graph",
                "Bring a network for a microcontroller; no such one has so many.",
            )
    return network


def _is_onnx(data: bytes) -> bool:
    return data[4:8] != b"TFL3" and data[:1] != b"" and data[0] in _ONNX_TAGS
