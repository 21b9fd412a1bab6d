"""The gateway on real brokers with a real signer: what goes in, comes out and is never lost."""

from __future__ import annotations

import json

import pytest
from django.db import connection

from orchestrator.gateways import broker_files
from orchestrator.models import DroppedMessage, Telemetry
from orchestrator.protocol import encoding, topics
from orchestrator.protocol.messages import (
    Acknowledgement,
    EnrolmentAnswer,
    Online,
    TelemetryPack,
)
from orchestrator.protocol.senml import encode_telemetry
from orchestrator.services import enrolment
from orchestrator.services.mqtt_gateway import broker_link, build_gateway
from registry.models import Device
from tests.orchestrator.brokers import (
    connect_when_known,
    wait_for,
)
from tests.orchestrator.members import NOW, Identity

pytestmark = pytest.mark.django_db(transaction=True)


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
    client = connect_when_known(broker, identity.device_id, identity.secret)
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
