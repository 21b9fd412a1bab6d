"""A certificate authority in the test's own process, asked as the signer process would be."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from deploy import authority
from deploy.certificate_policy import CertificateLimits, CertificatePolicy
from orchestrator.gateways.signing import SignerUnreachable, SigningRefused

LIMITS = CertificateLimits()


def public_pem(key: ec.EllipticCurvePrivateKey) -> str:
    """As an enrolment carries it."""
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


class LocalSigner:
    """Stands in for the way to the signer process; its clock is set by hand."""

    def __init__(self, directory: Path, now: datetime, names: tuple[str, ...] = ()) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.now = now
        self.is_away = False
        self.refuses: set[str] = set()
        self.asked: list[str] = []
        self.authority = authority.load_or_make(directory, now.astimezone(UTC))
        self._policy = CertificatePolicy(
            self.authority, names, LIMITS, clock=lambda: self.now.timestamp()
        )

    def octets(self, request: dict) -> bytes:
        if self.is_away:
            raise SignerUnreachable("the signer is away")
        self.asked.append(request["op"])
        if request["op"] in self.refuses:
            raise SigningRefused("policy does not allow it")
        answer = self._policy.answer(request)
        if "refused" in answer:
            raise SigningRefused(answer["refused"])
        return answer["done"]
