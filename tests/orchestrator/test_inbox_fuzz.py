"""Whatever devices send, the gateway's service takes it or counts it, and keeps the good beside it.

TINYFLEET_FUZZ_EXAMPLES sets how many examples `make test` tries; `make soak` tries many more.
"""

from __future__ import annotations

import json
import os

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.models import DroppedMessage, Telemetry
from orchestrator.protocol import encoding, topics
from orchestrator.protocol.messages import TelemetryPack
from orchestrator.protocol.senml import encode_telemetry
from orchestrator.services.inbox import Arrival, take
from registry.models import BoardType
from tests.contract.make_vectors import FOLDER, SECRET
from tests.contract.samples import DEVICE_KEY
from tests.contract.test_fuzz import cbor_values, damaged, json_values
from tests.orchestrator.members import NOW, member

EXAMPLES = int(os.environ.get("TINYFLEET_FUZZ_EXAMPLES", "60"))
MANY = 400
SENDER, BESIDE, NEW = "pilot-07", "pump-1", "new-1"
ENROLMENT = encoding.sign_enrolment(
    DEVICE_KEY, NEW, "no token", encoding.make_verifier(SECRET, b"twelve bytes")
)
TD = {
    "@context": [
        "https://www.w3.org/2022/wot/td/v1.1",
        {"tf": "https://w3id.org/tinyfleet/ontology#"},
    ],
    "title": "Pilot 7",
    "securityDefinitions": {"basic": {"scheme": "basic"}},
    "security": "basic",
    "tf:board": "esp32-s3-devkitc-1",
    "tf:firmware": {"tf:name": "pilot", "tf:version": "1.0.0"},
    "tf:capacity": {
        "tf:arenaBudgetBytes": 49152,
        "tf:slotBytes": 65536,
        "tf:runtime": {"tf:name": "tflite-micro", "tf:version": "2", "tf:kernels": "reference"},
        "tf:operators": {"FULLY_CONNECTED": 4},
        "tf:dtypes": ["int8"],
        "tf:sensors": [],
    },
}
GOOD: dict[str, list[bytes]] = {
    topics.td(SENDER): [json.dumps(TD).encode()],
    topics.online(SENDER): [(FOLDER / "online.json").read_bytes()],
    topics.state(SENDER): [(FOLDER / "state.json").read_bytes()],
    topics.report(SENDER): [(FOLDER / "report.json").read_bytes()],
    topics.telemetry(SENDER): [
        (FOLDER / "telemetry.json").read_bytes(),
        (FOLDER / "telemetry.cbor").read_bytes(),
    ],
    topics.learn_update(SENDER): [(FOLDER / "learn-update.cbor").read_bytes()],
    topics.enrol(NEW): [encoding.encode_enrolment(ENROLMENT)],
}
WITNESS = Arrival(
    topics.telemetry(BESIDE), encode_telemetry(BESIDE, TelemetryPack(boot=1, sequence=1, samples=5))
)

pytestmark = pytest.mark.django_db


def fuzz(examples: int) -> settings:
    quiet = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
    return settings(
        max_examples=examples, derandomize=True, deadline=None, suppress_health_check=quiet
    )


@pytest.fixture
def members() -> None:
    board = TD["tf:board"]
    BoardType.objects.create(slug=board, name="B", vendor="V", mcu="M", core="c", source="s")
    member(SENDER)
    member(BESIDE)


payloads = st.one_of(
    st.binary(max_size=300),
    json_values.map(lambda value: json.dumps(value).encode()),
    cbor_values.map(encoding.cbor.dumps),
)


def _messages(data: st.DataObject) -> list[Arrival]:
    """A batch of damaged and of arbitrary payloads on the topics of devices."""
    arrivals = []
    for topic in data.draw(st.lists(st.sampled_from(sorted(GOOD)), min_size=1, max_size=6)):
        good = data.draw(st.sampled_from(GOOD[topic]))
        payload = data.draw(damaged(good) | payloads)
        arrivals.append(Arrival(topic, payload, retained=data.draw(st.booleans())))
    return arrivals


def _take_and_forget(arrivals: list[Arrival]) -> None:
    with transaction.atomic():
        take([*arrivals, WITNESS], NOW)
        take([*arrivals, WITNESS], NOW)  # QoS 1: all of it may come again
        kept = Telemetry.objects.filter(device__device_id=BESIDE).count()
        transaction.set_rollback(True)
    assert kept == 1


def test_the_undamaged_ones_are_good(members):
    take([Arrival(topic, good) for topic, each in GOOD.items() for good in each], NOW)
    unread = DroppedMessage.objects.filter(reason__in=["malformed", "description"])
    assert list(unread.values_list("topic", "last_detail")) == []


@fuzz(EXAMPLES)
@given(data=st.data())
def test_damaged_messages_beside_a_good_one(members, data):
    _take_and_forget(_messages(data))


@pytest.mark.soak
@fuzz(MANY)
@given(data=st.data())
def test_many_damaged_messages_beside_a_good_one(members, data):
    _take_and_forget(_messages(data))
