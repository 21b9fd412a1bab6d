"""Bad messages are counted and left out; good ones beside them are not disturbed."""

from __future__ import annotations

import json

import pytest
from django.db import InternalError, OperationalError, connection

from orchestrator.models import DeviceShadow, DroppedMessage, Telemetry
from orchestrator.protocol import encoding, topics
from orchestrator.protocol.messages import DeploymentStatus as Status
from orchestrator.protocol.messages import Online, Report, ResultCode, State, TelemetryPack
from orchestrator.protocol.senml import encode_telemetry
from orchestrator.services import traffic_drops
from orchestrator.services.inbox import Arrival, Outgoing, take
from orchestrator.services.traffic_drops import Drop, DropReason
from registry.models import Device, DeviceStatus
from tests.orchestrator.members import NOW, later, member

pytestmark = pytest.mark.django_db

PACK = encode_telemetry("pump-1", TelemetryPack(boot=1, sequence=1, samples=5))
GOOD = Arrival(topics.telemetry("pump-1"), PACK)
STATE = encoding.encode_state(State(None, None, 0, 1))


def counts() -> dict[tuple[str, str], int]:
    rows = DroppedMessage.objects.values_list("reason", "topic", "count")
    return {(reason, kind): count for reason, kind, count in rows}


@pytest.mark.parametrize(
    ("topic", "payload", "reason", "kind"),
    [
        (topics.state("pump-1"), b"{", "malformed", "state"),
        (topics.state("pump-1"), b"\xff\xfe", "malformed", "state"),
        (topics.state("pump-1"), b'{"digest": 5}', "malformed", "state"),
        (topics.online("pump-1"), b"[]", "malformed", "online"),
        (topics.report("pump-1"), b"null", "malformed", "report"),
        (topics.report("pump-1"), b"", "malformed", "report"),
        (topics.telemetry("pump-1"), b"\x9f", "malformed", "telemetry"),
        (topics.telemetry("pump-1"), b"[" * 5000, "malformed", "telemetry"),
        (topics.learn_update("pump-1"), b"{}", "malformed", "learn_update"),
        (topics.enrol("pump-1"), b"hello", "malformed", "enrol"),
        (topics.td("pump-1"), b"no JSON", "description", "td"),
        (topics.td("pump-1"), b'{"title": "no TD"}', "description", "td"),
        (topics.state("pump-1"), b" " * 70_000, "oversized", "state"),
        (topics.td("pump-1"), b" " * 70_000, "oversized", "td"),
        (topics.state("pump-2"), STATE, "not_accepted", "state"),
        (topics.state("stranger"), STATE, "not_accepted", "state"),
        (topics.desired("pump-1"), b"x", "unknown_topic", "desired"),
        ("tinyfleet/v1/PUMP/state", STATE, "unknown_topic", "unknown"),
        ("tinyfleet/v1/enrol/a/b/c", b"x", "unknown_topic", "unknown"),
        ("tinyfleet/v2/pump-1/state", STATE, "unknown_topic", "unknown"),
        ("\x00", b"x", "unknown_topic", "unknown"),
        ("", b"x", "unknown_topic", "unknown"),
    ],
)
def test_a_bad_message_is_counted_and_the_good_ones_are_kept(topic, payload, reason, kind) -> None:
    member("pump-1")
    Device.objects.create(device_id="pump-2", status=DeviceStatus.REVOKED)
    bad = Arrival(topic, payload)
    take([bad, GOOD, bad], NOW)
    assert counts() == {(reason, kind): 2}
    assert Telemetry.objects.count() == 1
    row = DroppedMessage.objects.get()
    assert row.last_at == NOW
    assert row.last_detail


def test_a_pack_that_speaks_for_another_device_is_dropped() -> None:
    member("pump-1")
    member("pump-2")
    take([Arrival(topics.telemetry("pump-2"), PACK)], NOW)
    assert counts() == {("malformed", "telemetry"): 1}
    assert not Telemetry.objects.exists()


def test_what_a_former_device_left_in_the_broker_is_cleared() -> None:
    left = Arrival(topics.td("pump-9"), b"{}", retained=True)
    assert take([left], NOW) == [Outgoing(topics.td("pump-9"), b"", retain=True)]
    assert take([Arrival(topics.td("pump-9"), b"{}")], NOW) == []


def test_a_clearing_message_is_no_message() -> None:
    member("pump-1")
    topic = [topics.td("pump-1"), topics.online("pump-1"), topics.state("pump-9")]
    assert take([Arrival(each, b"") for each in topic], NOW) == []
    assert counts() == {}


