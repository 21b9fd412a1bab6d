"""An update of 100 kB to a fleet, beside what the broker alone does with the same bytes.

Both in one run over the same sessions. The time of a delivery runs from the first manifest that a
device has until the last one that has the artifact, held to its digest; devices' reports, which the
server takes meanwhile, are within it. What comes before, planning and signing, and what comes
after, until the server has every outcome, are measured apart.
"""

from __future__ import annotations

import hashlib
import os
import resource
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from orchestrator.protocol import cose, manifest, topics
from orchestrator.protocol.blocks import WHOLE_FILE, block_count
from tests.benchmarks import plain_delivery
from tests.benchmarks.delivery_installation import PATIENCE_S, Installation, installation
from tests.benchmarks.light_devices import Devices
from tests.benchmarks.light_mqtt import CONNACK, SUBACK, UNSUBACK, Fleet, Session
from tests.orchestrator.brokers import mosquitto_binary

SESSIONS = int(os.environ.get("BENCH_SESSIONS", "9000"))
SPARE_FILES = 500
OFFERED = (WHOLE_FILE, 10, 12)
LOOK_S = 0.5
AT_ONCE = 500
HEARD_WITHIN_S = 120.0

pytestmark = [pytest.mark.bench, pytest.mark.timeout(3600)]


@dataclass(frozen=True)
class World:
    """A server's side with its sessions: the devices, and one that sees what blocks are sent."""

    server: Installation
    fleet: Fleet
    devices: list[Session]
    witness: Session


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    if mosquitto_binary() is None:
        pytest.skip("Mosquitto is not installed")
    _allow_files(SESSIONS + SPARE_FILES)
    with installation(tmp_path_factory.mktemp("delivery"), SESSIONS + 1) as server:
        fleet = Fleet(server.port)
        names = [f"light-{number:05d}" for number in range(SESSIONS + 1)]
        *devices, witness = [fleet.join(name, server.secret) for name in names]
        fleet.serve(lambda: fleet.acks[CONNACK] == len(names), PATIENCE_S)
        yield World(server, fleet, devices, witness)
        fleet.close()


def _allow_files(count: int) -> None:
    """Sockets for this process, and as many for the broker that it starts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard not in (resource.RLIM_INFINITY,) and hard < count:
        pytest.skip(f"a process may open {hard} files here, the sessions need {count}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count), hard))


def test_a_whole_file_reaches_a_fleet(world, record):
    network = world.server.ask("network")
    data = bytes.fromhex(network["data"])
    with _publisher(world) as publisher:
        plain = _best_of(
            3,
            world,
            lambda: plain_delivery.published_once(world.fleet, publisher, world.devices, data),
        )
    figures = plain | _deliver(world, WHOLE_FILE, data)
    share = figures["plain_s"] / figures["delivered_s"]
    record(**figures, share_of_plain=share, reached=str(share >= 0.6))


def test_4_kib_blocks_reach_a_fleet(world, record):
    network = world.server.ask("network")
    data = bytes.fromhex(network["data"])
    with _publisher(world) as publisher:
        plain = _best_of(
            2,
            world,
            lambda: plain_delivery.fetched_in_blocks(
                world.fleet, publisher, world.devices, data, 12, AT_ONCE
            ),
        )
    figures = plain | _deliver(world, 12, data)
    times = figures["delivered_s"] / figures["plain_s"]
    record(**figures, times_plain=times, reached=str(times <= 1.2))


def _best_of(rounds: int, world: World, work: Callable[[], float]) -> dict[str, float]:
    """The shortest of some rounds of a plain delivery, and the least processor time of one."""
    taken = []
    for _ in range(rounds):
        before = time.process_time() + world.server.ask("cpu", world.fleet)["broker"]
        taken_s = work()
        cpu_s = time.process_time() + world.server.ask("cpu", world.fleet)["broker"] - before
        taken.append((taken_s, cpu_s))
    return {
        "plain_s": min(taken_s for taken_s, _ in taken),
        "plain_cpu_s": min(cpu_s for _, cpu_s in taken),
    }


@contextmanager
def _publisher(world: World) -> Iterator[Session]:
    """The gateway's account, as long as no gateway runs."""
    publisher = world.fleet.join("tinyfleet-gateway", world.server.gateway_secret, user="gateway")
    world.fleet.serve(lambda: publisher.acks[CONNACK] == 1, PATIENCE_S)
    yield publisher
    world.fleet.leave(publisher)


