"""`python -m device_firmware_sim`: a fleet of simulated devices against a real broker."""

from __future__ import annotations

import argparse
import json
import logging
import resource
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from device_firmware_sim.fleet import Member, default_fleet

if TYPE_CHECKING:
    from device_firmware_sim.loop import Loop

DESCRIPTOR_RESERVE = 64
PLAIN_PORT, TLS_PORT, ENROL_PORT = 1883, 8883, 8884


def main(arguments: list[str] | None = None) -> int:
    """Exit status 0 after an orderly stop, 2 where an option cannot be followed."""
    parser = _parser()
    given = parser.parse_args(arguments)
    members = default_fleet(given.devices, given.seed)
    if given.list_devices:
        print(json.dumps([_listed(member) for member in members], indent=2))
        return 0
    missing = [name for name in ("trust", "state_dir") if getattr(given, name) is None]
    if missing:
        parser.error("needed to run: " + ", ".join(f"--{n.replace('_', '-')}" for n in missing))
    logging.basicConfig(level=given.log_level, format="%(asctime)s %(levelname)s %(message)s")
    return _simulate(given, members)


def _simulate(given: argparse.Namespace, members: list[Member]) -> int:
    # The interpreter and paho are loaded here: --help and --list-devices need neither.
    from device_firmware_sim.sensors import StreamError
    from device_firmware_sim.simulation import OptionError, Options, assemble, sole_use, tls_options

    _allow_descriptors(len(members) + DESCRIPTOR_RESERVE)
    given.port = given.port or (PLAIN_PORT if given.tls_ca is None else TLS_PORT)
    names = [name for name in Options.__dataclass_fields__ if name not in ("members", "tls")]
    try:
        options = Options(
            members=tuple(members),
            tls=tls_options(given.tls_ca, given.enrol_port),
            **{name: getattr(given, name) for name in names},
        )
        with sole_use(options.state_dir):
            _run(assemble(options), f"{len(members)} devices ready for {given.host}:{given.port}")
    except (OptionError, StreamError) as error:
        print(f"device_firmware_sim: {error}", file=sys.stderr)
        return 2
    return 0


def _run(loop: Loop, ready: str) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: loop.stop())
    print(ready, flush=True)
    loop.run()


def _allow_descriptors(wanted: int) -> None:
    """A socket a device: raise the soft limit as far as the hard one lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))


def _listed(member: Member) -> dict[str, object]:
    return {
        "device": member.device_id,
        "board": member.build.board,
        "arena_budget_bytes": member.build.arena_budget_bytes,
        "slot_bytes": member.build.slot_bytes,
        "sensors": [part.kind for part in member.build.sensors],
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m device_firmware_sim",
        description="Simulated devices that speak TinyFleet's protocol over MQTT.",
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="the broker's address (%(default)s)")
    add("--port", type=int, help=f"the broker's port ({PLAIN_PORT}; {TLS_PORT} with --tls-ca)")
    add("--tls-ca", type=Path, metavar="FILE", help="certificate of the authority: connect by TLS")
    add("--enrol-port", type=int, default=ENROL_PORT, help="to join by TLS (%(default)s)")
    add("--devices", type=_positive, default=24, metavar="N", help="how many (%(default)s)")
    add("--seed", type=int, default=7, help="draws the boards and orders (%(default)s)")
    add("--list-devices", action="store_true", help="print ids and boards as JSON; no connection")
    add("--tokens", type=Path, metavar="FILE", help="JSON {device id: enrolment token}")
    add("--trust", type=Path, metavar="DIR", help="public keys (.pem) whose orders are followed")
    add("--state-dir", type=Path, metavar="DIR", help="the devices' flash, one folder each")
    add("--enrol-password-file", type=Path, metavar="FILE", help="of the broker account `enrol`")
    add("--stream", type=Path, metavar="FILE", help=".npz with images in 0..1 and labels")
    add("--world", type=Path, metavar="FILE", help="JSON of what surrounds all devices")
    add("--samples-per-second", type=float, default=2.0, metavar="R", help="each (%(default)s)")
    add("--samples-per-pack", type=_positive, default=20, metavar="N", help="(%(default)s)")
    add(
        "--arena-error",
        action="append",
        default=[],
        metavar="[DEVICE=]FACTOR",
        help="what a network that nobody measured takes, as a factor of what is reckoned (1)",
    )
    add("--measured-arenas", type=Path, metavar="FILE", help="JSON {SHA-256: bytes of arena}")
    add(
        "--trial-seconds",
        type=_positive,
        default=300,
        metavar="S",
        help="how long a new network may keep a device off the network (%(default)s)",
    )
    add(
        "--crash-with",
        action="append",
        default=[],
        metavar="SHA256",
        help="a network, by its file's digest, that brings down every device that runs it",
    )
    add("--log-level", default="WARNING", choices=("DEBUG", "INFO", "WARNING", "ERROR"))
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


if __name__ == "__main__":
    sys.exit(main())