def test_counters_add_up_and_keep_the_newest_example() -> None:
    for number in range(3):
        drop = Drop(DropReason.MALFORMED, "state", f"example {number}")
        traffic_drops.count_drop(drop, later(number))
    row = DroppedMessage.objects.get()
    assert (row.count, row.last_at, row.last_detail) == (3, later(2), "example 2")


def test_a_long_reason_is_cut() -> None:
    traffic_drops.count_drop(Drop(DropReason.FAILED, "td", "x" * 5000), NOW)
    assert len(DroppedMessage.objects.get().last_detail) == 300


REFUSING = {
    "sqlite": [
        "CREATE TRIGGER refuse BEFORE INSERT ON orchestrator_telemetry WHEN NEW.sequence = 2 "
        "BEGIN SELECT RAISE(ABORT, 'refused'); END"
    ],
    "postgresql": [
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = 'check_violation'; END $$",
        "CREATE TRIGGER refuse BEFORE INSERT ON orchestrator_telemetry FOR EACH ROW "
        "WHEN (NEW.sequence = 2) EXECUTE FUNCTION refuse()",
    ],
}
READ_ONLY = {
    "sqlite": "PRAGMA query_only = {}",
    "postgresql": "SET default_transaction_read_only = {}",
}


def test_a_message_that_makes_its_service_fail_costs_no_other() -> None:
    """A row that the database refuses: its neighbours in the same statement are stored."""
    member("pump-1")
    with connection.cursor() as cursor:
        for statement in REFUSING[connection.vendor]:
            cursor.execute(statement)
    packs = [TelemetryPack(boot=1, sequence=n) for n in (1, 2, 3)]
    arrivals = [
        Arrival(topics.telemetry("pump-1"), encode_telemetry("pump-1", pack)) for pack in packs
    ]
    take([*arrivals, Arrival(topics.state("pump-1"), STATE)], NOW)
    assert sorted(Telemetry.objects.values_list("sequence", flat=True)) == [1, 3]
    assert counts() == {("failed", "telemetry"): 1}
    assert DeviceShadow.objects.get().boot == 1


@pytest.mark.django_db(transaction=True)
def test_a_failing_database_fails_the_whole_batch_and_a_second_try_keeps_it() -> None:
    member("pump-1")
    with connection.cursor() as cursor:
        cursor.execute(READ_ONLY[connection.vendor].format("ON"))
    with pytest.raises((OperationalError, InternalError)):
        take([GOOD], NOW)
    with connection.cursor() as cursor:
        cursor.execute(READ_ONLY[connection.vendor].format("OFF"))
    assert not Telemetry.objects.exists()
    take([GOOD], NOW)
    assert Telemetry.objects.count() == 1


def test_presence_and_state_are_levels_and_older_boots_are_ignored() -> None:
    member("pump-1")
    digest = "ab" * 32

    def say(*words) -> DeviceShadow:
        kinds = {Online: (topics.online, encoding.encode_online)}
        kinds[State] = (topics.state, encoding.encode_state)
        arrivals = []
        for word in words:
            topic, encode = kinds[type(word)]
            arrivals.append(Arrival(topic("pump-1"), encode(word)))
        take(arrivals, NOW)
        return DeviceShadow.objects.get()

    assert say(Online(True, 4)).online
    assert say(Online(False, 3)).online, "the will of an older boot"
    assert say(Online(True, 3), Online(False, 2)).boot == 4
    assert not say(Online(False, 4)).online
    shadow = say(State(digest, 1, 7, 5))
    assert (shadow.digest, shadow.slot, shadow.sequence, shadow.boot) == (digest, 1, 7, 5)
    shadow = say(State(None, None, 3, 4))
    assert (shadow.digest, shadow.boot) == (digest, 5)
    assert shadow.last_seen_at == NOW


def test_a_report_about_no_deployment_changes_nothing() -> None:
    member("pump-1")
    report = Report(None, Status.REJECTED, ResultCode.MALFORMED, boot=1)
    take([Arrival(topics.report("pump-1"), encoding.encode_report(report))], NOW)
    assert counts() == {}


def test_telemetry_is_acknowledged_in_a_retained_message() -> None:
    member("pump-1")
    (outgoing,) = take([GOOD], NOW)
    assert (outgoing.topic, outgoing.retain) == (topics.acked("pump-1"), True)
    assert json.loads(outgoing.payload) == {"boot": 1, "sequence": 1}
