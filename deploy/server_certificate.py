"""The broker's own certificate for boards: made when there is none that will do, and renewed.

Its key stays on the broker's side; the signer certifies it for the names that it was started with.
"""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import psutil
import structlog
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings
from django.db import DatabaseError, connection
from django.utils import timezone

from deploy.authority import general_name
from orchestrator.gateways.certificates import (
    CertificateClient,
    present_authority,
    revoked_file,
    tls_folder,
    write_revoked,
)
from orchestrator.gateways.signing import SignerUnreachable, SigningClient, SigningRefused
from orchestrator.protocol.certificates import (
    SERVER_RENEWS_AFTER,
    is_issued_by,
    read_certificate,
)
from orchestrator.services.certificates import withdrawn_serials
from registry.files import replace_whole

log = structlog.get_logger(__name__)

SIGNER_WAIT_S = 20.0
WAIT_WITH_FILES_S = 1.0
_RETRY_S = 0.1


def certificate_file() -> Path:
    """The server's certificate."""
    return tls_folder() / "server.pem"


def key_file() -> Path:
    """The server's private key, readable by its owner alone."""
    return tls_folder() / "server-key.pem"


def server_names() -> list[str]:
    """Every address and name by which a board may call this machine."""
    bind = settings.BIND
    names = [bind, *settings.TLS_NAMES, *_local_names()]
    if _is_address(bind) and ipaddress.ip_address(bind).is_unspecified:
        names = [*_local_addresses(), *names[1:]]
    if _is_address(bind) and ipaddress.ip_address(bind).is_loopback:
        names.append("localhost")
    return list(dict.fromkeys(name for name in names if _can_be_certified(name)))


def certificate_client() -> CertificateClient:
    """The way to this installation's authority."""
    return CertificateClient(SigningClient(settings.SIGNER_SOCKET, settings.NETWORK_TIMEOUT_S))


def prepare(client: CertificateClient | None = None, wait_s: float = SIGNER_WAIT_S) -> None:
    """Before the broker starts: its certificate, and who was shut out while it was away.

    Waits for the signer, which starts at the same time, but hardly where the broker can do with the
    files that there are: nobody looks after the other processes meanwhile. Nothing is raised.
    """
    if _will_do(_key(), timezone.now()) and revoked_file().exists():
        wait_s = min(wait_s, WAIT_WITH_FILES_S)
    client, until = client or certificate_client(), time.monotonic() + wait_s
    while True:
        try:
            keep_certificate(client, timezone.now())
            write_revoked(client.revocation_list(withdrawn_serials(timezone.now())))
        except SignerUnreachable as error:
            if time.monotonic() < until:
                time.sleep(_RETRY_S)
                continue
            log.error("no_certificate", error=str(error))
        except (SigningRefused, DatabaseError, OSError) as error:
            log.error("no_certificate", error=str(error))
        connection.close()
        return


def renew(now: datetime, client: CertificateClient | None = None) -> None:
    """From time to time: another certificate, where half of this one's life is over."""
    try:
        keep_certificate(client or certificate_client(), now)
    except (SignerUnreachable, SigningRefused, OSError) as error:
        log.error("certificate_not_renewed", error=str(error))


def keep_certificate(client: CertificateClient, now: datetime) -> None:
    """Ask for a certificate where the present one is missing, near its end, or for other names."""
    key = _key()
    if _will_do(key, now):
        return
    spki = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    pem = client.server_certificate(spki.decode())
    replace_whole(certificate_file(), pem.encode(), 0o644, durable=True)
    log.info("server_certificate_renewed", ends=read_certificate(pem).ends.isoformat())


def _will_do(key: ec.EllipticCurvePrivateKey, now: datetime) -> bool:
    """Whatever is wrong with the present one, another one mends it."""
    try:
        pem = certificate_file().read_text()
        found = x509.load_pem_x509_certificate(pem.encode())
        listed = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        fresh = not read_certificate(pem).has_lived(SERVER_RENEWS_AFTER, now)
    except (OSError, ValueError, x509.ExtensionNotFound) as error:
        log.info("no_usable_certificate", reason=type(error).__name__)
        return False
    authority = present_authority()
    ours = authority is not None and is_issued_by(pem, authority)
    same_names = set(listed) == {general_name(name) for name in server_names()}
    return ours and fresh and same_names and found.public_key() == key.public_key()


def _key() -> ec.EllipticCurvePrivateKey:
    path = key_file()
    if not path.exists():
        pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        replace_whole(path, pem, durable=True)
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise OSError(f"{path} holds no elliptic-curve key: remove it")
    return key


def _local_names() -> Iterable[str]:
    return (socket.gethostname(), socket.getfqdn())


def _local_addresses() -> Iterable[str]:
    for addresses in psutil.net_if_addrs().values():
        yield from (a.address for a in addresses if _is_address(a.address))


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text  # one of a single link, which means nothing elsewhere


def _can_be_certified(name: str) -> bool:
    try:
        general_name(name)
    except ValueError:
        return False
    return True
