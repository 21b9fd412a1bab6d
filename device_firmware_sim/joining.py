"""How a device becomes a member: it asks with a single-use token, then signs in as itself.

Over TLS it signs in with the certificate that came with the answer, and asks for another one, in
the same way and without a token, when two thirds of that one's life are over.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

from device_firmware_sim.actions import Account, Action, Publish, Reconnect, Subscribe
from device_firmware_sim.flash import Record
from device_firmware_sim.identity import load_identity, store_identity
from orchestrator.protocol import topics
from orchestrator.protocol.certificates import (
    DEVICE_RENEWS_AFTER,
    CertificateError,
    ClientCertificate,
    read_certificate,
)
from orchestrator.protocol.encoding import decode_enrolment_result, encode_enrolment
from orchestrator.protocol.messages import EnrolmentAnswer, EnrolmentResult

log = logging.getLogger(__name__)

NO_TOKEN = "none"
"""Any text that is no token: the list of known devices, or an operator, lets the device in."""

ENROL_ACCOUNT = "enrol"
ASK_AGAIN_AFTER_S = 4.0
ASK_AGAIN_AFTER_MAX_S = 300.0
REFUSALS_BEFORE_ASKING = 8
MISSES_BEFORE_WORKING_ON = 3
RENEWAL_PATIENCE_S = 60.0
RENEW_AGAIN_AFTER_S = 3600.0


class Joining:
    """The membership of one device; with a `credential` file, over TLS.

    A member whose account the broker keeps refusing asks to join again with the same key: the
    installation may have lost its password file, or not have written it yet. Over TLS a refusal
    looks like a connection that breaks, so there every attempt that fails counts, and a device that
    asks in vain goes back to its own account.
    """

    def __init__(
        self,
        device_id: str,
        token: str,
        record: Record,
        enrol_password: str,
        credential: Path | None = None,
    ) -> None:
        self._device_id = device_id
        self._token = token or NO_TOKEN
        self._record = record
        self._identity = load_identity(record)
        self._enrol_password = enrol_password
        self._credential = credential
        self._asks_again = False
        self._refusals = 0
        self._wait_s = ASK_AGAIN_AFTER_S
        self._give_up_at: float | None = None
        self._not_before = 0.0
        self.due_at: float | None = None

    @property
    def is_member(self) -> bool:
        """Whether the device signs in as itself."""
        return self._was_accepted and not self._asks_again

    def account(self, will: Publish) -> Account:
        """The device's own account, or the shared one through which it may only ask to join."""
        if not self.is_member:
            client_id = f"{ENROL_ACCOUNT}-{self._device_id}"
            return Account(client_id, ENROL_ACCOUNT, self._enrol_password, None, enrols=True)
        if self._credential is None:
            return Account(self._device_id, self._device_id, self._identity.secret, will)
        _write_private(self._credential, self._identity.credential())
        return Account(self._device_id, "", "", will, self._credential)

    def connected(self, now: float) -> list[Action]:
        """Signed in: as a member nothing is left to do, else listen for the answer and ask."""
        self._refusals = 0
        self._wait_s = ASK_AGAIN_AFTER_S
        if self.is_member:
            self.due_at = self._renewal_at()
            return []
        if self._was_accepted:
            self._give_up_at = now + RENEWAL_PATIENCE_S
        return [Subscribe((topics.enrol_result(self._device_id),)), self._ask(now)]

    def tick(self, now: float) -> list[Action]:
        """Ask again where no answer came, for the server may have been away; renew when due."""
        if self.due_at is None or now < self.due_at:
            return []
        if self.is_member:
            self._asks_again = True
            self.due_at = None
            return [Reconnect()]
        if self._give_up_at is not None and now >= self._give_up_at:
            return self._back_to_own_account(now)
        self._wait_s = min(2 * self._wait_s, ASK_AGAIN_AFTER_MAX_S)
        return [self._ask(now)]

    def answer(self, payload: bytes, now: float) -> list[Action]:
        """The server's word. Accepted: sign in as oneself. Otherwise wait and ask later."""
        result = decode_enrolment_result(payload)
        if self.is_member:
            return []
        if result.answer is EnrolmentAnswer.ACCEPTED and self._keep(result):
            return self._back_to_own_account(now)
        log.warning("device=%s enrolment %s: %s", self._device_id, result.answer, result.reason)
        if result.answer is EnrolmentAnswer.REJECTED:
            self._wait_s = ASK_AGAIN_AFTER_MAX_S
        self.due_at = now + self._wait_s
        return self._back_to_own_account(now) if self._asks_again else []

    def refused(self) -> None:
        """The broker does not take the account. After a while the device doubts its membership."""
        if self._credential is None:
            self._count_refusal()

    def missed(self) -> None:
        """An attempt to connect failed: over TLS that may be a certificate that is not taken."""
        if self._credential is None:
            return
        self._count_refusal()
        if self._asks_again and self._refusals >= MISSES_BEFORE_WORKING_ON:
            self._asks_again = False
            self._refusals = 0

    @property
    def _was_accepted(self) -> bool:
        has_credential = self._credential is None or bool(self._identity.certificate)
        return self._identity.is_accepted and has_credential

    def _count_refusal(self) -> None:
        self._refusals += 1
        if self.is_member and self._refusals >= REFUSALS_BEFORE_ASKING:
            self._asks_again = True
            self._refusals = 0

    def _keep(self, result: EnrolmentResult) -> bool:
        """Store what came with a yes; False where it lacks what this device needs."""
        certificate = self._own_certificate(result.certificate)
        if self._credential is not None and certificate is None:
            return False
        self._identity.is_accepted = True
        self._identity.certificate = "" if certificate is None else result.certificate
        store_identity(self._record, self._identity)
        return True

    def _own_certificate(self, pem: str) -> ClientCertificate | None:
        """What the PEM says, where it is this device's and for its key."""
        try:
            certificate = read_certificate(pem)
        except CertificateError:
            return None
        is_ours = certificate.device_id == self._device_id and self._identity.holds(certificate)
        return certificate if is_ours else None

    def _renewal_at(self) -> float | None:
        certificate = self._own_certificate(self._identity.certificate)
        if self._credential is None or certificate is None:
            return None
        life = certificate.ends - certificate.begins
        due = (certificate.begins + DEVICE_RENEWS_AFTER * life).timestamp()
        return max(due, self._not_before)

    def _back_to_own_account(self, now: float) -> list[Action]:
        """One that was accepted signs in as itself, whatever came of asking again."""
        self._asks_again = False
        self._not_before = now + RENEW_AGAIN_AFTER_S
        self._give_up_at = self.due_at = None
        return [Reconnect()]

    def _ask(self, now: float) -> Publish:
        self.due_at = now + self._wait_s
        enrolment = self._identity.enrolment(self._device_id, self._token)
        return Publish(topics.enrol(self._device_id), encode_enrolment(enrolment))


def _write_private(path: Path, content: bytes) -> None:
    """Whole, and readable by its owner alone; what is there already stays."""
    if path.exists() and path.read_bytes() == content:
        return
    draft = path.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    draft.replace(path)
