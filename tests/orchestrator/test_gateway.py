"""The gateway on real brokers with a real signer: what goes in, comes out and is never lost."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from django.db import connection
from django.utils import timezone

from orchestrator.gateways import broker_files
from orchestrator.models import Deployment, DroppedMessage, LearningTask, Telemetry
from orchestrator.protocol import cose, encoding, learning, manifest, topics
from orchestrator.protocol.blocks import block_count, unframe
from orchestrator.protocol.messages import (
    Acknowledgement,
    EnrolmentAnswer,
    LearnStatus,
    LearnUpdate,
    Online,
    State,
    TelemetryPack,
)
from orchestrator.protocol.messages import DeploymentStatus as Status
from orchestrator.protocol.senml import encode_telemetry
from orchestrator.services import enrolment
from orchestrator.services.learning import open_tasks
from orchestrator.services.mqtt_gateway import Gateway, broker_link, build_gateway
from registry.models import Artifact, Device
from tests.orchestrator import rollout_world
from tests.orchestrator.brokers import REPOSITORY, Client, RunningBroker, wait_for
from tests.orchestrator.members import NOW, Identity, known_member
from tests.orchestrator.test_learning_rounds import alert_on

pytestmark = pytest.mark.django_db(transaction=True)

Run = Callable[[Callable[[], bool], str], None]


@pytest.fixture
def gateway(broker: RunningBroker, settings, installation) -> Iterator[Gateway]:
    settings.SIGNER_SOCKET = installation / "signer.sock"
    settings.GATEWAY_POLL_S = 0.02
    running = build_gateway()
    running.start()
    yield running
    running.stop()


@pytest.fixture
def run(gateway: Gateway) -> Run:
    """Lets the gateway work, in the test's own thread, until something has come about."""

    def until(condition: Callable[[], bool], what: str) -> None:
        def stepped() -> bool:
            gateway.step()
            return condition()

        wait_for(stepped, what)

    until(lambda: gateway.epoch > 0, "the gateway is connected")
    return until


@pytest.fixture
def signer(installation, settings) -> Iterator[dict[bytes, cose.PublicKey]]:
    """A running signer; gives the keys that a device would trust."""
    trust = installation / "trust"
    options = ["--socket", installation / "signer.sock", "--directory", installation / "signer"]
    options += ["--trust", trust]
    command = [sys.executable, "-m", "deploy.signer", *map(str, options)]
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE)
    try:
        assert b"signer ready" in process.stdout.readline()
        yield cose.trusted_keys(path.read_bytes() for path in trust.glob("*.pem"))
    finally:
        process.terminate()
        process.communicate()


@pytest.fixture
def rollout(monkeypatch) -> Deployment:
    """The only deployment of a running rollout, by the signer's clock."""
    monkeypatch.setattr(rollout_world, "NOW", timezone.now())
    rollout_world.make_devices(1)
    rollout_world.started()
    return Deployment.objects.get()


def connect_when_known(broker: RunningBroker, identity: Identity) -> Client:
    clients: list[Client] = []

    def accepted() -> bool:
        client = Client(broker.port, identity.device_id, identity.secret)
        clients.append(client)
        return client.connect()

    wait_for(accepted, "the broker has read the new password file")
    return clients[-1]


@pytest.fixture
def pump(gateway, broker) -> Iterator[Client]:
    """An accepted device called pump-1."""
    identity = known_member("pump-1")
    broker_files.write_password_file()
    broker.reload()
    client = connect_when_known(broker, identity)
    yield client
    client.close()


def pack(sequence: int) -> bytes:
    return encode_telemetry("pump-1", TelemetryPack(boot=1, sequence=sequence, samples=sequence))


def stored() -> list[int]:
    return sorted(Telemetry.objects.values_list("sequence", flat=True))


def test_a_device_joins_and_comes_back_under_its_own_account(broker, run, connect) -> None:
    identity = Identity("pump-1")
    token = enrolment.issue_token("pump-1", NOW)
    asking = connect("enrol", broker_files.enrol_password())
    asking.subscribe(topics.enrol_result("pump-1"))
    for _ in range(2):
        asking.publish(topics.enrol("pump-1"), encoding.encode_enrolment(identity.enrolment(token)))
        run(lambda: not asking.inbox.empty(), "the answer has come")
        answer = encoding.decode_enrolment_result(asking.receive().payload)
        assert answer.answer is EnrolmentAnswer.ACCEPTED
    broker.reload()
    client = connect_when_known(broker, identity)
    client.publish(topics.online("pump-1"), encoding.encode_online(Online(True, 1)), retain=True)
    run(lambda: Device.objects.filter(shadow__online=True).exists(), "the device is online")
    client.close()


