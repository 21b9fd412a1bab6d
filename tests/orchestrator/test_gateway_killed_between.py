"""The gateway dies between any two of its steps, and the next one ends where it would have.

That is: the database committed and the message not sent; the message sent and the database not
committed; PUBACK lost; the signer's answer lost; the journal written and nothing published.
`make test` dies at some steps, `make soak` at every one, and at two in a row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import transaction

from orchestrator.models import (
    Deployment,
    DeploymentEvent,
    DeviceCredential,
    DeviceShadow,
    DroppedMessage,
    Telemetry,
)
from orchestrator.policy.lifecycle import COURSE
from orchestrator.protocol import cose, encoding, manifest, topics
from orchestrator.protocol.messages import DeploymentStatus as Status
from orchestrator.protocol.messages import Online, Report, ResultCode, State, TelemetryPack
from orchestrator.protocol.senml import encode_telemetry
from orchestrator.services import enrolment, rollouts
from registry.models import Device
from tests.orchestrator.members import Identity
from tests.orchestrator.mortal_gateway import Broker, Fate, Killed, mortal_gateway, topics_of
from tests.orchestrator.rollout_world import NOW, make_devices, make_rollout, signing_key
from tests.seeds import drawn, sample

pytestmark = pytest.mark.django_db

PACKS = 3
DEVICES = 2
NEWCOMER = "newcomer"


class Fleet:
    """Devices that follow the retained order once, and send what they must until it is over."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._followed: dict[str, bytes] = {}
        self.installs: Counter[str] = Counter()

    def speak(self, newcomer: Identity, token: str) -> None:
        """What is on its way to the gateway before anything is ordered."""
        self._enrolment = encoding.encode_enrolment(newcomer.enrolment(token))
        self._ask_to_join()
        for device in Device.objects.all():
            said = encoding.encode_online(Online(True, 1))
            self._broker.receive(topics.online(device.device_id), said)
            for sequence in range(1, PACKS + 1):
                pack = TelemetryPack(1, sequence, samples=sequence, held_from=1)
                payload = encode_telemetry(device.device_id, pack)
                self._broker.receive(topics.telemetry(device.device_id), payload)
        self._broker.receive(topics.report("stranger"), b"{}")

    def react(self) -> bool:
        """Each device takes a new order: blocks there, it is carried out and told of."""
        acted = self._ask_to_join()
        for name in Device.objects.values_list("device_id", flat=True):
            envelope = self._broker.retained.get(topics.desired(name))
            if envelope is None or envelope == self._followed.get(name):
                continue
            self._followed[name] = envelope
            acted = True
            self._install(name, envelope)
        return acted

    def _ask_to_join(self) -> bool:
        """As a device does that has heard no answer; True where it asks once more."""
        asks, answered = topics.enrol(NEWCOMER), topics.enrol_result(NEWCOMER)
        is_asking = asks in topics_of(self._broker.session.values())
        if is_asking or answered in topics_of(self._broker.sent):
            return False
        self._broker.receive(asks, self._enrolment)
        return True

    def _install(self, name: str, envelope: bytes) -> None:
        order = manifest.open_envelope(envelope, _trusted())
        prefix = f"{topics.artifact(order.digest.hex())}/"
        assert any(topic.startswith(prefix) for topic in self._broker.retained), "no block there"
        self.installs[name] += 1
        for status in (Status.DOWNLOADING, Status.INSTALLING, Status.VERIFYING, Status.INSTALLED):
            said = Report(order.deployment, status, ResultCode.OK, 1, order.sequence)
            self._broker.receive(topics.report(name), encoding.encode_report(said))
        state = State(order.digest.hex(), 0, order.sequence, 1)
        self._broker.receive(topics.state(name), encoding.encode_state(state))


def _trusted() -> dict[bytes, cose.PublicKey]:
    public = signing_key().public_key()
    return {cose.key_id(public): public}


class World:
    """Broker, devices and a started rollout, from the first message to rest."""

    def __init__(self, folder: Path) -> None:
        self.broker = Broker()
        self.fleet = Fleet(self.broker)
        self._journal = folder / "retained"
        self._journal.unlink(missing_ok=True)

    def live(self, fate: Fate) -> bool:
        """A gateway works until nothing moves; True where it died before."""
        try:
            with mortal_gateway(self.broker, self._journal, fate, NOW) as gateway:
                self._work(gateway, fate)
        except Killed:
            return True
        return False

    def _work(self, gateway, fate: Fate) -> None:
        quiet = 0
        while quiet < 3:
            before = len(self.broker.sent), len(self.broker.session), _statuses()
            gateway._next_poll = 0.0
            gateway.step()
            if fate.has_come:
                raise Killed
            with _unmoved_by(fate):
                moved = self.fleet.react() or rollouts.tick(NOW) > 0
            after = len(self.broker.sent), len(self.broker.session), _statuses()
            quiet = 0 if moved or before != after else quiet + 1

    def picture(self) -> tuple:
        """All that must be the same whatever died on the way."""
        return (
            list(_statuses()),
            list(Telemetry.objects.order_by("device", "sequence").values_list("sequence")),
            list(DeviceShadow.objects.order_by("device").values_list("online", "acked_sequence")),
            sorted(Device.objects.values_list("device_id", "status", "installed__artifact")),
            DeviceCredential.objects.count(),
            sorted(self.broker.retained.items()),
            sorted(self._journal.read_text().split("\n")),
            self.broker.session,
            sorted(self.fleet.installs.items()),
        )


