"""Each quota of delivery is exceeded once, through the edge that a stranger would use.

docs/operations.md has the table of them; tests/architecture holds that each has its test here.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from orchestrator.gateways.mqtt import Delivery
from orchestrator.models import Deployment, DroppedMessage, Rollout, Telemetry
from orchestrator.protocol import encoding, topics
from orchestrator.protocol.messages import Report, ResultCode, TelemetryPack
from orchestrator.protocol.senml import encode_telemetry
from orchestrator.services import mqtt_gateway, retained, rollouts
from orchestrator.services.inbox import Arrival, take
from orchestrator.services.message_rates import MessageRates
from registry.models import Artifact, Device, DeviceStatus
from tests.orchestrator.members import NOW, Identity, later, member
from tests.orchestrator.rollout_world import (
    SNUG,
    Status,
    fail,
    install,
    make_devices,
    make_release,
    make_rollout,
    sign_pending,
    started,
)
from tests.orchestrator.small_networks import small_network

pytestmark = pytest.mark.django_db

ROLLOUTS = "/api/v1/rollouts/"


@pytest.fixture
def operator() -> APIClient:
    client = APIClient()
    client.force_authenticate(User.objects.create_superuser("operator"))
    return client


def dropped() -> dict[tuple[str, str], int]:
    rows = DroppedMessage.objects.values_list("reason", "topic", "count")
    return {(reason, kind): count for reason, kind, count in rows}


class Link:
    """The gateway's side of a broker: hands over what it is given, keeps what comes back."""

    epoch = 0

    def __init__(self) -> None:
        self.waiting: list[Delivery] = []
        self.acknowledged: list[int] = []
        self.published: list[tuple[str, bytes]] = []

    def send(self, *messages: tuple[str, bytes]) -> None:
        for topic, payload in messages:
            self.waiting.append(Delivery(topic, payload, False, len(self.waiting), 1, 1))

    def take(self, limit: int, wait_s: float, gather_s: float) -> list[Delivery]:
        batch, self.waiting = self.waiting[:limit], self.waiting[limit:]
        return batch

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        self.acknowledged += [delivery.identifier for delivery in deliveries]

    def settle(self, timeout_s: float) -> bool:
        return True

    def publish(self, topic: str, payload: bytes, retain: bool) -> None:
        self.published.append((topic, payload))


@pytest.fixture
def link() -> Link:
    return Link()


@pytest.fixture
def serve(link, installation, monkeypatch):
    """Has the gateway take all that waits, at a moment."""
    clock = [NOW]
    monkeypatch.setattr(mqtt_gateway, "broker_link", lambda: link)
    gateway = mqtt_gateway.build_gateway(lambda: clock[0])

    def all_at(now: datetime) -> None:
        clock[0] = now
        while link.waiting:
            gateway.step()

    return all_at


def packs(device: str, sequences: Sequence[int]) -> list[tuple[str, bytes]]:
    return [
        (topics.telemetry(device), encode_telemetry(device, TelemetryPack(boot=1, sequence=n)))
        for n in sequences
    ]


def acked(link: Link, device: str) -> int:
    said = [payload for topic, payload in link.published if topic == topics.acked(device)]
    return encoding.decode_acknowledgement(said[-1]).sequence


def test_mqtt_messages_burst_what_exceeds_it_is_dropped_and_comes_again(
    link, serve, settings
) -> None:
    """A device floods: another is not disturbed, and what was dropped is kept at its repetition."""
    settings.MQTT_MESSAGES_BURST, settings.MQTT_MESSAGES_PER_S = 10, 2.0
    member("pump-1")
    member("pump-2")
    link.send(*packs("pump-1", range(1, 31)), *packs("pump-2", range(1, 11)))
    serve(NOW)
    assert dropped() == {("rate", "telemetry"): 20}
    assert (acked(link, "pump-1"), acked(link, "pump-2")) == (10, 10)
    assert len(link.acknowledged) == 40, "the broker would send them again for ever"
    for round_ in range(1, 3):  # what is not acknowledged a device says again, when 20 s have gone
        unheard = range(acked(link, "pump-1") + 1, 31)
        link.send(*packs("pump-1", unheard))
        serve(later(20 * round_))
    assert acked(link, "pump-1") == 30
    assert Telemetry.objects.filter(device__device_id="pump-1").count() == 30


