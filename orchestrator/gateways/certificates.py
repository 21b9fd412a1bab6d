"""The way to the certificate authority, which is the signer process, and the files for the broker.

The broker reads three files in var/broker/tls: the server's key and certificate, which `up` puts
there, and the list of withdrawn certificates, which the gateway keeps up to date.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from django.conf import settings

from orchestrator.gateways.signing import SigningClient
from registry.files import replace_whole

SERIAL_BYTES = 20


class CertificateClient:
    """Asks the signer for certificates; SigningRefused or SignerUnreachable."""

    def __init__(self, signer: SigningClient) -> None:
        self._signer = signer

    def client_certificate(self, device_id: str, public_key: str) -> str:
        """A device's certificate for its key (PEM SubjectPublicKeyInfo), in PEM."""
        request = {"op": "issue_certificate", "device": device_id, "key": public_key}
        return self._signer.octets(request).decode()

    def server_certificate(self, public_key: str) -> str:
        """The broker's certificate for the names that the signer was started with, in PEM."""
        return self._signer.octets({"op": "issue_server_certificate", "key": public_key}).decode()

    def revocation_list(self, serials: Iterable[int]) -> bytes:
        """A list (X.509 CRL, PEM) of just these certificates."""
        numbers = b"".join(serial.to_bytes(SERIAL_BYTES, "big") for serial in serials)
        return self._signer.octets({"op": "revocation_list", "serials": numbers})


def present_authority() -> bytes | None:
    """The authority's certificate, PEM; None before the signer has made one."""
    try:
        return bytes(settings.AUTHORITY_FILE.read_bytes())
    except FileNotFoundError:
        return None


def tls_folder() -> Path:
    """Where the broker's key, certificate and revocation list lie."""
    folder: Path = settings.BROKER_DIR / "tls"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def revoked_file() -> Path:
    """The list of withdrawn certificates, as both brokers read it."""
    return tls_folder() / "revoked.pem"


def write_revoked(pem: bytes) -> None:
    """Put a new list in the old one's place."""
    replace_whole(revoked_file(), pem, durable=True)
