"""Client certificates by the services' own doors: asked for, issued, renewed, withdrawn."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from orchestrator.gateways.certificates import CertificateClient, revoked_file
from orchestrator.models import AccessChange, DeviceCertificate
from orchestrator.protocol.certificates import (
    DEVICE_RENEWS_AFTER,
    SERVER_RENEWS_AFTER,
    is_issued_by,
    read_certificate,
)
from orchestrator.protocol.messages import EnrolmentAnswer, EnrolmentResult
from orchestrator.services import enrolment
from orchestrator.services.certificates import (
    LIST_IS_READ_AFTER_S,
    LOOK_EVERY_S,
    RETRY_S,
    Certificates,
    completed,
)
from registry.models import Device
from tests.orchestrator.authorities import LIMITS, LocalSigner
from tests.orchestrator.members import NOW, Identity, later

pytestmark = pytest.mark.django_db

LIFE = timedelta(seconds=LIMITS.certificate_lifetime_s)


class World:
    """An installation that issues certificates, and its clock."""

    def __init__(self, directory) -> None:
        self.signer = LocalSigner(directory / "signer", NOW)
        self.elapsed_s = 0.0
        self.restart()

    def restart(self) -> None:
        """The gateway's process begins anew."""
        client = CertificateClient(self.signer)
        self.certificates = Certificates(client, clock=lambda: self.elapsed_s)

    def join(self, identity: Identity, now=NOW) -> None:
        token = enrolment.issue_token(identity.device_id, now)
        self.ask(identity, token, now)

    def ask(self, identity: Identity, token: str, now=NOW) -> EnrolmentResult | None:
        result = enrolment.enrol(identity.enrolment(token), now)
        return completed(identity.device_id, result, now)

    def issued(self, now=NOW) -> dict[str, str]:
        """What the signer issues when it is next looked, by device id."""
        self.signer.now = now
        self.elapsed_s += LOOK_EVERY_S
        return {device: result.certificate for device, result in self.certificates.keep_up(now)}

    def withdrawn(self) -> set[int]:
        return {
            entry.serial_number for entry in x509.load_pem_x509_crl(revoked_file().read_bytes())
        }


@pytest.fixture
def world(installation, settings) -> World:
    settings.ISSUE_CERTIFICATES = True
    return World(installation)


@pytest.fixture
def pump() -> Identity:
    return Identity("pump-1")


def serial(pem: str) -> int:
    return read_certificate(pem).serial


def test_an_accepted_device_gets_a_certificate_of_its_key(world, pump) -> None:
    world.join(pump)
    pem = world.issued()["pump-1"]
    made = read_certificate(pem)
    assert (made.device_id, made.public_key) == ("pump-1", pump.enrolment().public_key)
    x509.load_pem_x509_certificate(pem.encode()).verify_directly_issued_by(
        world.signer.authority.certificate
    )


def test_an_installation_without_tls_answers_at_once_and_without_one(world, pump, settings) -> None:
    settings.ISSUE_CERTIFICATES = False
    token = enrolment.issue_token("pump-1", NOW)
    assert world.ask(pump, token) == EnrolmentResult(EnrolmentAnswer.ACCEPTED)
    assert world.issued() == {}
    assert not DeviceCertificate.objects.exists()


def test_who_is_not_accepted_gets_none(world, pump) -> None:
    assert world.ask(pump, "none").answer is EnrolmentAnswer.PENDING
    assert world.issued() == {}


def test_the_same_enrolment_gets_the_same_certificate(world, pump) -> None:
    token = enrolment.issue_token("pump-1", NOW)
    assert world.ask(pump, token) is None
    assert world.ask(pump, token) is None
    pem = world.issued()["pump-1"]
    assert world.issued() == {}
    assert world.ask(pump, token, later(60)).certificate == pem
    assert world.signer.asked.count("issue_certificate") == 1


def test_a_key_that_is_a_members_renews_without_a_token(world, pump) -> None:
    """From half of the life on; a device asks at two thirds of it."""
    world.join(pump)
    first = world.issued()["pump-1"]
    just_before = NOW + LIFE * (SERVER_RENEWS_AFTER - 0.01)
    assert world.ask(pump, "no token", just_before).certificate == first
    due = NOW + LIFE * DEVICE_RENEWS_AFTER
    assert world.ask(pump, "no token", due) is None
    second = world.issued(due)["pump-1"]
    assert read_certificate(second).ends == due + LIFE
    assert world.withdrawn() == set(), "both are good until they end"


def test_a_device_whose_certificate_has_ended_gets_another(world, pump) -> None:
    world.join(pump)
    first = world.issued()["pump-1"]
    long_after = NOW + 3 * LIFE
    assert world.ask(pump, "no token", long_after) is None
    assert serial(world.issued(long_after)["pump-1"]) != serial(first)
    assert DeviceCertificate.objects.count() == 1, "what has ended is forgotten"


def test_revocation_withdraws_every_certificate_of_a_device(world, pump) -> None:
    world.join(pump)
    first = world.issued()["pump-1"]
    due = NOW + LIFE * DEVICE_RENEWS_AFTER
    world.ask(pump, "no token", due)
    second = world.issued(due)["pump-1"]
    enrolment.revoke(Device.objects.get(), due)
    world.issued(due)
    assert world.withdrawn() == {serial(first), serial(second)}
    assert world.ask(pump, "no token", due).answer is EnrolmentAnswer.REJECTED
    world.issued(NOW + LIFE)
    assert world.withdrawn() == {serial(second)}, "one that has ended needs no list"


