"""What the gateway leaves in real brokers, signed by a real signer, and takes away again."""

from __future__ import annotations

import pytest
from django.utils import timezone

from orchestrator.gateways import broker_files
from orchestrator.models import Deployment, LearningTask
from orchestrator.protocol import encoding, learning, manifest, topics
from orchestrator.protocol.blocks import block_count, unframe
from orchestrator.protocol.messages import DeploymentStatus as Status
from orchestrator.protocol.messages import (
    LearnStatus,
    LearnUpdate,
    State,
)
from orchestrator.services.learning import open_tasks
from orchestrator.services.mqtt_gateway import broker_link, build_gateway
from registry.models import Artifact, Device
from tests.orchestrator import rollout_world
from tests.orchestrator.brokers import (
    TIMEOUT_S,
    Client,
    wait_for,
)
from tests.orchestrator.members import NOW
from tests.orchestrator.test_learning_rounds import alert_on

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def rollout(monkeypatch) -> Deployment:
    """The only deployment of a running rollout, by the signer's clock."""
    monkeypatch.setattr(rollout_world, "NOW", timezone.now())
    rollout_world.make_devices(1)
    rollout_world.started()
    return Deployment.objects.get()


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


def test_the_link_waits_for_confirmations_and_not_for_a_broker_that_is_gone(broker) -> None:
    link = broker_link()
    link.start()
    try:
        wait_for(lambda: link.epoch > 0, "the link is connected")
        assert link.settle(0), "nothing was published"
        for number in range(50):
            link.publish(topics.desired(f"pump-{number}"), b"order", True)
        assert link.settle(TIMEOUT_S)
        broker.stop()
        wait_for(lambda: link.epoch == 0, "the link has noticed")
        link.publish(topics.desired("pump-1"), b"order", True)
        assert not link.settle(10 * TIMEOUT_S)
    finally:
        link.stop()
