"""Brokers that ask over HTTP get the answers that the two files give those that read."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from deploy.broker_endpoint import broker_secret
from orchestrator.gateways.broker_files import enrol_password, gateway_password
from orchestrator.models import DeviceCredential
from orchestrator.protocol import topics
from orchestrator.protocol.enrolment import make_verifier
from registry.models import Device, DeviceStatus

pytestmark = pytest.mark.django_db

SECRET = "the pump's own"
BLOCK = topics.artifact_block("ab" * 32, 10, 0)
GATEWAY, ENROLLING = "tinyfleet-gateway", "enrol-pump-3"


@pytest.fixture(autouse=True)
def keys(settings, tmp_path) -> None:
    settings.KEYS_DIR = tmp_path / "keys"


@pytest.fixture
def pump() -> Device:
    device = Device.objects.create(device_id="pump-1", status=DeviceStatus.ACCEPTED)
    verifier = make_verifier(SECRET, os.urandom(12))
    DeviceCredential.objects.create(device=device, verifier=verifier, enrolled_at=timezone.now())
    return device


def ask(what: str, *, secret: str | None = None, form: bool = False, **fields: Any) -> Any:
    """Put a question as a broker does, in JSON or as a form."""
    shown = broker_secret() if secret is None else secret
    body = fields if form else json.dumps(fields)
    kind = {} if form else {"content_type": "application/json"}
    headers = {"Authorization": f"Bearer {shown}"}
    return Client().post(f"/broker/{what}", body, headers=headers, **kind)


def emqx(what: str, **fields: Any) -> str:
    answer = ask(f"emqx/{what}", **fields)
    assert answer.status_code == 200  # any other would mean: ask somebody else
    assert answer.json()["is_superuser"] is False
    return answer.json()["result"]


def signs_in(username: str, clientid: str, password: str) -> bool:
    fields = {"username": username, "clientid": clientid, "password": password}
    answers = {emqx("authenticate", **fields) == "allow"}
    answers.add(ask("http/authenticate", form=True, **fields).status_code == 200)
    assert len(answers) == 1
    return answers.pop()


def uses(username: str, clientid: str, action: str, topic: str) -> bool:
    """Every form of the same question gets the same answer."""
    fields = {"username": username, "clientid": clientid, "topic": topic}
    number = {"subscribe": "1", "publish": "2"}[action]
    answers = {emqx("authorize", action=action, **fields) == "allow"}
    for name in ("access", "acc"):
        answer = ask("http/authorize", form=True, **{name: number}, **fields)
        assert answer.status_code in {200, 403}
        answers.add(answer.status_code == 200)
    answers.add(ask("http/authorize", acc=int(number), **fields).status_code == 200)
    assert len(answers) == 1
    return answers.pop()


def test_a_member_signs_in_with_its_own_secret_under_its_own_name(pump) -> None:
    assert signs_in("pump-1", "pump-1", SECRET)
    assert not signs_in("pump-1", "pump-1", "another")
    assert not signs_in("pump-1", "pump-1", "")
    assert not signs_in("pump-2", "pump-2", SECRET)


def test_the_shared_accounts_sign_in(db) -> None:
    assert signs_in("gateway", GATEWAY, gateway_password())
    assert signs_in("enrol", ENROLLING, enrol_password())
    assert not signs_in("enrol", ENROLLING, gateway_password())


@pytest.mark.parametrize(
    "client", ["pump-2", GATEWAY, "enrol-pump-1", "PUMP-1", "pump-1 ", "mosq-abc"]
)
def test_a_member_does_not_take_anothers_client_id(pump, client) -> None:
    assert not signs_in("pump-1", client, SECRET)
    assert not uses("pump-1", client, "publish", topics.td("pump-1"))


@pytest.mark.parametrize("client", ["pump-1", GATEWAY, "enrol-", "enrol-../x", "enrol"])
def test_who_enrols_has_a_client_id_that_no_member_can_have(pump, client) -> None:
    assert not signs_in("enrol", client, enrol_password())


@pytest.mark.parametrize(
    "status", [DeviceStatus.PENDING, DeviceStatus.REJECTED, DeviceStatus.REVOKED]
)
def test_who_is_no_member_is_refused_from_the_next_question_on(pump, status) -> None:
    assert uses("pump-1", "pump-1", "publish", topics.td("pump-1"))
    Device.objects.filter(pk=pump.pk).update(status=status)
    assert not signs_in("pump-1", "pump-1", SECRET)
    assert not uses("pump-1", "pump-1", "publish", topics.td("pump-1"))
    assert not uses("pump-1", "pump-1", "subscribe", BLOCK)


@pytest.mark.parametrize(
    ("action", "topic"),
    [
        ("publish", topics.td("pump-1")),
        ("publish", topics.report("pump-1")),
        ("publish", topics.learn_update("pump-1")),
        ("subscribe", topics.desired("pump-1")),
        ("subscribe", topics.learn_task("pump-1")),
        ("subscribe", BLOCK),
    ],
)
def test_a_member_uses_its_own_topics(pump, action, topic) -> None:
    assert uses("pump-1", "pump-1", action, topic)


@pytest.mark.parametrize(
    ("action", "topic"),
    [
        ("publish", topics.td("pump-2")),
        ("publish", topics.desired("pump-1")),
        ("publish", BLOCK),
        ("publish", f"{topics.ROOT}/pump-1/anything"),
        ("subscribe", topics.desired("pump-2")),
        ("subscribe", topics.enrol("pump-3")),
        ("subscribe", f"{topics.ROOT}/#"),
        ("subscribe", f"{topics.ROOT}/+/td"),
        ("subscribe", "#"),
        ("subscribe", "$SYS/#"),
        ("subscribe", f"$share/all/{topics.ROOT}/+/telemetry"),
        ("subscribe", f"$share/all/{topics.desired('pump-1')}"),
    ],
)
def test_a_member_uses_no_other_topic(pump, action, topic) -> None:
    assert not uses("pump-1", "pump-1", action, topic)


def test_who_enrols_may_ask_and_hear_the_answer_only(db) -> None:
    assert uses("enrol", ENROLLING, "publish", topics.enrol("pump-3"))
    assert uses("enrol", ENROLLING, "subscribe", topics.enrol_result("pump-3"))
    assert not uses("enrol", ENROLLING, "subscribe", topics.enrol("pump-3"))
    assert not uses("enrol", ENROLLING, "subscribe", BLOCK)
    assert not uses("enrol", ENROLLING, "publish", topics.td("pump-3"))


def test_reading_and_writing_at_once_needs_both(pump) -> None:
    fields = {"username": "pump-1", "clientid": "pump-1", "topic": topics.td("pump-1")}
    assert ask("http/authorize", acc=2, **fields).status_code == 200
    assert ask("http/authorize", acc=3, **fields).status_code == 403


def test_nobody_stands_above_the_rules(db) -> None:
    assert ask("http/superuser", form=True, username="gateway").status_code == 403


@pytest.mark.parametrize("secret", ["", "wrong", "bréker"])
def test_only_the_broker_is_answered(pump, secret) -> None:
    fields = {"username": "pump-1", "clientid": "pump-1", "password": SECRET}
    for what in ("emqx/authenticate", "http/authenticate"):
        answer = ask(what, secret=secret, **fields)
        assert answer.status_code == 401
        assert answer["Content-Type"] == "application/problem+json"
    assert Client().get("/broker/emqx/authenticate").status_code == 405


@pytest.mark.parametrize(
    ("what", "fields", "said"),
    [
        ("authenticate", {"clientid": "a", "password": "b"}, "username"),
        ("authenticate", {"username": "a", "clientid": 7, "password": "b"}, "clientid"),
        ("authenticate", {"username": "a", "clientid": "a"}, "password"),
        ("authorize", {"username": "a", "clientid": "a", "action": "all", "topic": "t"}, "action"),
        ("authorize", {"username": "a", "clientid": "a", "acc": 9, "topic": "t"}, "acc"),
        ("authorize", {"username": "a", "clientid": "a", "action": "publish"}, "topic"),
        ("authenticate", {"username": "x" * 9000, "clientid": "a", "password": ""}, "8192"),
    ],
)
def test_a_question_that_cannot_be_read_is_answered_no(db, what, fields, said) -> None:
    answer = ask(f"emqx/{what}", **fields)
    assert answer.status_code == 200
    assert answer.json()["result"] == "deny"
    assert said in answer.json()["reason"]
    by_status = ask(f"http/{what}", **fields)
    assert by_status.status_code == 400
    assert said in by_status.content.decode()


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b"null"])
def test_a_body_that_is_no_object_is_answered_no(db, body) -> None:
    headers = {"Authorization": f"Bearer {broker_secret()}"}
    answer = Client().post(
        "/broker/emqx/authorize", body, content_type="application/json", headers=headers
    )
    assert answer.json()["result"] == "deny"