@contextmanager
def _unmoved_by(fate: Fate) -> Iterator[None]:
    """What others write is no step of the gateway."""
    fatal, steps = fate.fatal, fate.steps
    fate.fatal = None
    yield
    fate.fatal, fate.steps = fatal, steps


def _statuses() -> list[tuple[str, int, str, bool]]:
    rows = Deployment.objects.order_by("device__device_id", "attempt")
    return list(rows.values_list("device__device_id", "attempt", "status", "is_open"))


@pytest.fixture
def begin(tmp_path: Path, settings):
    """Makes the same world anew, in a savepoint that ends with it."""
    settings.KEYS_DIR, settings.BROKER_DIR = tmp_path / "keys", tmp_path / "broker"
    settings.GATEWAY_POLL_S = 0.0
    settings.ISSUE_CERTIFICATES = False
    make_devices(DEVICES)
    rollout = make_rollout()
    newcomer = Identity(NEWCOMER)
    token = enrolment.issue_token(NEWCOMER, NOW)

    @contextmanager
    def begun() -> Iterator[World]:
        savepoint = transaction.savepoint()
        rollouts.start_rollout(rollout, NOW)
        rollouts.tick(NOW)
        world = World(tmp_path)
        world.fleet.speak(newcomer, token)
        yield world
        transaction.savepoint_rollback(savepoint)
        rollout.refresh_from_db()

    return begun


def undisturbed(begin) -> tuple[int, tuple]:
    """How many steps it takes, and how the world then looks."""
    with begin() as world:
        fate = Fate()
        assert not world.live(fate)
        picture = world.picture()
        assert {status for _, _, status, _ in _statuses()} == {Status.CONFIRMED}
        assert Telemetry.objects.count() == PACKS * DEVICES
        assert not any(topic.endswith("/desired") for topic in world.broker.retained)
        return fate.steps, picture


def survives(begin, deaths: Sequence[Fate], expected: tuple) -> int:
    """One gateway after another dies, the last one ends its work; how many did die."""
    with begin() as world:
        died = sum(world.live(fate) for fate in deaths)
        assert not world.live(Fate())
        assert world.picture() == expected, deaths
        assert topics.enrol_result(NEWCOMER) in topics_of(world.broker.sent)
        for deployment in Deployment.objects.all():
            events = DeploymentEvent.objects.filter(deployment=deployment).order_by("id")
            said = [Status(status) for status in events.values_list("status", flat=True)]
            places = [COURSE.index(status) for status in said[:-1]]
            assert places == sorted(set(places)) and said[-1] is Status.CONFIRMED, said
        assert set(DroppedMessage.objects.values_list("reason", flat=True)) == {"not_accepted"}
        return died


@pytest.mark.parametrize("is_deaf", [False, True], ids=["killed", "deaf"])
def test_a_gateway_that_dies_at_a_step_has_an_heir(begin, is_deaf):
    steps, expected = undisturbed(begin)
    assert steps > 40
    some = {1, steps, *sample(f"gateway {is_deaf}", range(1, steps + 1), 12)}
    for step in sorted(some):
        assert survives(begin, [Fate(step, is_deaf)], expected) == 1
    assert survives(begin, [Fate(steps + 1, is_deaf)], expected) == 0


@pytest.mark.soak
@pytest.mark.parametrize("is_deaf", [False, True], ids=["killed", "deaf"])
def test_a_gateway_that_dies_at_any_step_has_an_heir(begin, is_deaf):
    steps, expected = undisturbed(begin)
    for step in range(1, steps + 1):
        assert survives(begin, [Fate(step, is_deaf)], expected) == 1


@pytest.mark.soak
def test_gateways_that_die_one_after_another_have_an_heir(begin):
    steps, expected = undisturbed(begin)
    random = drawn("gateways in a row")
    for _ in range(100):
        deaths = [Fate(random.randint(1, steps), random.random() < 0.5) for _ in range(3)]
        assert survives(begin, deaths, expected) >= 1
