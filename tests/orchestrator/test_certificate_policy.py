"""What the certificate authority issues, and what it refuses, each with a sentence."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store

from deploy import authority
from deploy.certificate_policy import SERIAL_BYTES, CertificateLimits, CertificatePolicy
from tests.orchestrator.authorities import public_pem

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LIMITS = CertificateLimits(certificate_lifetime_s=30 * 24 * 3600, max_revoked=3)
NAMES = ("192.0.2.7", "fleet.example")
KEY = ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def issuer(tmp_path: Path) -> authority.Authority:
    return authority.load_or_make(tmp_path, NOW)


@pytest.fixture
def ask(issuer):
    policy = CertificatePolicy(issuer, NAMES, LIMITS, clock=NOW.timestamp)
    return policy.answer


def issue(ask, device: str = "pump-1", key: str = public_pem(KEY), **more) -> dict:
    return ask({"op": "issue_certificate", "device": device, "key": key, **more})


def extension(certificate: x509.Certificate, kind: type):
    return certificate.extensions.get_extension_for_class(kind).value


def test_a_devices_certificate_is_for_its_key_and_for_clients_alone(ask, issuer) -> None:
    made = x509.load_pem_x509_certificate(issue(ask)["done"])
    assert made.subject.rfc4514_string() == "CN=pump-1"
    assert made.public_key() == KEY.public_key()
    assert list(extension(made, x509.ExtendedKeyUsage)) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert not extension(made, x509.BasicConstraints).ca
    assert extension(made, x509.KeyUsage).digital_signature
    assert not extension(made, x509.KeyUsage).key_cert_sign
    made.verify_directly_issued_by(issuer.certificate)


def test_its_life_is_the_policys_whatever_is_asked_for(ask) -> None:
    made = x509.load_pem_x509_certificate(issue(ask, lifetime_s=10**9, days=999)["done"])
    assert made.not_valid_after_utc == NOW + timedelta(seconds=LIMITS.certificate_lifetime_s)
    assert made.not_valid_before_utc == NOW - authority.BACKDATED


def test_no_certificate_outlives_the_authority(issuer) -> None:
    end = issuer.certificate.not_valid_after_utc
    policy = CertificatePolicy(
        issuer, (), LIMITS, clock=lambda: (end - timedelta(days=1)).timestamp()
    )
    made = x509.load_pem_x509_certificate(issue(policy.answer)["done"])
    assert made.not_valid_after_utc == end


def test_the_servers_certificate_names_what_the_signer_was_started_with(ask, issuer) -> None:
    request = {"op": "issue_server_certificate", "key": public_pem(KEY), "names": ["evil.example"]}
    made = x509.load_pem_x509_certificate(ask(request)["done"])
    assert list(extension(made, x509.ExtendedKeyUsage)) == [ExtendedKeyUsageOID.SERVER_AUTH]
    builder = PolicyBuilder().store(Store([issuer.certificate])).time(NOW.replace(tzinfo=None))
    for name in NAMES:
        builder.build_server_verifier(authority.general_name(name)).verify(made, [])
    with pytest.raises(x509.verification.VerificationError):
        builder.build_server_verifier(x509.DNSName("evil.example")).verify(made, [])


FOREIGN_CURVE = public_pem(ec.generate_private_key(ec.SECP384R1()))


@pytest.mark.parametrize(
    ("device", "key", "sentence"),
    [
        ("gateway", public_pem(KEY), "is reserved"),
        ("enrol", public_pem(KEY), "is reserved"),
        ("artifacts", public_pem(KEY), "is reserved"),
        ("Pump", public_pem(KEY), "is no device id"),
        ("pump/1", public_pem(KEY), "is no device id"),
        ("#", public_pem(KEY), "is no device id"),
        ("", public_pem(KEY), "is no device id"),
        ("pump-1", FOREIGN_CURVE, "no P-256 public key"),
        ("pump-1", "no key", "no P-256 public key"),
    ],
)
def test_what_policy_forbids_is_refused(ask, device, key, sentence) -> None:
    assert sentence in issue(ask, device, key)["refused"]


@pytest.mark.parametrize(
    "request_",
    [
        {"op": "issue_certificate"},
        {"op": "issue_certificate", "device": "pump-1", "key": b"bytes"},
        {"op": "issue_certificate", "device": 7, "key": public_pem(KEY)},
        {"op": "issue_server_certificate"},
        {"op": "revocation_list", "serials": [1]},
    ],
)
def test_a_senseless_request_is_refused(ask, request_) -> None:
    assert "lacks" in ask(request_)["refused"]


def test_the_authoritys_own_key_gets_no_certificate(tmp_path, ask, issuer) -> None:
    own = authority.serialization.load_pem_private_key(
        (tmp_path / authority.KEY_FILE).read_bytes(), None
    )
    assert "the authority's own" in issue(ask, key=public_pem(own))["refused"]


def test_without_names_no_server_gets_a_certificate(issuer) -> None:
    policy = CertificatePolicy(issuer, (), LIMITS, clock=NOW.timestamp)
    answer = policy.answer({"op": "issue_server_certificate", "key": public_pem(KEY)})
    assert "--server-name" in answer["refused"]


def serials(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(SERIAL_BYTES, "big") for number in numbers)


def revoke(ask, *numbers: int) -> x509.CertificateRevocationList:
    answer = ask({"op": "revocation_list", "serials": serials(*numbers)})
    return x509.load_pem_x509_crl(answer["done"])


def test_a_list_names_what_is_withdrawn_and_outlasts_everything(ask, issuer) -> None:
    made = revoke(ask, 7, 5, 7)
    assert {entry.serial_number for entry in made} == {5, 7}
    assert made.is_signature_valid(issuer.certificate.public_key())
    assert made.next_update_utc == issuer.certificate.not_valid_after_utc


def test_a_later_list_has_a_later_time_that_is_not_in_the_future(ask, tmp_path) -> None:
    times = [revoke(ask).last_update_utc for _ in range(5)]
    assert times == sorted(set(times))
    reopened = authority.load_or_make(tmp_path, NOW)
    policy = CertificatePolicy(reopened, (), LIMITS, clock=NOW.timestamp)
    after = revoke(policy.answer).last_update_utc
    assert times[-1] < after <= NOW


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (serials(*range(1, LIMITS.max_revoked + 2)), "more than 3"),
        (serials(1)[:-1], "20 bytes each"),
        (serials(0), "serial number 0"),
    ],
)
def test_a_list_that_cannot_be_is_refused(ask, given, sentence) -> None:
    assert sentence in ask({"op": "revocation_list", "serials": given})["refused"]


def test_the_key_is_kept_private_and_used_again(tmp_path, issuer) -> None:
    key = tmp_path / authority.KEY_FILE
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    again = authority.load_or_make(tmp_path, NOW + timedelta(days=1))
    assert again.certificate == issuer.certificate
    key.chmod(0o644)
    with pytest.raises(SystemExit, match="can be read by others"):
        authority.load_or_make(tmp_path, NOW)


def test_a_certificate_of_another_key_is_noticed(tmp_path, issuer) -> None:
    (tmp_path / authority.KEY_FILE).unlink()
    with pytest.raises(SystemExit, match="is not of"):
        authority.load_or_make(tmp_path, NOW)


@pytest.mark.parametrize("name", ["bad name", "*.example", "", "a" * 64, "x..y", "-a", "é"])
def test_what_is_no_host_name_is_said(name) -> None:
    with pytest.raises(ValueError, match="neither an address nor a host name"):
        authority.general_name(name)
