"""Contents that an ONNX file keeps in other files, put back into the file itself.

Exporters write weights into a file beside the model by default. What is registered is one file, so
each tensor that points elsewhere gets its bytes; every other byte stays as it is.
https://onnx.ai/onnx/repo-docs/ExternalData.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from registry.formats.errors import FormatError
from registry.formats.onnx.schema import ROOT, SCHEMA
from registry.formats.protobuf_reader import MAX_DEPTH, ProtobufReader, Span, Wire, encoded_varint
from registry.formats.tree import Where, path_text

_TENSOR = "Tensor"
_EXTERNAL_DATA, _DATA_LOCATION, _RAW_DATA = 13, 14, 9
_REMEDY = "Bring the model with the file that it was saved with."


def external_files(data: bytes) -> tuple[str, ...]:
    """The files beside this one that hold contents of its tensors, each once.

    Raises FormatError for bytes that are no sound message and for a name that leads out of the
    model's folder.
    """
    reader = ProtobufReader(data, SCHEMA)
    found = {place["location"]: None for place in _places(reader, 0, len(data), ROOT, ())}
    for name in found:
        _check_name(name)
    return tuple(found)


def with_contents(data: bytes, files: Mapping[str, bytes], max_bytes: int) -> bytes:
    """The same model with the contents from `files` in it, at most `max_bytes` long.

    Raises FormatError where a file is missing or too short, or the model would be longer.
    """
    return _Joiner(data, files, max_bytes).joined()


def _check_name(name: str) -> None:
    path = PurePosixPath(name)
    if not name or path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
        raise FormatError(
            f"the contents lie in {name!r}, which leads out of the model's folder",
            "external_data",
            _REMEDY,
        )


def _leads_to_tensors(message: str) -> Mapping[int, str]:
    """The fields of a message in which tensors may lie."""
    return {
        number: field.message
        for number, field in SCHEMA[message].items()
        if field.wire is Wire.MESSAGE and field.message in _HOLDERS
    }


_HOLDERS = {"Graph", "Node", "Attribute", _TENSOR, "SparseTensor", "Function"}
_INSIDE = {message: _leads_to_tensors(message) for message in (ROOT, *_HOLDERS)}


def _places(
    reader: ProtobufReader, begin: int, end: int, message: str, where: Where
) -> Iterator[dict[str, str]]:
    """Where each tensor that points elsewhere finds its contents."""
    if message == _TENSOR:
        place = _place(reader, begin, end, where)
        if place:
            yield place
        return
    for span, inner in _inside(reader, begin, end, message, where):
        if inner:
            yield from _places(reader, span.begin, span.end, inner, (where, inner))


def _inside(
    reader: ProtobufReader, begin: int, end: int, message: str, where: Where
) -> Iterator[tuple[Span, str]]:
    """Every field, with the message in it where tensors may lie in there."""
    if _depth(where) > MAX_DEPTH:
        raise FormatError(
            f"messages lie more than {MAX_DEPTH} deep in each other", path_text(where), _REMEDY
        )
    for span in reader.spans(begin, end, where):
        yield span, _INSIDE[message].get(span.number, "") if span.wire == 2 else ""


def _depth(where: Where) -> int:
    depth = 0
    while where:
        where, depth = where[0], depth + 1
    return depth


def _place(reader: ProtobufReader, begin: int, end: int, where: Where) -> dict[str, str]:
    """Location, offset and length of a tensor's contents; empty where they stand in the file."""
    tensor = reader.message(begin, end, _TENSOR, where, 3)
    if tensor.get("data_location", 0) != 1:
        return {}
    entries = tensor.get("external_data", ())
    return {"location": "", **{entry.get("key", ""): entry.get("value", "") for entry in entries}}


class _Joiner:
    """Writes the file anew, message by message, with the contents where they belong."""

    def __init__(self, data: bytes, files: Mapping[str, bytes], max_bytes: int) -> None:
        self._data = data
        self._reader = ProtobufReader(data, SCHEMA)
        self._files = files
        self._room = max_bytes - len(data)

    def joined(self) -> bytes:
        return b"".join(self._message(0, len(self._data), ROOT, ()))

    def _message(self, begin: int, end: int, message: str, where: Where) -> Iterator[bytes]:
        for span, inner in _inside(self._reader, begin, end, message, where):
            if not inner:
                yield self._data[span.start : span.end]
                continue
            write = self._tensor if inner == _TENSOR else self._message
            yield _field(span.number, b"".join(write(span.begin, span.end, inner, (where, inner))))

    def _tensor(self, begin: int, end: int, message: str, where: Where) -> Iterator[bytes]:
        place = _place(self._reader, begin, end, where)
        dropped = {_EXTERNAL_DATA, _DATA_LOCATION, _RAW_DATA} if place else set()
        for span in self._reader.spans(begin, end, where):
            if span.number not in dropped:
                yield self._data[span.start : span.end]
        if place:
            yield _field(_RAW_DATA, self._contents(place, where))

    def _contents(self, place: Mapping[str, str], where: Where) -> bytes:
        name = place["location"]
        if name not in self._files:
            raise FormatError(f"its contents lie in {name!r}", path_text(where), _REMEDY)
        contents = self._files[name]
        start = _number(place.get("offset", "0"), where)
        length = _number(place.get("length", str(max(len(contents) - start, 0))), where)
        if start + length > len(contents):
            raise FormatError(
                f"its contents reach byte {start + length} of {name!r}, which has {len(contents)}",
                path_text(where),
                _REMEDY,
            )
        self._room -= length
        if self._room < 0:
            raise FormatError(
                "with its contents the model has more bytes than are allowed",
                path_text(where),
                "Compress the model, or raise TINYFLEET_ARTIFACT_MAX_BYTES.",
            )
        return contents[start : start + length]


def _number(text: str, where: Where) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise FormatError(f"{text!r} is no number of bytes", path_text(where), _REMEDY)
    return int(text)


def _field(number: int, contents: bytes) -> bytes:
    return encoded_varint(number << 3 | 2) + encoded_varint(len(contents)) + contents
