"""A fresh device asks to join, waits for the answer, and signs in as itself ever after."""

from __future__ import annotations

from pathlib import Path

import pytest

from device_firmware_sim.device import Device
from orchestrator.protocol import topics
from orchestrator.protocol.encoding import (
    check_verifier,
    decode_enrolment,
    decode_online,
    encode_enrolment_result,
    verify_enrolment,
)
from orchestrator.protocol.messages import EnrolmentAnswer, EnrolmentResult
from tests.device.bench import Bench
from tests.device.peer import Peer


@pytest.fixture
def bench(tmp_path: Path, peer: Peer) -> Bench:
    return Bench(tmp_path, "esp32dev", peer.keys, enrol_password="door")


def fresh(bench: Bench) -> Device:
    device = bench.power_on()
    bench.connect()
    return device


def answer(bench: Bench, said: EnrolmentAnswer, reason: str = "") -> None:
    payload = encode_enrolment_result(EnrolmentResult(said, reason))
    bench.send(topics.enrol_result(bench.device_id), payload)


def requests(bench: Bench) -> list[bytes]:
    return bench.payloads(topics.enrol(bench.device_id))


def test_a_fresh_device_asks_through_the_shared_account(bench: Bench):
    device = fresh(bench)
    account = device.account()
    assert (account.client_id, account.username, account.password) == (
        f"enrol-{bench.device_id}",
        "enrol",
        "door",
    )
    assert account.will is None
    assert [p.topic for p in bench.published] == [topics.enrol(bench.device_id)]


def test_it_proves_its_key_and_keeps_its_secret(bench: Bench):
    device = fresh(bench)
    asked = decode_enrolment(bench.device_id, requests(bench)[0])
    assert verify_enrolment(asked) and asked.token == "t"
    answer(bench, EnrolmentAnswer.ACCEPTED)
    secret = device.account().password
    assert check_verifier(secret, asked.verifier)
    assert secret.encode() not in b"".join(p.payload for p in bench.published)


def test_an_accepted_device_signs_in_as_itself_and_says_what_it_is(bench: Bench):
    device = fresh(bench)
    answer(bench, EnrolmentAnswer.ACCEPTED)
    account = device.account()
    assert (account.client_id, account.username) == (bench.device_id, bench.device_id)
    assert account.will is not None and account.will.retain
    assert decode_online(account.will.payload).online is False
    retained = {p.topic for p in bench.published if p.retain}
    assert retained == {
        topic(bench.device_id) for topic in (topics.td, topics.online, topics.state)
    }


def test_membership_survives_a_reboot(bench: Bench):
    fresh(bench)
    answer(bench, EnrolmentAnswer.ACCEPTED)
    before = bench.device.account().password
    device = bench.power_on()
    assert device.is_member and device.account().password == before


def test_a_pending_device_waits_and_asks_again_with_the_same_key(bench: Bench):
    fresh(bench)
    answer(bench, EnrolmentAnswer.PENDING)
    bench.pass_time(100)
    asked = [decode_enrolment(bench.device_id, payload) for payload in requests(bench)]
    assert 2 < len(asked) < 10
    assert len({each.public_key for each in asked}) == 1
    answer(bench, EnrolmentAnswer.ACCEPTED)
    assert bench.device.is_member


def test_a_rejected_device_stays_outside_and_does_not_nag(bench: Bench):
    fresh(bench)
    answer(bench, EnrolmentAnswer.REJECTED, "token is used up")
    bench.pass_time(290)
    assert len(requests(bench)) == 1
    assert not bench.device.is_member


def test_an_answer_that_is_none_changes_nothing(bench: Bench):
    fresh(bench)
    bench.send(topics.enrol_result(bench.device_id), b"{")
    assert not bench.device.is_member


def test_a_member_that_the_broker_keeps_refusing_asks_to_join_again(bench: Bench):
    device = fresh(bench)
    answer(bench, EnrolmentAnswer.ACCEPTED)
    secret = device.account().password
    for _ in range(8):
        assert device.account().username == bench.device_id
        device.refused()
    assert device.account().username == "enrol"
    bench.connect()
    answer(bench, EnrolmentAnswer.ACCEPTED)
    assert device.account().password == secret


def test_a_member_that_is_no_longer_wanted_goes_on_trying_its_own_account(bench: Bench):
    device = fresh(bench)
    answer(bench, EnrolmentAnswer.ACCEPTED)
    for _ in range(8):
        device.refused()
    bench.connect()
    answer(bench, EnrolmentAnswer.REJECTED, "revoked")
    assert device.account().username == bench.device_id
