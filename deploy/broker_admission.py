"""Who may sign in at which listener of the embedded broker, and who has to leave again.

At `default`, on this machine, an account shows its secret. At `boards` its certificate is its
account: a name or a secret that the client brings besides counts for nothing. At `entrance` there
is one account, `enrol`, so a device's secret is of no use from outside.
"""

from __future__ import annotations

import asyncio
import logging
import ssl

from amqtt.session import Session

from deploy.board_tls import BoardTls, peer_name
from deploy.broker_rules import Access, AccessRules, RulesError
from orchestrator.protocol.accounts import ENROL_USER, may_use_client_id

log = logging.getLogger(__name__)

DEFAULT, BOARDS, ENTRANCE = "default", "boards", "entrance"

_VERIFIER, _SERIAL = "tinyfleet.verifier", "tinyfleet.serial"


class Admission:
    """The rules, and the certificates where boards come over TLS."""

    def __init__(self, rules: AccessRules, tls: BoardTls | None = None) -> None:
        self.rules = rules
        self.tls = tls

    def refresh(self) -> None:
        """Read again what has changed; rules that make no sense leave the old ones in force."""
        try:
            self.rules.refresh()
        except (RulesError, OSError) as error:
            log.error("the old rules stay in force: %s", error)
        if self.tls is not None:
            self.tls.refresh()

    async def admits(
        self, session: Session, listener: str, connection: ssl.SSLObject | None
    ) -> bool:
        """Whether the client may come in, its last will included."""
        self.refresh()
        known = await self._knows(session, listener, connection)
        session.attributes[_VERIFIER] = self.rules.verifier(session.username or "")
        if not known or not session.will_flag:
            return known
        return self.may(session, session.client_id or "", Access.WRITE, session.will_topic or "")

    def still_admits(self, session: Session) -> bool:
        """Whether a client that is in may stay: its credential is the one that it came in with."""
        if self.tls is not None and self.tls.is_withdrawn(session.attributes.get(_SERIAL)):
            return False
        verifier = self.rules.verifier(session.username or "")
        return bool(verifier == session.attributes.get(_VERIFIER))

    def may(self, session: Session, client: str, access: Access, topic: str) -> bool:
        """Whether the client may publish to a topic, or subscribe to a filter."""
        return self.rules.may(session.username or "", client, access, topic)

    async def _knows(
        self, session: Session, listener: str, connection: ssl.SSLObject | None
    ) -> bool:
        if listener == BOARDS:
            return self._is_member(session, connection)
        if listener == ENTRANCE and session.username != ENROL_USER:
            return False
        user, secret = session.username, session.password
        if not may_use_client_id(user or "", session.client_id or ""):
            return False
        # In a thread: a verifier states its own number of iterations.
        return await asyncio.to_thread(self.rules.check_login, user, secret)

    def _is_member(self, session: Session, connection: ssl.SSLObject | None) -> bool:
        peer = peer_name(connection)
        if peer is None or session.client_id not in ("", None, peer[0]):
            return False
        session.username, session.attributes[_SERIAL] = peer
        session.client_id = session.username
        withdrawn = self.tls is None or self.tls.is_withdrawn(peer[1])
        return not withdrawn and self.rules.verifier(peer[0]) is not None
