"""The broker's certificate for boards: for which names, and when it is made anew."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from django.core.exceptions import ImproperlyConfigured

from deploy import boards, server_certificate
from orchestrator.gateways.certificates import CertificateClient, revoked_file
from registry.files import replace_whole
from tests.orchestrator.authorities import LIMITS, LocalSigner

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
LIFE = timedelta(seconds=LIMITS.certificate_lifetime_s)


@pytest.fixture
def bound(installation, settings):
    settings.BIND = "192.0.2.7"
    settings.TLS_NAMES = ["fleet.example"]
    settings.AUTHORITY_FILE = installation / "keys" / "authority.pem"
    return settings


@pytest.fixture
def signer(bound, installation) -> LocalSigner:
    return new_signer(bound, installation / "signer")


def new_signer(settings, directory) -> LocalSigner:
    """As `up` starts it: for the names of now, its certificate where boards' makers find it."""
    signer = LocalSigner(directory, NOW, tuple(server_certificate.server_names()))
    pem = signer.authority.certificate.public_bytes(serialization.Encoding.PEM)
    settings.AUTHORITY_FILE.parent.mkdir(parents=True, exist_ok=True)
    replace_whole(settings.AUTHORITY_FILE, pem)
    return signer


def kept(signer: LocalSigner, now: datetime = NOW) -> x509.Certificate:
    signer.now = now
    server_certificate.keep_certificate(CertificateClient(signer), now)
    return x509.load_pem_x509_certificate(server_certificate.certificate_file().read_bytes())


def names_in(certificate: x509.Certificate) -> set[str]:
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(name.value) for name in found}


def test_it_lists_the_address_and_every_name(signer) -> None:
    assert {"192.0.2.7", "fleet.example"} <= names_in(kept(signer))
    assert stat.S_IMODE(server_certificate.key_file().stat().st_mode) == 0o600


def test_it_stays_until_half_of_its_life_is_over(signer) -> None:
    first = kept(signer)
    assert kept(signer, NOW + 0.49 * LIFE) == first
    second = kept(signer, NOW + 0.51 * LIFE)
    assert second.not_valid_after_utc > first.not_valid_after_utc
    assert second.public_key() == first.public_key()


def test_another_name_takes_another_certificate(signer, bound, installation) -> None:
    first = kept(signer)
    bound.TLS_NAMES = ["fleet.example", "boards.example"]
    restarted = new_signer(bound, installation / "signer")
    second = kept(restarted)
    assert names_in(second) - names_in(first) == {"boards.example"}


def test_another_authority_takes_another_certificate(signer, bound, installation) -> None:
    first = kept(signer)
    successor = new_signer(bound, installation / "successor")
    second = kept(successor)
    assert second.issuer != first.issuer
    second.verify_directly_issued_by(successor.authority.certificate)


@pytest.mark.parametrize("damage", [b"", b"no certificate"])
def test_what_cannot_be_read_is_made_anew(signer, damage) -> None:
    kept(signer)
    server_certificate.certificate_file().write_bytes(damage)
    assert kept(signer).not_valid_after_utc == NOW + LIFE


@pytest.mark.django_db
def test_before_the_broker_starts_it_has_what_it_needs(signer) -> None:
    signer.now = datetime.now(UTC)
    server_certificate.prepare(CertificateClient(signer))
    assert server_certificate.certificate_file().exists()
    assert list(x509.load_pem_x509_crl(revoked_file().read_bytes())) == []


@pytest.mark.django_db
def test_without_a_signer_the_broker_starts_with_what_there_is(signer) -> None:
    signer.now = datetime.now(UTC)
    server_certificate.prepare(CertificateClient(signer))
    before = server_certificate.certificate_file().read_bytes()
    signer.is_away = True
    server_certificate.prepare(CertificateClient(signer), wait_s=0.0)
    assert server_certificate.certificate_file().read_bytes() == before


def test_a_renewal_that_fails_leaves_the_old_one(signer) -> None:
    first = kept(signer)
    signer.is_away = True
    server_certificate.renew(NOW + 0.9 * LIFE, CertificateClient(signer))
    found = x509.load_pem_x509_certificate(server_certificate.certificate_file().read_bytes())
    assert found == first


def test_on_every_address_it_lists_each_of_them(bound) -> None:
    bound.BIND = "0.0.0.0"
    names = server_certificate.server_names()
    assert "127.0.0.1" in names
    assert "0.0.0.0" not in names
    assert "fleet.example" in names


def test_on_the_loopback_address_its_name_is_good_too(bound) -> None:
    bound.BIND = "127.0.0.1"
    assert {"127.0.0.1", "localhost"} <= set(server_certificate.server_names())


def test_nothing_is_said_of_addresses_of_this_machine(settings) -> None:
    settings.WEB_HOST, settings.MQTT_HOST = "127.0.0.1", "localhost"
    assert boards.exposed() == []


def test_passwords_in_the_clear_on_a_foreign_address_are_warned_of(settings) -> None:
    settings.WEB_HOST, settings.MQTT_HOST = "192.0.2.7", "::"
    assert [sentence.split(" listens")[0] for sentence in boards.exposed()] == [
        "warning: web",
        "warning: the broker's plain listener",
    ]


def test_what_a_board_needs_is_told(signer, bound) -> None:
    told = "\n".join(boards.instructions())
    fingerprint = signer.authority.certificate.fingerprint(hashes.SHA256())
    for part in ("192.0.2.7:8883", "192.0.2.7:8884", fingerprint.hex(":").upper(), "issue_token"):
        assert part in told


def test_boards_are_not_served_where_a_revoked_one_could_stay(bound) -> None:
    with pytest.raises(ImproperlyConfigured, match="dynamic-security"):
        boards.require_plugin(None)
    bound.BIND = ""
    boards.require_plugin(None)
