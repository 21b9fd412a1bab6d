"""The table of attempts on every broker, and put as questions to the HTTP endpoint."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator

import pytest
from django.test import Client as Browser
from django.utils import timezone

from deploy.broker_endpoint import broker_secret
from orchestrator.gateways import broker_files
from orchestrator.gateways.dynamic_security import security_text
from orchestrator.models import DeviceCredential
from orchestrator.protocol import topics
from orchestrator.protocol.enrolment import make_verifier
from registry.models import Device, DeviceStatus
from tests.orchestrator.broker_matrix import (
    ATTEMPTS,
    BLOCK,
    MEMBERS,
    OTHER,
    OWN,
    PENDING,
    REVOKED,
    ROOT,
    SECRETS,
    Attempt,
    Does,
)
from tests.orchestrator.brokers import Client, RunningBroker, skip_unless_there, wait_for

AUDITOR = "auditor"
FORGED = b"forged"
MARK = f"{ROOT}/mark"
HIDDEN = {
    "enrol": [topics.desired(OWN), topics.td(OWN), BLOCK, topics.enrol("pump-9")],
    OWN: [topics.desired(OTHER), topics.acked(OTHER), topics.learn_task(OTHER), topics.td(OTHER)],
}
HIDDEN["enrol"] += [f"{ROOT}/enrol/desired", f"{ROOT}/enrol/acked"]
HIDDEN[OWN] += [topics.enrol("pump-9"), topics.enrol_result("pump-9")]
READABLE = {"enrol": [topics.enrol_result("pump-9")], OWN: [topics.desired(OWN), BLOCK]}
GROUPS = sorted({(a.user, a.does.value, a.allowed) for a in ATTEMPTS})


def group(user: str, does: str, allowed: bool, kind: str) -> list[Attempt]:
    chosen = [a for a in ATTEMPTS if (a.user, a.does.value, a.allowed) == (user, does, allowed)]
    return [attempt for attempt in chosen if kind not in attempt.open_on]


@pytest.fixture(scope="module", params=["amqtt", "mosquitto", "mosquitto-files"])
def broker(request, tmp_path_factory) -> Iterator[RunningBroker]:
    """The members and the shared accounts, and one that reads whatever comes through."""
    skip_unless_there(request.param)
    directory = tmp_path_factory.mktemp("broker")
    accounts = ["gateway", "enrol", *MEMBERS, AUDITOR]
    secrets = SECRETS | {AUDITOR: AUDITOR}
    lines = [f"{user}:{make_verifier(secrets[user], os.urandom(12))}" for user in accounts]
    (directory / "passwords").write_text("\n".join(lines))
    audits = f"user {AUDITOR}\ntopic read #\ntopic read $SYS/#\ntopic read $CONTROL/#\n"
    (directory / "acl").write_text(broker_files.access_list() + audits)
    if request.param == "mosquitto":
        (directory / "dynamic-security.json").write_text(_with_auditor())
    running = RunningBroker(request.param, directory).start()
    yield running
    assert running.stop(signal.SIGTERM) == 0


def _with_auditor() -> str:
    content = json.loads(security_text(MEMBERS, [REVOKED]))
    kinds = ("publishClientReceive", "subscribePattern")
    acls = [{"acltype": k, "topic": "#", "priority": 0, "allow": True} for k in kinds]
    content["roles"].append({"rolename": AUDITOR, "acls": acls})
    content["clients"].append({"username": AUDITOR, "roles": [{"rolename": AUDITOR}]})
    return json.dumps(content)


@pytest.fixture
def server(connect) -> Client:
    return connect("gateway", SECRETS["gateway"])


@pytest.fixture
def auditor(connect) -> Client:
    listening = connect(AUDITOR, AUDITOR)
    assert listening.subscribe("#")
    for a_filter in ("$SYS/broker/uptime", "$CONTROL/#"):
        listening.subscribe(a_filter)
    return listening


@pytest.mark.parametrize(("user", "does", "allowed"), GROUPS)
def test_what_is_tried_succeeds_exactly_where_the_table_says_so(
    broker, server, auditor, user, does, allowed
) -> None:
    attempts = group(user, does, allowed, broker.kind)
    if not attempts:
        pytest.skip("this broker cannot hold any of these")
    if does == Does.CONNECT:
        wrong = [str(a) for a in attempts if _connects(broker, a) is not allowed]
    elif does == Does.SUBSCRIBE:
        wrong = _wrongly_read(broker, server, user, attempts, allowed)
    else:
        seen = _written(broker, server, auditor, attempts)
        wrong = [str(a) for a in attempts if (a.topic in seen) is not allowed]
    assert wrong == []


def _connects(broker: RunningBroker, attempt: Attempt) -> bool:
    client = Client(broker.port, attempt.user, SECRETS.get(attempt.user, "x"), attempt.client_id)
    admitted = client.connect()
    client.close()
    return admitted


def _written(
    broker: RunningBroker, server: Client, auditor: Client, attempts: list[Attempt]
) -> set[str]:
    """Topics on which something came through, at once or to who subscribes later."""
    for attempt in attempts:
        if attempt.does in {Does.WILL, Does.RETAINED_WILL}:
            _leave_a_will(broker, attempt)
        else:
            _publish(broker, attempt)
    seen = _forged_until_mark(server, auditor)
    late = Client(broker.port, AUDITOR, AUDITOR)
    assert late.connect()
    assert late.subscribe("#")
    kept = _forged_until_mark(server, late)
    late.close()
    for topic in kept:
        server.publish(topic, b"", retain=True)
    retains = attempts[0].does in {Does.RETAIN, Does.RETAINED_WILL}
    assert not retains or kept == seen
    return seen | kept


def _forged_until_mark(server: Client, listening: Client) -> set[str]:
    server.publish(MARK, b"mark")
    seen = set()
    while (received := listening.receive()).topic != MARK:
        if received.payload == FORGED:
            seen.add(received.topic)
    return seen


def _publish(broker: RunningBroker, attempt: Attempt) -> None:
    """Returns when the broker has taken it, or has ended the connection over it."""
    client = Client(broker.port, attempt.user, SECRETS[attempt.user], attempt.client_id)
    assert client.connect()
    is_settled = client.try_to_publish(attempt.topic, FORGED, attempt.does is Does.RETAIN)
    wait_for(is_settled, f"an answer to {attempt}")
    client.close()


def _leave_a_will(broker: RunningBroker, attempt: Attempt) -> None:
    will = {"will_topic": attempt.topic, "will": FORGED}
    retain = {"will_retain": attempt.does is Does.RETAINED_WILL}
    account = (broker.port, attempt.user, SECRETS[attempt.user], attempt.client_id)
    client = Client(*account, **will, **retain)
    if client.connect():
        client.vanish()
    client.close()
    # The broker publishes the will, if it does, before it lets the same client in again.
    again = Client(*account)
    assert again.connect()
    again.close()


def _wrongly_read(
    broker: RunningBroker, server: Client, user: str, attempts: list[Attempt], allowed: bool
) -> list[str]:
    kept = topics.td(OTHER) if user == OWN else topics.td(OWN)
    server.publish(kept, b"secret", retain=True)
    client = Client(broker.port, user, SECRETS[user], attempts[0].client_id)
    assert client.connect()
    granted = {str(a): client.subscribe(a.topic) for a in attempts}
    for topic in HIDDEN[user]:
        server.publish(topic, b"secret")
    for topic in READABLE[user]:
        assert client.subscribe(topic)
    server.publish(READABLE[user][0], b"mark")
    wrong = []
    while (received := client.receive()).payload != b"mark":
        wrong.append(f"received {received.topic}")
    client.close()
    server.publish(kept, b"", retain=True)
    if allowed or broker.kind != "mosquitto-files":  # which grants all, and delivers nothing
        wrong += [name for name, was_granted in granted.items() if was_granted is not allowed]
    return wrong


def test_who_enrols_under_a_members_client_id_gets_nothing_that_waits_for_it(
    broker, server
) -> None:
    """Mosquitto cannot refuse it; so it must at least be of no use."""
    absent = Client(broker.port, OWN, SECRETS[OWN], lasting=True)
    assert absent.connect()
    absent.subscribe(topics.desired(OWN))
    absent.close()
    server.publish(topics.desired(OWN), b"secret")
    thief = Client(broker.port, "enrol", SECRETS["enrol"], client_id=OWN, lasting=True)
    if thief.connect():
        answer = topics.enrol_result("pump-9")
        assert thief.subscribe(answer)
        server.publish(topics.desired(OWN), b"secret")
        server.publish(answer, b"mark")
        assert thief.receive().payload == b"mark"
    thief.close()
    back = Client(broker.port, OWN, SECRETS[OWN])
    assert back.connect()
    back.close()


@pytest.mark.django_db
def test_the_http_endpoint_decides_as_the_table_says(settings, tmp_path) -> None:
    settings.KEYS_DIR = tmp_path / "keys"
    statuses = dict.fromkeys(MEMBERS, DeviceStatus.ACCEPTED)
    statuses |= {PENDING: DeviceStatus.PENDING, REVOKED: DeviceStatus.REVOKED}
    for device_id, status in statuses.items():
        device = Device.objects.create(device_id=device_id, status=status)
        verifier = make_verifier(SECRETS[device_id], os.urandom(12))
        values = {"verifier": verifier, "enrolled_at": timezone.now()}
        DeviceCredential.objects.create(device=device, **values)
    secrets = SECRETS | {"enrol": broker_files.enrol_password()}
    assert [str(a) for a in ATTEMPTS if _asked(a, secrets) is not a.allowed] == []


def _asked(attempt: Attempt, secrets: dict[str, str]) -> bool:
    fields = {"username": attempt.user, "clientid": attempt.client_id}
    if attempt.does is Does.CONNECT:
        what, fields["password"] = "authenticate", secrets.get(attempt.user, "x")
    else:
        what, fields["topic"] = "authorize", attempt.topic
        fields["action"] = "subscribe" if attempt.does is Does.SUBSCRIBE else "publish"
    headers = {"Authorization": f"Bearer {broker_secret()}"}
    answer = Browser().post(
        f"/broker/emqx/{what}", json.dumps(fields), headers=headers, content_type="application/json"
    )
    return answer.json()["result"] == "allow"