def test_a_new_key_withdraws_the_old_ones_certificate(world, pump) -> None:
    world.join(pump)
    old = world.issued()["pump-1"]
    successor = Identity("pump-1")
    world.join(successor)
    new = world.issued()["pump-1"]
    world.issued()
    assert world.withdrawn() == {serial(old)}
    assert read_certificate(new).public_key == successor.enrolment().public_key


def test_a_device_that_was_deleted_is_shut_out(world, pump) -> None:
    world.join(pump)
    pem = world.issued()["pump-1"]
    Device.objects.all().delete()
    world.issued()
    assert world.withdrawn() == {serial(pem)}


def test_a_device_that_comes_back_with_its_key_is_let_in_again(world, pump) -> None:
    world.join(pump)
    pem = world.issued()["pump-1"]
    enrolment.revoke(Device.objects.get(), NOW)
    world.issued()
    world.join(pump)
    world.issued()
    assert world.withdrawn() == set()
    assert world.ask(pump, "again").certificate == pem


def test_what_is_asked_for_waits_while_the_signer_is_away(world, pump) -> None:
    world.join(pump)
    world.signer.is_away = True
    assert world.issued() == {}
    world.signer.is_away = False
    assert world.issued() == {}, "not at once"
    world.elapsed_s += RETRY_S
    assert set(world.issued()) == {"pump-1"}


def test_a_revocation_waits_while_the_signer_is_away(world, pump) -> None:
    world.join(pump)
    pem = world.issued()["pump-1"]
    world.signer.is_away = True
    enrolment.revoke(Device.objects.get(), NOW)
    world.issued()
    world.restart()
    world.signer.is_away = False
    world.issued()
    assert world.withdrawn() == {serial(pem)}


def test_the_list_is_written_only_when_it_changes(world, pump) -> None:
    world.issued()
    world.issued()
    assert world.signer.asked.count("revocation_list") == 1
    world.restart()
    world.issued()
    assert world.signer.asked.count("revocation_list") == 2, "the file may be another state's"


def test_a_request_of_a_key_that_was_replaced_is_not_carried_out(world, pump) -> None:
    world.join(pump)
    successor = Identity("pump-1")
    world.join(successor)
    pem = world.issued()["pump-1"]
    assert read_certificate(pem).public_key == successor.enrolment().public_key
    assert DeviceCertificate.objects.count() == 1


def test_a_refused_certificate_costs_the_others_nothing(world, pump, monkeypatch) -> None:
    world.join(pump)
    world.join(Identity("pump-2"))
    row = DeviceCertificate.objects.first()
    # As a database would say that somebody has written to.
    Device.objects.filter(pk=row.device_id).update(device_id="gateway")
    assert set(world.issued()) == {"pump-2"}
    assert DeviceCertificate.objects.count() == 1


def test_an_identity_is_told_from_another_by_its_key(world, pump) -> None:
    """A stranger who says the member's very words with a key of its own gets nothing."""
    world.join(pump)
    world.issued()
    stranger = dataclasses.replace(Identity("pump-1").enrolment("x"), device_id="pump-1")
    result = completed("pump-1", enrolment.enrol(stranger, NOW), NOW)
    assert (result.answer, result.certificate) == (EnrolmentAnswer.PENDING, "")


def test_a_list_that_is_refused_is_asked_for_again(world, pump, monkeypatch) -> None:
    world.join(pump)
    pem = world.issued()["pump-1"]
    enrolment.revoke(Device.objects.get(), NOW)
    monkeypatch.setattr(world.signer, "refuses", {"revocation_list"})
    world.issued()
    monkeypatch.undo()
    world.elapsed_s += RETRY_S
    world.issued()
    assert world.withdrawn() == {serial(pem)}


def cuts() -> list[str]:
    return [change.device_id for change in AccessChange.objects.filter(rekeys=True, admits=False)]


def test_whoever_came_in_before_the_broker_had_read_the_list_is_cut_off_once(world, pump) -> None:
    world.join(pump)
    world.issued()
    enrolment.revoke(Device.objects.get(), NOW)
    AccessChange.objects.all().delete()
    world.issued()
    assert cuts() == []
    world.issued(later(LIST_IS_READ_AFTER_S))
    assert cuts() == ["pump-1"]
    world.issued(later(2 * LIST_IS_READ_AFTER_S))
    assert cuts() == ["pump-1"]


def test_a_device_that_was_deleted_is_cut_off_too(world, pump) -> None:
    world.join(pump)
    world.issued()
    Device.objects.all().delete()
    AccessChange.objects.all().delete()
    world.issued()
    world.issued(later(LIST_IS_READ_AFTER_S))
    assert cuts() == ["pump-1"]


def test_all_are_compared_once_a_second(world, pump, django_assert_num_queries) -> None:
    """In between only what is asked for is looked up."""
    world.join(pump)
    world.issued()
    with django_assert_num_queries(1):
        assert world.certificates.keep_up(NOW) == []


def test_another_authority_issues_anew_at_once(world, pump, settings, tmp_path) -> None:
    """As after the authority's key was lost: the same enrolment with the same key is enough."""
    world.join(pump)
    (first,) = world.issued().values()
    assert world.ask(pump, "").certificate == first
    world.signer = LocalSigner(tmp_path / "another", NOW)
    world.restart()
    public = world.signer.authority.certificate.public_bytes(serialization.Encoding.PEM)
    settings.AUTHORITY_FILE = tmp_path / "authority.pem"
    settings.AUTHORITY_FILE.write_bytes(public)
    assert world.ask(pump, "") is None, "another one is asked for"
    (second,) = world.issued().values()
    assert is_issued_by(second, public) and not is_issued_by(first, public)
    assert world.ask(pump, "").certificate == second
