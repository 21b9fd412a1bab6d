"""The same answers that the two files give a broker, for brokers that ask instead of reading.

Who may sign in comes from the database, so a revoked device is refused from the next question on;
what an account may publish and read comes from the very rules of the ACL file.
"""

from __future__ import annotations

import hmac
from functools import lru_cache

from deploy.broker_rules import Access, AccessList, parse_access_list
from orchestrator.gateways import broker_files
from orchestrator.protocol.accounts import ENROL_USER, GATEWAY_USER, may_use_client_id
from orchestrator.protocol.enrolment import check_verifier


def may_sign_in(user: str, client: str, secret: str) -> bool:
    """Whether the secret is the account's, and the client id one that it may use."""
    return may_use_client_id(user, client) and _is_secret_of(user, secret)


def may_use(user: str, client: str, access: Access, topic: str) -> bool:
    """Whether a client that signed in may publish to a topic, or subscribe to a filter."""
    if not may_use_client_id(user, client) or not _is_member(user):
        return False
    return _rules(broker_files.access_list()).permits(user, client, access, topic)


def _is_secret_of(user: str, secret: str) -> bool:
    shared = {
        GATEWAY_USER: broker_files.gateway_password,
        ENROL_USER: broker_files.enrol_password,
    }
    if user in shared:
        return hmac.compare_digest(secret.encode(), shared[user]().encode())
    verifier = broker_files.verifier_of(user)
    return verifier is not None and check_verifier(secret, verifier)


def _is_member(user: str) -> bool:
    return user in {GATEWAY_USER, ENROL_USER} or broker_files.verifier_of(user) is not None


@lru_cache(maxsize=1)
def _rules(text: str) -> AccessList:
    return parse_access_list(text)
