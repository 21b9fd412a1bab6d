"""The way to the signer process: one request, one answer, over a unix socket.

A frame is a length (4 bytes, big-endian) and a CBOR map. Requests have `op` and at most one of
`manifest` and `task`, unsigned bytes, and `manifests`, a list of them; answers have `done` or
`refused`, a sentence. What is `done` to a list is an answer for each.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from orchestrator.protocol import cbor, learning, manifest
from orchestrator.protocol.fields import MessageError
from orchestrator.protocol.messages import LearnTask

MAX_FRAME_BYTES = 2 * 1024 * 1024
"""Of the largest thing that passes: the list of all withdrawn certificates."""

MAX_TOGETHER = 50
"""Manifests of one request, for which other askers wait."""

LENGTH_BYTES = 4

_LONGEST_SOCKET_PATH = 100  # sockaddr_un holds 108 bytes on Linux


class SigningRefused(Exception):
    """The signer will not sign this; the message is its reason."""


class SignerUnreachable(Exception):
    """No answer came from the signer in time: try again later."""


class SigningClient:
    """Asks the signer; a new connection for each request, so that a restart needs no care."""

    def __init__(self, socket_path: Path, timeout_s: float) -> None:
        self._socket_path = Path(socket_path)
        self._timeout_s = timeout_s

    def sign_manifest(self, order: manifest.Manifest) -> bytes:
        """The signed envelope. Asking again for the very same manifest gives another one."""
        return self.octets({"op": "sign_manifest", "manifest": _encoded(order)})

    def sign_manifests(self, orders: Sequence[manifest.Manifest]) -> list[bytes | SigningRefused]:
        """For each order its signed envelope, or why there is none.

        Some dozen go into one request, so that the signer notes them on its disk in one go.
        """
        answers: dict[int, bytes | SigningRefused] = {}
        encoded: dict[int, bytes] = {}
        for place, order in enumerate(orders):
            try:
                encoded[place] = _encoded(order)
            except SigningRefused as refused:
                answers[place] = refused
        for start in range(0, len(encoded), MAX_TOGETHER):
            places = list(encoded)[start : start + MAX_TOGETHER]
            signed = self._together([encoded[place] for place in places])
            answers |= dict(zip(places, signed, strict=True))
        return [answers[place] for place in range(len(orders))]

    def sign_task(self, task: LearnTask) -> bytes:
        """The signed learning task."""
        try:
            encoded = learning.encode_task(task)
        except ValueError as error:
            raise SigningRefused(f"no learning task: {error}") from error
        return self.octets({"op": "sign_task", "task": encoded})

    def public_keys(self) -> dict[bytes, bytes]:
        """What the signer signs with: key id to PEM."""
        keys = self._ask({"op": "public_keys"})
        if not isinstance(keys, dict):
            raise SignerUnreachable("the signer's answer holds no keys")
        return keys

    def _together(self, encoded: list[bytes]) -> list[bytes | SigningRefused]:
        answers = self._ask({"op": "sign_manifests", "manifests": encoded})
        if not isinstance(answers, list) or len(answers) != len(encoded):
            raise SignerUnreachable("the signer's answer does not hold one for each manifest")
        return [_bytes_or_refusal(answer) for answer in answers]

    def octets(self, request: dict[str, Any]) -> bytes:
        """The bytes that a request is answered with; SigningRefused or SignerUnreachable."""
        answer = self._ask(request)
        if not isinstance(answer, bytes):
            raise SignerUnreachable("the signer's answer holds no signed bytes")
        return answer

    def _ask(self, request: dict[str, Any]) -> object:
        try:
            answer = self._exchange(pack_frame(request))
        except (OSError, MessageError) as error:
            raise SignerUnreachable(f"signer at {self._socket_path}: {error}") from error
        match answer:
            case {"refused": str() as reason}:
                raise SigningRefused(reason)
            case {"done": result}:
                return result
        raise SignerUnreachable("the signer's answer is neither done nor refused")

    def _exchange(self, frame: bytes) -> object:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(self._timeout_s)
            with short_address(self._socket_path) as address:
                connection.connect(address)
            connection.sendall(frame)
            length = frame_length(_receive(connection, LENGTH_BYTES))
            return unpack_frame(_receive(connection, length))


class TwoSigners:
    """The author's signer and the operator's: an order carries the signatures of both.

    The author's is asked first: it is the one that refuses a network that was not approved, and
    then the operator's has signed nothing.
    """

    def __init__(self, author: SigningClient, operator: SigningClient) -> None:
        self._author = author
        self._operator = operator

    def sign_manifest(self, order: manifest.Manifest) -> bytes:
        """The envelope with both signatures, the author's first."""
        (answer,) = self.sign_manifests([order])
        if isinstance(answer, SigningRefused):
            raise answer
        return answer

    def sign_manifests(self, orders: Sequence[manifest.Manifest]) -> list[bytes | SigningRefused]:
        """For each order its envelope with both signatures, or why there is none."""
        by_author = self._author.sign_manifests(orders)
        vouched = [
            order
            for order, answer in zip(orders, by_author, strict=True)
            if isinstance(answer, bytes)
        ]
        by_operator = iter(self._operator.sign_manifests(vouched))
        return [
            _joined(answer, next(by_operator))
            if isinstance(answer, bytes)
            else SigningRefused(f"the author's signer: {answer}")
            for answer in by_author
        ]

    def sign_task(self, task: LearnTask) -> bytes:
        """The operator's alone: a learning task brings no network."""
        return self._operator.sign_task(task)


def _encoded(order: manifest.Manifest) -> bytes:
    try:
        return manifest.encode(order)
    except ValueError as error:
        raise SigningRefused(f"no manifest: {error}") from error


def _bytes_or_refusal(answer: object) -> bytes | SigningRefused:
    match answer:
        case {"refused": str() as reason}:
            return SigningRefused(reason)
        case {"done": bytes() as signed}:
            return signed
    raise SignerUnreachable("the signer's answer holds neither signed bytes nor a refusal")


def _joined(by_author: bytes, by_operator: bytes | SigningRefused) -> bytes | SigningRefused:
    if isinstance(by_operator, SigningRefused):
        return by_operator
    try:
        return manifest.join(by_author, by_operator)
    except manifest.ManifestError as error:
        return SigningRefused(f"no manifest with two signatures: {error}")


def pack_frame(message: dict[str, Any]) -> bytes:
    """A message as it goes over the socket."""
    content = cbor.dumps(message)
    return len(content).to_bytes(LENGTH_BYTES, "big") + content


def frame_length(head: bytes) -> int:
    """How many bytes follow the head, or a MessageError where they are too many."""
    length = int.from_bytes(head, "big")
    if length > MAX_FRAME_BYTES:
        raise MessageError(f"a frame of {length} bytes is more than {MAX_FRAME_BYTES}")
    return length


def unpack_frame(content: bytes) -> object:
    """The message of a frame's content."""
    return cbor.loads(content, MAX_FRAME_BYTES)


@contextmanager
def short_address(path: Path) -> Iterator[str]:
    """An address for `path` that fits a sockaddr_un: a long one goes by its open directory."""
    if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH:
        yield str(path)
        return
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)


def _receive(connection: socket.socket, count: int) -> bytes:
    parts: list[bytes] = []
    while count:
        part = connection.recv(count)
        if not part:
            raise ConnectionError("the connection ended in the middle of an answer")
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