def test_mqtt_messages_per_s_holds_in_the_long_run(link, serve, settings) -> None:
    settings.MQTT_MESSAGES_BURST, settings.MQTT_MESSAGES_PER_S = 4, 2.0
    member("pump-1")
    for second in range(10):
        link.send(*packs("pump-1", range(10 * second + 1, 10 * second + 11)))
        serve(later(second))
    assert Telemetry.objects.count() == 4 + 9 * 2
    assert dropped() == {("rate", "telemetry"): 100 - 22}
    assert "more than 2 a second" in DroppedMessage.objects.get().last_detail


def test_a_flood_in_anothers_name_does_not_silence_a_member(settings) -> None:
    """Whoever has the shared account may enrol in any name; a device's own topics count apart."""
    settings.MQTT_MESSAGES_BURST = 1
    rates = MessageRates()
    assert [rates.admits(topics.enrol("pump-1"), NOW) for _ in range(3)] == [True, False, False]
    assert rates.admits(topics.state("pump-1"), NOW)


def test_senders_that_have_gone_quiet_are_forgotten(settings) -> None:
    rates = MessageRates()
    for number in range(50):
        rates.admits(topics.state(f"pump-{number}"), NOW)
    assert len(rates) == 50
    rates.admits(topics.state("pump-0"), later(3600))
    assert len(rates) == 1


def test_mqtt_max_message_bytes_a_larger_message_is_dropped(settings) -> None:
    settings.MQTT_MAX_MESSAGE_BYTES = 1000
    member("pump-1")
    size = [999 + extra for extra in (1, 2)]
    take([Arrival(topics.state("pump-1"), b" " * each) for each in size], NOW)
    assert dropped() == {("malformed", "state"): 1, ("oversized", "state"): 1}


def test_description_max_bytes_a_longer_description_is_dropped(settings) -> None:
    settings.DESCRIPTION_MAX_BYTES = 100
    member("pump-1")
    take([Arrival(topics.td("pump-1"), b'{"title": "' + b"x" * 100 + b'"}')], NOW)
    assert dropped() == {("description", "td"): 1}
    assert "100" in DroppedMessage.objects.get().last_detail


def test_pending_devices_max_one_more_is_turned_away(settings) -> None:
    settings.PENDING_DEVICES_MAX = 2
    sent = [Identity(f"pump-{number}").enrolment() for number in range(3)]
    arrivals = [Arrival(topics.enrol(e.device_id), encoding.encode_enrolment(e)) for e in sent]
    answers = [encoding.decode_enrolment_result(out.payload) for out in take(arrivals, NOW)]
    assert [answer.answer.value for answer in answers] == ["pending", "pending", "rejected"]
    assert answers[2].reason
    assert Device.objects.filter(status=DeviceStatus.PENDING).count() == 2


def test_artifact_max_bytes_a_larger_file_does_not_come_in(operator, settings) -> None:
    data = small_network(8, 4)
    settings.ARTIFACT_MAX_BYTES = len(data) - 1
    said = {"model": "digits", "name": "int8", "input": "none"}
    file = SimpleUploadedFile("model.tflite", data)
    answer = operator.post("/api/v1/variants/", {**said, "file": file}, format="multipart")
    assert answer.status_code == 413
    assert f"{len(data) - 1} allowed" in str(answer.data["file"])
    assert not Artifact.objects.exists()


def test_whole_file_block_max_bytes_a_larger_artifact_travels_in_blocks(settings) -> None:
    make_devices(1)
    started()
    (sent,) = sign_pending()
    sizes = {int(item.name.split()[0].rpartition("/")[2]) for item in blocks()}
    assert sizes == {0, 10, 12}
    settings.WHOLE_FILE_BLOCK_MAX_BYTES = sent.variant.delivered.size_bytes - 1
    assert {int(i.name.split()[0].rpartition("/")[2]) for i in blocks()} == {10, 12}


def test_retained_max_bytes_an_artifact_waits_until_there_is_room(settings) -> None:
    make_devices(1)
    make_devices(1, SNUG)
    release = make_release()
    sizes = [variant.delivered.size_bytes for variant in release.variants.all()]
    settings.RETAINED_MAX_BYTES = 3 * sum(sizes) - 1  # each in three block sizes
    started(release)
    (first,) = sign_pending()
    assert not sign_pending()
    assert held_bytes() <= settings.RETAINED_MAX_BYTES
    install([first])
    (second,) = sign_pending()
    assert second.variant != first.variant
    assert 0 < held_bytes() <= settings.RETAINED_MAX_BYTES