def test_a_refused_device_is_told_why(run, connect) -> None:
    asking = connect("enrol", broker_files.enrol_password())
    asking.subscribe(topics.enrol_result("pump-1"))
    token = enrolment.issue_token("pump-2", NOW)
    sent = Identity("pump-1").enrolment(token)
    asking.publish(topics.enrol("pump-1"), encoding.encode_enrolment(sent))
    run(lambda: not asking.inbox.empty(), "the answer has come")
    answer = json.loads(asking.receive().payload)
    assert answer["answer"] == "rejected"
    assert "another device" in answer["reason"]


def test_telemetry_is_stored_once_and_acknowledged(pump, run, connect) -> None:
    pump.subscribe(topics.acked("pump-1"))
    for sequence in (1, 2, 2, 1, 3):
        pump.publish(topics.telemetry("pump-1"), pack(sequence))
    run(lambda: stored() == [1, 2, 3], "the packs are stored")
    wanted = encoding.encode_acknowledgement(Acknowledgement(1, 3))
    run(lambda: pump.receive().payload == wanted, "they are acknowledged")
    late = connect("gateway", broker_files.gateway_password())
    late.subscribe(topics.acked("pump-1"))
    assert late.receive().payload == wanted, "retained"


def test_bad_messages_are_counted_and_disturb_nothing(pump, run, connect) -> None:
    server = connect("gateway", broker_files.gateway_password())
    server.publish(f"{topics.ROOT}/PUMP/state", b"{}")
    pump.publish(topics.state("pump-1"), b"no JSON")
    pump.publish(topics.state("pump-1"), b" " * 100_000)
    pump.publish(topics.telemetry("pump-1"), pack(1))
    reasons = {"unknown_topic", "malformed", "oversized"}
    dropped = DroppedMessage.objects.values_list("reason", flat=True)
    run(lambda: set(dropped.all()) == reasons and stored() == [1], "all are counted")


def test_what_was_not_committed_comes_again(broker, pump, run, gateway) -> None:
    """PUBACK after the commit: a gateway that dies before it has kept a message gets it again."""
    gateway.stop()
    dying = broker_link()
    dying.start()
    wait_for(lambda: dying.epoch > 0, "the gateway is connected")
    for sequence in (1, 2, 3):
        pump.publish(topics.telemetry("pump-1"), pack(sequence))
    taken: list[object] = []

    def all_taken() -> bool:
        taken.extend(dying.take(10, 0.1, 0.1))
        return len(taken) >= 3

    wait_for(all_taken, "the gateway has the messages in its hands")
    dying.stop()
    assert stored() == []
    heir = build_gateway()
    heir.start()

    def arrived() -> bool:
        heir.step()
        return stored() == [1, 2, 3]

    try:
        wait_for(arrived, "the heir gets them")
    finally:
        heir.stop()


def test_what_comes_while_the_gateway_is_away_waits_for_it(pump, run, gateway) -> None:
    gateway.stop()
    for sequence in range(1, 101):
        pump.publish(topics.telemetry("pump-1"), pack(sequence))
    heir = build_gateway()
    heir.start()

    def arrived() -> bool:
        heir.step()
        return len(stored()) == 100

    try:
        wait_for(arrived, "all hundred packs have come")
    finally:
        heir.stop()


def test_a_database_that_fails_delays_and_loses_nothing(pump, run, gateway) -> None:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA query_only = ON")
    pump.publish(topics.telemetry("pump-1"), pack(1))
    for _ in range(3):
        gateway.step()
    assert stored() == []
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA query_only = OFF")
    run(lambda: stored() == [1], "it is stored at last")


