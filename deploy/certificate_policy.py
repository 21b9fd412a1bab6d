"""What the certificate authority issues. Whoever asks chooses a device and its key, nothing else.

Subject, use and lifetime are the policy's; a server certificate is only for the names that the
signer was started with. So an asker that was taken over gets no certificate for another use, none
that outlives the limit, and none in the name of an account that is no device's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from cryptography.hazmat.primitives.asymmetric import ec

from deploy.authority import Authority
from deploy.signing_policy import Refused
from orchestrator.protocol.enrolment import load_p256
from orchestrator.protocol.topics import TopicError, check_device_id

log = structlog.get_logger(__name__)

SERIAL_BYTES = 20
"""RFC 5280, 4.1.2.2: a serial number has at most 20 octets."""

OPERATIONS = frozenset({"issue_certificate", "issue_server_certificate", "revocation_list"})


@dataclass(frozen=True, slots=True)
class CertificateLimits:
    """What the policy allows: lives in seconds; how many certificates one list withdraws."""

    certificate_lifetime_s: int = 90 * 24 * 3600
    max_revoked: int = 20_000


class CertificatePolicy:
    """Policy and authority together; `clock` gives UNIX seconds."""

    def __init__(
        self,
        authority: Authority,
        server_names: Sequence[str],
        limits: CertificateLimits,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._authority = authority
        self._server_names = tuple(server_names)
        self._limits = limits
        self._clock = clock

    def answer(self, request: object) -> dict[str, object]:
        """One request's answer, never an exception for what a client may send."""
        try:
            return {"done": self._done(request)}
        except Refused as error:
            log.warning("certificate_refused", reason=str(error))
            return {"refused": str(error)}

    def _done(self, request: object) -> bytes:
        match request:
            case {"op": "issue_certificate", "device": str() as device, "key": str() as pem}:
                return self._client(device, pem)
            case {"op": "issue_server_certificate", "key": str() as pem}:
                return self._server(pem)
            case {"op": "revocation_list", "serials": bytes() as serials}:
                return self._revoke(serials)
        raise Refused("the request lacks what its operation needs")

    def _client(self, device: str, pem: str) -> bytes:
        try:
            check_device_id(device)
        except TopicError as error:
            raise Refused(f"no certificate: {error}") from error
        certificate = self._authority.client_certificate(
            device, self._key(pem), self._now(), self._lifetime()
        )
        log.info("certificate_issued", device=device)
        return certificate

    def _server(self, pem: str) -> bytes:
        if not self._server_names:
            raise Refused("this signer was started for no server: give it --server-name")
        certificate = self._authority.server_certificate(
            self._server_names, self._key(pem), self._now(), self._lifetime()
        )
        log.info("server_certificate_issued", names=self._server_names)
        return certificate

    def _revoke(self, serials: bytes) -> bytes:
        count, rest = divmod(len(serials), SERIAL_BYTES)
        if rest:
            raise Refused(f"serial numbers have {SERIAL_BYTES} bytes each")
        if count > self._limits.max_revoked:
            raise Refused(f"{count} certificates are more than {self._limits.max_revoked}")
        numbers = [
            int.from_bytes(serials[at : at + SERIAL_BYTES], "big")
            for at in range(0, len(serials), SERIAL_BYTES)
        ]
        if 0 in numbers:
            raise Refused("no certificate has the serial number 0")
        log.info("certificates_withdrawn", count=count)
        return self._authority.revocation_list(numbers, self._now())

    def _key(self, pem: str) -> ec.EllipticCurvePublicKey:
        key = load_p256(pem)
        if key is None:
            raise Refused("the key is no P-256 public key in PEM")
        if key == self._authority.certificate.public_key():
            raise Refused("the key is the authority's own")
        return key

    def _lifetime(self) -> timedelta:
        return timedelta(seconds=self._limits.certificate_lifetime_s)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(int(self._clock()), UTC)
