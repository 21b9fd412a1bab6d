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

from deploy.broker_rules import AccessRules, RulesError
from deploy.embedded_broker import EmbeddedBroker

SHUTDOWN_TIMEOUT_S = 3.0


def main(argv: list[str] | None = None) -> int:
    """Serve until signalled; the exit status."""
    options = _parser().parse_args(argv)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    try:
        asyncio.run(_serve(options))
    except (BrokerError, RulesError, OSError) as error:
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
    parser.add_argument("--certificate", type=Path, help="PEM chain; with --key: TLS only")
    parser.add_argument("--key", type=Path, help="PEM private key of the certificate")
    return parser


async def _serve(options: argparse.Namespace) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    rules = AccessRules(options.passwords, options.acl)
    broker = EmbeddedBroker(rules, _listener(options), options.max_packet_bytes)
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


def _listener(options: argparse.Namespace) -> ListenerConfig:
    host = f"[{options.host}]" if ":" in options.host else options.host
    return ListenerConfig(
        bind=f"{host}:{options.port}",
        ssl=options.certificate is not None,
        certfile=options.certificate,
        keyfile=options.key,
    )


if __name__ == "__main__":
    sys.exit(main())
