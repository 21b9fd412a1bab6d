"""The signer: its own process, the only one that holds the signing key, signs what policy allows.

    python -m deploy.signer --socket PATH --directory DIR --trust DIR [--authority FILE]
    python -m deploy.signer --socket PATH --directory DIR --trust DIR --role author
    python -m deploy.signer --directory DIR --trust DIR --key-only

With --authority it is the installation's certificate authority too, with a key of its own for that.
It imports no Django and reads no database: whoever takes over the web server still has to pass the
policy below, and cannot read the key. docs/threat-model.md says what that is worth.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import os
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import structlog
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from deploy import authority
from deploy.certificate_policy import OPERATIONS, CertificateLimits, CertificatePolicy
from deploy.signing_policy import Approvals, Ledger, Limits, Signer
from orchestrator.gateways.signing import (
    LENGTH_BYTES,
    frame_length,
    pack_frame,
    short_address,
    unpack_frame,
)
from orchestrator.protocol import cose
from orchestrator.protocol.fields import MessageError
from registry.files import replace_whole

log = structlog.get_logger(__name__)

AnyLimits = TypeVar("AnyLimits", Limits, CertificateLimits)
Answer = Callable[[object], dict[str, object]]

KEY_FILE = "signing-key.pem"
LEDGER_FILE = "ledger.sqlite3"
APPROVALS_FILE = "approved.sha256"
ROLES = ("operator", "author")


def load_or_make_key(directory: Path) -> cose.PrivateKey:
    """The signing key; made at first use (ES256), readable by its owner alone."""
    path = directory / KEY_FILE
    if not path.exists():
        _write_key(path, ec.generate_private_key(ec.SECP256R1()))
    if path.stat().st_mode & 0o077:
        raise SystemExit(f"{path} can be read by others: chmod 600 it, or replace the key")
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey):
        raise SystemExit(f"{path} holds neither a P-256 nor an Ed25519 key")
    return key


def publish_key(trust: Path, key: cose.PrivateKey) -> Path:
    """Write the public key where verifiers look, under its key id."""
    path = trust / f"{cose.key_id(key.public_key()).hex()}.pem"
    replace_whole(path, cose.public_pem(key.public_key()), 0o644, durable=True)
    return path


async def serve(answer: Answer, socket_path: Path, timeout_s: float) -> None:
    """Answer until SIGTERM or SIGINT."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _converse(answer, reader, writer, timeout_s)

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    _remove_stale(socket_path)
    # The mask and not a chmod afterwards: there is no moment in which others could connect.
    before = os.umask(0o177)
    with short_address(socket_path) as address:
        server = await asyncio.start_unix_server(connected, address)
    os.umask(before)
    print("signer ready", flush=True)
    await stop.wait()
    server.close()
    socket_path.unlink(missing_ok=True)


async def _converse(
    answer: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, timeout_s: float
) -> None:
    """Requests of one connection, each within `timeout_s`; whatever goes wrong ends only it."""
    try:
        while not reader.at_eof():
            async with asyncio.timeout(timeout_s):
                head = await reader.readexactly(LENGTH_BYTES)
                request = unpack_frame(await reader.readexactly(frame_length(head)))
                writer.write(pack_frame(answer(request)))
                await writer.drain()
    except asyncio.IncompleteReadError as error:
        if error.partial:
            log.warning("client_left_mid_request", bytes=len(error.partial))
    except (OSError, MessageError, TimeoutError) as error:
        log.warning("client_dropped", reason=str(error) or "time-out")
        writer.transport.abort()  # close() would wait for a client that reads nothing
    except sqlite3.Error:
        log.exception("ledger_failed")  # no record, so no signature: the client sees no answer
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


