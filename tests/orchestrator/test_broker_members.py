"""Mosquitto's plug-in is told who may be there, and told again whenever it may not know."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator

import pytest

from orchestrator.gateways.broker_files import gateway_password, write_acl_file, write_password_file
from orchestrator.gateways.dynamic_security import security_file, security_text
from orchestrator.gateways.security_commands import NoAnswer
from orchestrator.models import AccessChange
from orchestrator.protocol import topics
from orchestrator.services import enrolment
from orchestrator.services.broker_members import DEVICES_AT_ONCE, BrokerMembers, broker_members
from registry.models import Device, DeviceStatus
from tests.orchestrator.brokers import (
    Client,
    RunningBroker,
    connect_when_known,
    skip_unless_there,
    wait_for,
)
from tests.orchestrator.members import NOW, Identity, known_member

StartBroker = Callable[[], RunningBroker]


@pytest.fixture
def start_broker(db, installation, settings) -> Iterator[StartBroker]:
    """Starts Mosquitto with the accounts of this moment and the plug-in's file as it lies there."""
    skip_unless_there("mosquitto")
    settings.BROKER_DIR.mkdir(exist_ok=True)
    started: list[RunningBroker] = []

    def start() -> RunningBroker:
        write_acl_file()
        write_password_file()
        if not security_file().exists():
            security_file().write_text(security_text([]))
        started.append(RunningBroker("mosquitto", settings.BROKER_DIR).start())
        settings.MQTT_HOST, settings.MQTT_PORT = "127.0.0.1", started[-1].port
        return started[-1]

    yield start
    for running in started:
        running.stop()


@pytest.fixture
def keeping() -> Iterator[Callable[[], BrokerMembers]]:
    """Brings the broker in line, as the gateway's process does, in the test's own thread."""
    begun: list[BrokerMembers] = []

    def begin() -> BrokerMembers:
        begun.append(broker_members())
        begun[-1].start()
        wait_for(lambda: begun[-1].is_connected, "the plug-in answers")
        return begun[-1]

    yield begin
    for members in begun:
        members.stop()


def admits(broker: RunningBroker, identity: Identity, client_id: str | None = None) -> bool:
    client = Client(broker.port, identity.device_id, identity.secret, client_id)
    admitted = client.connect()
    client.close()
    return admitted


def settle(members: BrokerMembers) -> None:
    """Until there is nothing left to tell."""
    members.step()
    while AccessChange.objects.exists() or members.is_behind:
        members.step()


def waiting(device_id: str) -> Identity:
    identity = known_member(device_id)
    Device.objects.filter(device_id=device_id).update(status=DeviceStatus.PENDING)
    return identity


def test_who_is_let_in_is_bound_to_its_own_client_id_and_topics(start_broker, keeping) -> None:
    identity = waiting("pump-1")
    broker = start_broker()
    keeper = keeping()
    settle(keeper)
    enrolment.accept_pending(Device.objects.get(device_id="pump-1"), NOW)
    write_password_file()
    broker.reload()
    settle(keeper)
    connect_when_known(broker, "pump-1", identity.secret).close()
    assert not admits(broker, identity, "pump-2")
    client = Client(broker.port, "pump-1", identity.secret)
    assert client.connect()
    assert client.subscribe(topics.desired("pump-1"))
    assert not client.subscribe(topics.desired("pump-2"))
    client.close()


@pytest.mark.parametrize("accounts_a_page", [1, 3, 200])
def test_what_happened_while_nobody_listened_is_made_up_for(
    start_broker, keeping, monkeypatch, accounts_a_page
) -> None:
    """The broker's file is older than the database, and no row tells of the difference."""
    monkeypatch.setattr("orchestrator.services.broker_members.CLIENTS_A_PAGE", accounts_a_page)
    left, came, stayed = (known_member(name) for name in ("left-1", "came-1", "stayed-1"))
    security_file().write_text(security_text(["left-1", "stayed-1"]))
    broker = start_broker()
    Device.objects.filter(device_id="left-1").update(status=DeviceStatus.REVOKED)
    client = Client(broker.port, "stayed-1", stayed.secret)
    assert client.connect()
    settle(keeping())
    assert not admits(broker, left)  # though its secret is still in the password file
    assert admits(broker, came)
    assert not admits(broker, came, "left-1")
    assert not client.disconnected.is_set()
    client.close()


def test_who_is_signed_in_by_an_old_key_is_cut_off(start_broker, keeping) -> None:
    identity = known_member("pump-1")
    broker = start_broker()
    keeper = keeping()
    settle(keeper)
    client = Client(broker.port, "pump-1", identity.secret)
    assert client.connect()
    AccessChange.objects.create(device_id="pump-1", admits=True, rekeys=True)
    settle(keeper)
    assert client.disconnected.wait(10)
    assert admits(broker, identity)
    client.close()


def test_shutting_out_does_not_wait_behind_letting_in(start_broker, keeping) -> None:
    identity = known_member("pump-1")
    for number in range(3 * DEVICES_AT_ONCE):
        known_member(f"new-{number}")
    broker = start_broker()
    keeper = keeping()
    settle(keeper)
    client = Client(broker.port, "pump-1", identity.secret)
    assert client.connect()
    for number in range(3 * DEVICES_AT_ONCE):
        AccessChange.objects.create(device_id=f"new-{number}", admits=True)
    enrolment.revoke(Device.objects.get(device_id="pump-1"), NOW)
    keeper.step()
    assert client.disconnected.wait(10)
    assert AccessChange.objects.exists()
    client.close()


def test_a_change_is_kept_until_the_broker_has_answered(start_broker, keeping, settings) -> None:
    identity = known_member("pump-1")
    broker = start_broker()
    keeper = keeping()
    settle(keeper)
    enrolment.revoke(Device.objects.get(device_id="pump-1"), NOW)
    settings.NETWORK_TIMEOUT_S = 0.5
    broker.process.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(NoAnswer):
            keeper.step()
    finally:
        broker.process.send_signal(signal.SIGCONT)
    assert AccessChange.objects.count() == 1
    settings.NETWORK_TIMEOUT_S = 30.0
    settle(keeper)
    assert not admits(broker, identity)


def test_a_shut_out_name_can_do_nothing_whatever_lets_it_sign_in(start_broker) -> None:
    """As a client certificate would, which the plug-in is not asked about."""
    identity = known_member("pump-1")
    content = json.loads(security_text([], ["pump-1"]))
    for client in content["clients"]:
        client.pop("disabled", None)
    security_file().write_text(json.dumps(content))
    broker = start_broker()
    reader = known_reader(broker)
    client = Client(broker.port, "pump-1", identity.secret)
    assert client.connect()
    client.publish(topics.state("pump-1"), b"forged", retain=True)
    assert not client.subscribe(topics.desired("pump-1"))
    assert not client.subscribe(f"{topics.ROOT}/artifacts/#")
    reader.publish(topics.acked("pump-1"), b"mark")
    assert reader.receive().payload == b"mark"
    for each in (client, reader):
        each.close()


def known_reader(broker: RunningBroker) -> Client:
    reader = Client(broker.port, "gateway", gateway_password())
    assert reader.connect()
    assert reader.subscribe(f"{topics.ROOT}/#")
    return reader
