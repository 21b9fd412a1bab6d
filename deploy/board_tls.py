"""TLS for boards at the embedded broker: two contexts that follow the files they are made from.

`boards` asks every client for a certificate of the installation's authority and refuses those that
are on the list of withdrawn ones; `entrance` asks for none. The server's certificate and the list
change while the broker runs; what was loaded anew holds for the next handshake.
"""

from __future__ import annotations

import logging
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import NameOID

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """The server's chain and key, the authority's certificate, the list of withdrawn ones; PEM."""

    certificate: Path
    key: Path
    authority: Path
    revoked: Path


class BoardTls:
    """The contexts, and which serial numbers are withdrawn."""

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        self._stamps: dict[Path, tuple[int, int]] = {}
        self._withdrawn: frozenset[int] = frozenset()
        self.boards = _context()
        self.entrance = _context()
        self.boards.verify_mode = ssl.CERT_REQUIRED
        self.boards.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF
        self.boards.load_verify_locations(files.authority)
        self._load()

    def refresh(self) -> None:
        """Load again what has changed; a file that cannot be read leaves what there was."""
        try:
            self._load()
        except (OSError, ValueError) as error:
            log.error("the old certificates stay in force: %s", error)

    def is_withdrawn(self, serial: int | None) -> bool:
        """Whether a connection with this certificate has to end; None: it came without one."""
        return serial in self._withdrawn

    def _load(self) -> None:
        files = self._files
        if self._has_changed(files.certificate):
            for context in (self.boards, self.entrance):
                context.load_cert_chain(files.certificate, files.key)
        if self._has_changed(files.revoked):
            # OpenSSL keeps every list that it was given, and goes by the latest.
            self.boards.load_verify_locations(files.revoked)
            listed = x509.load_pem_x509_crl(files.revoked.read_bytes())
            self._withdrawn = frozenset(entry.serial_number for entry in listed)

    def _has_changed(self, path: Path) -> bool:
        status = path.stat()
        stamp = (status.st_mtime_ns, status.st_ino)
        before = self._stamps.get(path)
        self._stamps[path] = stamp
        return stamp != before


def peer_name(connection: ssl.SSLObject | None) -> tuple[str, int] | None:
    """Common name and serial number of a client's certificate, which TLS has verified."""
    der = connection.getpeercert(binary_form=True) if connection is not None else None
    if der is None:
        return None
    found = x509.load_der_x509_certificate(der)
    names = found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return (str(names[0].value), found.serial_number) if len(names) == 1 else None


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
