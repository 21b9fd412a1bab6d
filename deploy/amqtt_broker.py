"""The embedded broker as a process: `python -m deploy.amqtt_broker --port 1883 ...`.

Prints `broker ready` once it listens; ends on SIGTERM or SIGINT with status 0; status 1 and a
sentence where it cannot listen. Imports no Django, so it starts in a fraction of a second.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
from pathlib import Path

from amqtt.contexts import ListenerConfig
from amqtt.errors import BrokerError

from deploy.board_tls import BoardTls, TlsFiles
from deploy.broker_admission import BOARDS, DEFAULT, ENTRANCE, Admission
from deploy.broker_rules import AccessRules, RulesError
from deploy.embedded_broker import EmbeddedBroker

SHUTDOWN_TIMEOUT_S = 3.0


def main(argv: list[str] | None = None) -> int:
    """Serve until signalled; the exit status."""
    options = _parser().parse_args(argv)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    try:
        asyncio.run(_serve(options))
    except (BrokerError, RulesError, OSError, ValueError) as error:
        sys.stderr.write(f"the broker cannot start: {error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.amqtt_broker", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=1883)
    parser.add_argument("--passwords", type=Path, required=True, help="Mosquitto's password file")
    parser.add_argument("--acl", type=Path, required=True, help="Mosquitto's ACL file")
    parser.add_argument("--max-packet-bytes", type=int, default=256 * 1024)
    parser.add_argument("--certificate", type=Path, help="PEM chain; with --key: TLS")
    parser.add_argument("--key", type=Path, help="PEM private key of the certificate")
    boards = parser.add_argument_group("boards", "With --boards, --host and --port go without TLS.")
    boards.add_argument("--boards", metavar="HOST", help="where boards connect, over TLS")
    boards.add_argument("--boards-port", type=int, default=8883, help="with a client certificate")
    boards.add_argument("--entrance-port", type=int, default=8884, help="without: to enrol")
    boards.add_argument("--authority", type=Path, help="PEM certificate of the clients' issuer")
    boards.add_argument("--revoked", type=Path, help="PEM list of withdrawn certificates")
    return parser


async def _serve(options: argparse.Namespace) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    admission = Admission(AccessRules(options.passwords, options.acl), _tls(options))
    broker = EmbeddedBroker(admission, _listeners(options), options.max_packet_bytes)
    amqtt = logging.getLogger("amqtt")
    amqtt.setLevel(logging.CRITICAL)  # what fails in start() is raised and told by main()
    await broker.start()
    amqtt.setLevel(logging.ERROR)
    sys.stdout.write("broker ready\n")
    sys.stdout.flush()
    await ended.wait()
    try:
        async with asyncio.timeout(SHUTDOWN_TIMEOUT_S):
            await broker.shutdown()
    finally:
        # Not by asyncio's own end: it waits for every task, and some of amqtt's swallow their
        # cancellation (Python 3.11's wait_for). Nothing is left to be saved.
        os._exit(0)


def _tls(options: argparse.Namespace) -> BoardTls | None:
    if options.boards is None:
        return None
    files = (options.certificate, options.key, options.authority, options.revoked)
    if None in files:
        raise OSError("--boards needs --certificate, --key, --authority and --revoked")
    return BoardTls(TlsFiles(*files))


def _listeners(options: argparse.Namespace) -> dict[str, ListenerConfig]:
    if options.boards is None:
        return {DEFAULT: _listener(options.host, options.port, options)}
    return {
        DEFAULT: _listener(options.host, options.port),
        BOARDS: _listener(options.boards, options.boards_port, options),
        ENTRANCE: _listener(options.boards, options.entrance_port, options),
    }


def _listener(host: str, port: int, tls: argparse.Namespace | None = None) -> ListenerConfig:
    return ListenerConfig(
        bind=f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
        ssl=tls is not None and tls.certificate is not None,
        certfile=None if tls is None else tls.certificate,
        keyfile=None if tls is None else tls.key,
    )


if __name__ == "__main__":
    sys.exit(main())