def test_open_deployments_max_a_rollout_over_it_is_refused_before_anything_is_sent(
    operator, settings
) -> None:
    make_devices(3)
    make_release()
    settings.OPEN_DEPLOYMENTS_MAX = 2
    order = {"name": "spring", "release": "digits/1", "target": {"all": True}}
    answer = operator.post(ROLLOUTS, order, format="json")
    assert answer.status_code == 400
    assert "TINYFLEET_OPEN_DEPLOYMENTS_MAX" in str(answer.data)
    assert not Rollout.objects.exists() and not Deployment.objects.exists()
    two = {"devices": ["roomy-000", "roomy-001"]}
    assert operator.post(ROLLOUTS, {**order, "target": two}, format="json").status_code == 201


def test_open_deployments_max_is_looked_at_again_when_a_rollout_starts(settings) -> None:
    make_devices(3)
    release = make_release()
    settings.OPEN_DEPLOYMENTS_MAX = 2
    drafts = [
        make_rollout(release, name=name, target={"devices": devices})
        for name, devices in (("a", ["roomy-000", "roomy-001"]), ("b", ["roomy-001", "roomy-002"]))
    ]
    rollouts.start_rollout(drafts[0], NOW)
    with pytest.raises(rollouts.RolloutError, match="2 deployments beside 1 that are open"):
        rollouts.start_rollout(drafts[1], NOW)
    drafts[1].refresh_from_db()
    assert drafts[1].status == "draft"
    assert Deployment.objects.count() == 2
    rollouts.abort(drafts[0], NOW)
    assert rollouts.start_rollout(drafts[1], NOW).status == "running"


def test_open_deployments_max_holds_for_retries_and_never_for_the_way_back(settings) -> None:
    make_devices(2)
    first = started(make_release())
    install(sign_pending())
    rollouts.tick(NOW)
    second = started(make_release(seed=2), revert_on_failure=True, error_threshold=0.0)
    one, other = sign_pending()
    install([one])
    settings.OPEN_DEPLOYMENTS_MAX = 0
    fail([other])
    rollouts.tick(NOW)
    assert Deployment.objects.filter(purpose="revert", is_open=True).count() == 1
    with pytest.raises(rollouts.RolloutError, match="0 are allowed"):
        rollouts.retry_failed(second, NOW)
    assert first.pk != second.pk


def test_reports_per_deployment_max_only_outcomes_count_beyond_it(settings) -> None:
    settings.REPORTS_PER_DEPLOYMENT_MAX = 3
    make_devices(2)
    started()
    talkative, other = sign_pending()

    def say(deployment: Deployment, *progress: float, status: Status = Status.DOWNLOADING) -> None:
        words = [
            Report(deployment.pk, status, ResultCode.OK, 1, deployment.sequence, fraction)
            for fraction in progress
        ]
        topic = topics.report(deployment.device.device_id)
        take([Arrival(topic, encoding.encode_report(word)) for word in words], NOW)
        deployment.refresh_from_db()

    say(talkative, 0.1, 0.2, 0.3, 0.4, 0.5)
    assert (talkative.progress, talkative.reports) == (0.3, 3)
    say(talkative, 0.6)
    say(talkative, 0.0, status=Status.VERIFYING)
    assert (talkative.status, talkative.progress) == ("downloading", 0.3)
    assert dropped() == {("reports", "report"): 4}
    assert str(talkative.pk) in DroppedMessage.objects.get().last_detail
    say(other, 0.7)
    assert other.progress == 0.7, "a quota of each deployment's own"
    say(talkative, 1.0, 1.0, status=Status.INSTALLED)
    assert (talkative.status, talkative.reports) == ("installed", 3)
    assert dropped() == {("reports", "report"): 5}, "the second time it is no news"


def test_rollout_waves_max_more_waves_are_refused(operator, settings) -> None:
    settings.ROLLOUT_WAVES_MAX = 2
    make_devices(3)
    make_release()
    order = {"name": "spring", "release": "digits/1", "target": {"all": True}}
    answer = operator.post(ROLLOUTS, {**order, "wave_percentages": [10, 50, 100]}, format="json")
    assert answer.status_code == 400
    assert "TINYFLEET_ROLLOUT_WAVES_MAX" in str(answer.data)
    assert not Rollout.objects.exists()


def blocks() -> list[retained.Retained]:
    return [item for item in retained.wanted() if " " in item.name]


def held_bytes() -> int:
    return sum(int(item.name.split()[1]) for item in blocks())
