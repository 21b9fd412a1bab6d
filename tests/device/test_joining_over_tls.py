"""How a device joins, renews and doubts where it signs in with a certificate; time is given."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from deploy import authority
from device_firmware_sim.actions import Publish, Reconnect
from device_firmware_sim.flash import Flash
from device_firmware_sim.joining import (
    ASK_AGAIN_AFTER_S,
    MISSES_BEFORE_WORKING_ON,
    REFUSALS_BEFORE_ASKING,
    RENEW_AGAIN_AFTER_S,
    RENEWAL_PATIENCE_S,
    Joining,
)
from orchestrator.protocol.certificates import DEVICE_RENEWS_AFTER
from orchestrator.protocol.encoding import decode_enrolment, encode_enrolment_result, load_p256
from orchestrator.protocol.messages import EnrolmentAnswer, EnrolmentResult

START = datetime(2030, 1, 1, tzinfo=UTC)
NOW = START.timestamp()
LIFE = timedelta(days=90)
DEVICE = "pump-1"
WILL = Publish("will", b"")


class Board:
    """The joining of one device, and the authority that answers it."""

    def __init__(self, folder: Path) -> None:
        (folder / "authority").mkdir()
        self.flash = Flash(folder / "flash", 4096, 1024)
        self.authority = authority.load_or_make(folder / "authority", START)
        self.boot()

    def boot(self) -> None:
        self.joining = Joining(
            DEVICE, "token", self.flash.identity, "password", self.flash.credential
        )

    def asked(self, now: float) -> str:
        """It connects at the entrance; the key for which it asks."""
        assert self.joining.account(WILL).enrols
        _, said = self.joining.connected(now)
        return decode_enrolment(DEVICE, said.payload).public_key

    def certificate(self, public_key: str, now: float, device: str = DEVICE) -> str:
        issued_at = datetime.fromtimestamp(now, UTC)
        key = load_p256(public_key)
        return self.authority.client_certificate(device, key, issued_at, LIFE).decode()

    def answered(self, certificate: str, now: float) -> list:
        result = EnrolmentResult(EnrolmentAnswer.ACCEPTED, certificate=certificate)
        return self.joining.answer(encode_enrolment_result(result), now)

    def join(self, now: float = NOW) -> str:
        certificate = self.certificate(self.asked(now), now)
        assert self.answered(certificate, now) == [Reconnect()]
        return certificate

    @property
    def renewal_at(self) -> float:
        """When two thirds of the certificate's life are over."""
        begins = START - authority.BACKDATED
        return (begins + DEVICE_RENEWS_AFTER * (START + LIFE - begins)).timestamp()


@pytest.fixture
def board(tmp_path) -> Board:
    return Board(tmp_path)


def test_the_certificate_is_its_account_and_outlives_a_reboot(board) -> None:
    certificate = board.join()
    board.boot()
    account = board.joining.account(WILL)
    assert (account.client_id, account.username, account.password) == (DEVICE, "", "")
    assert not account.enrols
    assert account.credential.read_text().endswith(certificate)
    assert account.credential.stat().st_mode & 0o777 == 0o600


def test_a_lost_credential_file_is_written_again(board) -> None:
    board.join()
    before = board.joining.account(WILL).credential.read_bytes()
    board.flash.credential.unlink()
    assert board.joining.account(WILL).credential.read_bytes() == before


@pytest.mark.parametrize("wrong", ["none", "another's key", "another device", "no certificate"])
def test_an_acceptance_without_its_own_certificate_makes_no_member(board, wrong) -> None:
    public_key = board.asked(NOW)
    foreign = ec.generate_private_key(ec.SECP256R1()).public_key()
    given = {
        "none": "",
        "another's key": board.authority.client_certificate(DEVICE, foreign, START, LIFE).decode(),
        "another device": board.certificate(public_key, NOW, "pump-2"),
        "no certificate": "-----BEGIN CERTIFICATE-----",
    }[wrong]
    assert board.answered(given, NOW) == []
    assert not board.joining.is_member
    assert board.joining.due_at == NOW + ASK_AGAIN_AFTER_S


def test_it_renews_with_the_same_key_at_two_thirds_of_the_life(board) -> None:
    first = board.join()
    board.joining.connected(NOW)
    assert board.joining.due_at == pytest.approx(board.renewal_at)
    assert board.joining.tick(board.renewal_at - 1) == []
    assert board.joining.tick(board.renewal_at) == [Reconnect()]
    second = board.certificate(board.asked(board.renewal_at), board.renewal_at)
    assert board.answered(second, board.renewal_at) == [Reconnect()]
    credential = board.joining.account(WILL).credential.read_text()
    assert second in credential
    assert first not in credential
    board.joining.connected(board.renewal_at)
    assert board.joining.due_at > board.renewal_at + LIFE.total_seconds() / 2


def test_a_renewal_without_an_answer_leaves_it_at_work(board) -> None:
    board.join()
    board.joining.connected(NOW)
    now = board.renewal_at
    board.joining.tick(now)
    board.asked(now)
    while not board.joining.is_member:
        now = board.joining.due_at
        board.joining.tick(now)
    assert now - board.renewal_at <= 2 * RENEWAL_PATIENCE_S
    board.joining.connected(now)
    assert board.joining.due_at == now + RENEW_AGAIN_AFTER_S


def test_the_same_certificate_again_is_no_reason_to_ask_at_once(board) -> None:
    """The server's clock is behind: it does not see yet that a renewal is due."""
    first = board.join()
    board.joining.connected(NOW)
    board.joining.tick(board.renewal_at)
    board.asked(board.renewal_at)
    board.answered(first, board.renewal_at)
    board.joining.connected(board.renewal_at)
    assert board.joining.due_at == board.renewal_at + RENEW_AGAIN_AFTER_S


def test_handshakes_that_fail_lead_to_the_entrance_and_back(board) -> None:
    board.join()
    for _ in range(REFUSALS_BEFORE_ASKING):
        assert not board.joining.account(WILL).enrols
        board.joining.missed()
    for _ in range(MISSES_BEFORE_WORKING_ON):
        assert board.joining.account(WILL).enrols
        board.joining.missed()
    assert not board.joining.account(WILL).enrols


def test_one_that_never_joined_keeps_asking(board) -> None:
    for _ in range(3 * REFUSALS_BEFORE_ASKING):
        assert board.joining.account(WILL).enrols
        board.joining.missed()


def test_a_rejected_renewal_leaves_it_at_work(board) -> None:
    board.join()
    board.joining.connected(NOW)
    board.joining.tick(board.renewal_at)
    board.asked(board.renewal_at)
    rejected = EnrolmentResult(EnrolmentAnswer.REJECTED, "the device was revoked")
    said = board.joining.answer(encode_enrolment_result(rejected), board.renewal_at)
    assert said == [Reconnect()]
    assert board.joining.is_member