def _deliver(world: World, exponent: int, data: bytes) -> dict[str, float]:
    """One rollout from its plan to the last outcome; what was published is counted exactly."""
    server, fleet = world.server, world.fleet
    blocks: Counter[str] = Counter()
    world.witness.told = lambda session, topic, payload: blocks.update([_kind(payload)])
    devices = Devices(exponent)
    answered = fleet.acks[SUBACK] + len(world.devices) + 1
    world.witness.subscribe([f"{topics.ROOT}/artifacts/#"])
    for session in world.devices:
        devices.begin(session)
    fleet.serve(lambda: fleet.acks[SUBACK] == answered, PATIENCE_S)
    figures = {"sessions": float(len(world.devices)), "bytes": float(len(data))}
    figures |= server.ask("roll_out", fleet) | server.ask("sign", fleet)
    before = server.ask("cpu", fleet)
    cpu_before_s = time.process_time()
    server.ask("gateway", fleet)
    fleet.serve(lambda: len(devices.done_at) == len(world.devices), PATIENCE_S)
    figures["delivered_s"] = devices.done_at[-1] - devices.first_order_at
    figures["client_cpu_s"] = time.process_time() - cpu_before_s
    after = server.ask("cpu", fleet)
    figures |= {f"{name}_cpu_s": after[name] - before.get(name, 0.0) for name in after}
    _settle(world)
    figures["settled_s"] = time.perf_counter() - devices.first_order_at
    return figures | _hold(world, devices, blocks, data) | {"load_1min": os.getloadavg()[0]}


def _settle(world: World) -> None:
    """Until the server has every outcome, and has taken away what is no longer wanted."""
    while not _is_settled(world):
        ends = time.monotonic() + LOOK_S
        world.fleet.serve(lambda ends=ends: time.monotonic() >= ends, PATIENCE_S)


def _is_settled(world: World) -> bool:
    ended = world.server.ask("statuses", world.fleet).get("confirmed") == len(world.devices)
    return ended and not world.server.ask("retained", world.fleet)


def _hold(world: World, devices: Devices, blocks: Counter[str], data: bytes) -> dict[str, float]:
    """Each device's own order, signed; each block once; nothing else."""
    offered = sum(block_count(len(data), exponent) for exponent in OFFERED)
    count = len(world.devices)
    everything = {"blocks": offered, "cleared blocks": offered}
    wanted = {"manifests": count, "cleared manifests": count}
    ends = time.monotonic() + HEARD_WITHIN_S
    world.fleet.serve(
        lambda: (blocks, devices.heard) == (everything, wanted) or time.monotonic() > ends,
        PATIENCE_S,
    )
    world.server.ask("no_gateway", world.fleet)
    _look_away(world)
    assert (blocks, devices.heard) == (everything, wanted)
    keys = cose.trusted_keys(world.server.trust)
    for name, envelope in devices.envelopes.items():
        order = manifest.open_envelope(envelope, keys)
        assert (order.device_id, order.digest) == (name, hashlib.sha256(data).digest())
    return {"published_blocks": float(offered), "published_manifests": float(count)}


def _look_away(world: World) -> None:
    """The witness sees nothing of the plain deliveries that follow."""
    answered = world.fleet.acks[UNSUBACK] + 1
    world.witness.unsubscribe([f"{topics.ROOT}/artifacts/#"])
    world.fleet.serve(lambda: world.fleet.acks[UNSUBACK] >= answered, PATIENCE_S)


def _kind(payload: bytes) -> str:
    return "blocks" if payload else "cleared blocks"