def _answers(signer: Signer, certificates: CertificatePolicy | None) -> Answer:
    """Each request to the policy whose operation it names."""

    def answer(request: object) -> dict[str, object]:
        operation = request.get("op") if isinstance(request, dict) else None
        if not isinstance(operation, str) or operation not in OPERATIONS:
            return signer.answer(request)
        if certificates is None:
            return {"refused": "this signer is no certificate authority: give it --authority"}
        return certificates.answer(request)

    return answer


def _certificates(options: argparse.Namespace) -> CertificatePolicy | None:
    """The authority, its certificate put where devices' makers look for it; None without one."""
    if options.authority is None:
        return None
    try:
        names = [authority.general_name(name).value for name in options.server_name]
    except ValueError as error:
        raise SystemExit(f"--server-name: {error}") from error
    issuer = authority.load_or_make(options.directory, datetime.now(UTC).replace(microsecond=0))
    pem = issuer.certificate.public_bytes(serialization.Encoding.PEM)
    replace_whole(options.authority, pem, 0o644, durable=True)
    return CertificatePolicy(
        issuer, [str(name) for name in names], _limits(CertificateLimits, options)
    )


def _remove_stale(socket_path: Path) -> None:
    if socket_path.exists() and not socket_path.is_socket():
        raise SystemExit(f"{socket_path} is there and is no socket: choose another --socket")
    socket_path.unlink(missing_ok=True)


@contextmanager
def _alone_in(directory: Path) -> Iterator[None]:
    """Two signers with one ledger would each sign a sequence number once."""
    with (directory / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SystemExit(f"another signer uses {directory}: stop it first") from error
        yield


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    replace_whole(path, pem, durable=True)


def _arguments(given: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deploy.signer", description=__doc__)
    parser.add_argument("--socket", type=Path, help="unix socket to listen on")
    parser.add_argument("--directory", type=Path, required=True, help="key and ledger, private")
    parser.add_argument("--trust", type=Path, required=True, help="where public keys are put")
    parser.add_argument("--role", choices=ROLES, default="operator", help="see docs/how-to/keys.md")
    parser.add_argument("--key-only", action="store_true", help="make and publish the key, and end")
    parser.add_argument("--timeout-s", type=float, default=5.0, help="for one request")
    parser.add_argument("--authority", type=Path, help="where its certificate is put (PEM)")
    parser.add_argument(
        "--server-name", action="append", default=[], help="the broker's; repeatable"
    )
    for limits in (Limits(), CertificateLimits()):
        for name in limits.__slots__:
            option = f"--{name.replace('_', '-')}"
            parser.add_argument(option, type=int, default=getattr(limits, name))
    options = parser.parse_args(given)
    if options.socket is None and not options.key_only:
        parser.error("--socket is needed to sign")
    return options


def _limits(kind: type[AnyLimits], options: argparse.Namespace) -> AnyLimits:
    return kind(**{name: getattr(options, name) for name in kind.__slots__})


def main(given: list[str] | None = None) -> None:
    """Run until told to stop."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    options = _arguments(given)
    socket_folder = [] if options.key_only else [options.socket.parent]
    for directory in (options.trust, options.directory, *socket_folder):
        directory.mkdir(parents=True, exist_ok=True)
    os.umask(0o077)
    options.directory.chmod(0o700)
    with _alone_in(options.directory):
        key = load_or_make_key(options.directory)
        published = publish_key(options.trust, key)
        if options.key_only:
            print(published)
        else:
            log.info("signing_with", key=published.stem, role=options.role)
            _sign(key, options)


def _sign(key: cose.PrivateKey, options: argparse.Namespace) -> None:
    is_author = options.role == "author"
    approvals = Approvals(options.directory / APPROVALS_FILE) if is_author else None
    ledger = Ledger(options.directory / LEDGER_FILE)
    try:
        signer = Signer(key, ledger, _limits(Limits, options), approvals=approvals)
        answer = _answers(signer, _certificates(options))
        asyncio.run(serve(answer, options.socket, options.timeout_s))
    finally:
        ledger.close()


if __name__ == "__main__":
    main()