def test_the_broker_is_filled_again_after_it_has_lost_everything(
    broker, pump, run, gateway, connect
) -> None:
    pump.publish(topics.telemetry("pump-1"), pack(1))
    run(lambda: stored() == [1], "a pack is stored")
    broker.stop()
    broker.start()
    run(lambda: gateway.epoch > 1, "the gateway is connected again")
    late = connect("gateway", broker_files.gateway_password())
    late.subscribe(topics.acked("pump-1"))
    run(lambda: not late.inbox.empty(), "the acknowledgement is there again")


def test_an_update_goes_out_signed_with_its_blocks_and_is_cleared_in_the_end(
    signer, rollout, run, connect
) -> None:
    name, artifact = rollout.device.device_id, rollout.variant.artifact
    server = connect("gateway", broker_files.gateway_password())
    server.subscribe(topics.desired(name))
    run(lambda: not server.inbox.empty(), "the manifest is published")
    order = manifest.open_envelope(server.receive().payload, signer)
    assert (order.deployment, order.digest.hex()) == (rollout.pk, artifact.pk)
    with artifact.file.open("rb") as file:
        assert _collect(server, artifact, order.block_exponents[0]) == file.read()
    state = State(artifact.pk, 0, order.sequence, 1)
    server.publish(topics.state(name), encoding.encode_state(state))
    server.subscribe(f"{topics.artifact(artifact.pk)}/#")
    final = [Status.CONFIRMED, Status.INSTALLED]
    run(lambda: Deployment.objects.filter(status__in=final).exists(), "it is installed")
    run(lambda: _is_clear(connect, topics.desired(name)), "the manifest is cleared")
    run(lambda: _is_clear(connect, f"{topics.artifact(artifact.pk)}/#"), "so are the blocks")


def _collect(server: Client, artifact: Artifact, exponent: int) -> bytes:
    blocks = []
    for number in range(block_count(artifact.size_bytes, exponent)):
        server.subscribe(topics.artifact_block(artifact.pk, exponent, number))
        received = server.receive()
        assert received.retain
        blocks.append(unframe(received.payload))
    return b"".join(blocks)


def _is_clear(connect, a_filter: str) -> bool:
    """Whether a new subscriber finds nothing retained; a marker shows that it would have come."""
    client = connect("gateway", broker_files.gateway_password())
    client.subscribe(a_filter)
    client.subscribe(topics.desired("marker"))
    client.publish(topics.desired("marker"), b"marker")
    return client.receive().payload == b"marker"


def test_a_signer_that_is_away_only_delays(rollout, run, request) -> None:
    run(lambda: True, "one poll without a signer")
    assert Deployment.objects.get().status == Status.PENDING
    request.getfixturevalue("signer")
    run(lambda: Deployment.objects.get().status == Status.NOTIFIED, "it is signed now")


def test_a_new_gateway_clears_what_an_earlier_one_left(signer, rollout, run, gateway, connect):
    name = rollout.device.device_id
    run(lambda: not _is_clear(connect, topics.desired(name)), "it is published")
    gateway.stop()
    Deployment.objects.update(status=Status.CANCELLED, is_open=False)
    heir = build_gateway()
    heir.start()

    def cleared() -> bool:
        heir.step()
        return heir.epoch > 0 and _is_clear(connect, topics.desired(name))

    try:
        wait_for(cleared, "the manifest is cleared")
    finally:
        heir.stop()


def test_a_learning_task_goes_out_signed_until_it_is_answered(signer, run, connect) -> None:
    variant = rollout_world.make_release().variants.get(name="large")
    (device,) = rollout_world.make_devices(1)
    Device.objects.update(installed=variant, installed_at=NOW)
    device.refresh_from_db()
    open_tasks([alert_on(device)], timezone.now())
    server = connect("gateway", broker_files.gateway_password())
    server.subscribe(topics.learn_task(device.device_id))
    run(lambda: not server.inbox.empty(), "the task is published")
    order = learning.open_task(server.receive().payload, signer)
    assert (order.device_id, order.digest) == (device.device_id, variant.artifact_id)
    update = LearnUpdate(order.task, LearnStatus.REFUSED, detail="no memory")
    server.publish(topics.learn_update(device.device_id), encoding.encode_learn_update(update))
    run(lambda: LearningTask.objects.get().status == "refused", "the answer is kept")
    run(lambda: _is_clear(connect, topics.learn_task(device.device_id)), "the task is cleared")
