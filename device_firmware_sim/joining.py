"""How a device becomes a member: it asks with a single-use token, then signs in as itself."""

from __future__ import annotations

import logging

from device_firmware_sim.actions import Account, Action, Publish, Reconnect, Subscribe
from device_firmware_sim.flash import Record
from device_firmware_sim.identity import load_identity, store_identity
from orchestrator.protocol import topics
from orchestrator.protocol.encoding import decode_enrolment_result, encode_enrolment
from orchestrator.protocol.messages import EnrolmentAnswer

log = logging.getLogger(__name__)

ENROL_ACCOUNT = "enrol"
ASK_AGAIN_AFTER_S = 4.0
ASK_AGAIN_AFTER_MAX_S = 300.0
REFUSALS_BEFORE_ASKING = 8


class Joining:
    """The membership of one device.

    A member whose account the broker keeps refusing asks to join again with the same key: the
    installation may have lost its password file, or not have written it yet.
    """

    def __init__(self, device_id: str, token: str, record: Record, enrol_password: str) -> None:
        self._device_id = device_id
        self._token = token
        self._record = record
        self._identity = load_identity(record)
        self._enrol_password = enrol_password
        self._asks_again = False
        self._refusals = 0
        self._wait_s = ASK_AGAIN_AFTER_S
        self.due_at: float | None = None

    @property
    def is_member(self) -> bool:
        """Whether the device signs in as itself."""
        return self._identity.is_accepted and not self._asks_again

    def account(self, will: Publish) -> Account:
        """The device's own account, or the shared one through which it may only ask to join."""
        if self.is_member:
            return Account(self._device_id, self._device_id, self._identity.secret, will)
        return Account(
            f"{ENROL_ACCOUNT}-{self._device_id}", ENROL_ACCOUNT, self._enrol_password, None
        )

    def connected(self, now: float) -> list[Action]:
        """Signed in: as a member nothing is left to do, else listen for the answer and ask."""
        self._refusals = 0
        self._wait_s = ASK_AGAIN_AFTER_S
        if self.is_member:
            self.due_at = None
            return []
        return [Subscribe((topics.enrol_result(self._device_id),)), self._ask(now)]

    def tick(self, now: float) -> list[Action]:
        """Ask again where no answer came: the server may have been away."""
        if self.due_at is None or now < self.due_at:
            return []
        self._wait_s = min(2 * self._wait_s, ASK_AGAIN_AFTER_MAX_S)
        return [self._ask(now)]

    def answer(self, payload: bytes, now: float) -> list[Action]:
        """The server's word. Accepted: sign in as oneself. Otherwise wait and ask later."""
        result = decode_enrolment_result(payload)
        if self.is_member:
            return []
        if result.answer is EnrolmentAnswer.ACCEPTED:
            self._identity.is_accepted = True
            store_identity(self._record, self._identity)
            self._asks_again = False
            self.due_at = None
            return [Reconnect()]
        log.warning("device=%s enrolment %s: %s", self._device_id, result.answer, result.reason)
        if result.answer is EnrolmentAnswer.REJECTED:
            self._wait_s = ASK_AGAIN_AFTER_MAX_S
        self.due_at = now + self._wait_s
        return self._back_to_own_account()

    def refused(self) -> None:
        """The broker does not take the account. After a while the device doubts its membership."""
        self._refusals += 1
        if self.is_member and self._refusals >= REFUSALS_BEFORE_ASKING:
            self._asks_again = True
            self._refusals = 0

    def _back_to_own_account(self) -> list[Action]:
        """A member that asked again and got a no tries its own account instead."""
        if not self._asks_again:
            return []
        self._asks_again = False
        self.due_at = None
        return [Reconnect()]

    def _ask(self, now: float) -> Publish:
        self.due_at = now + self._wait_s
        enrolment = self._identity.enrolment(self._device_id, self._token)
        return Publish(topics.enrol(self._device_id), encode_enrolment(enrolment))
