"""The same answers that the two files give a broker, for brokers that ask instead of reading.

Who may sign in comes from the database, so a revoked device is refused from the next question on;
what an account may publish and read comes from the very rules of the ACL file.
"""

from __future__ import annotations

import hmac
import re
from functools import lru_cache

from deploy.broker_rules import Access, AccessList, parse_access_list
from orchestrator.gateways import broker_files
from orchestrator.gateways.broker_files import ENROL_USER, GATEWAY_USER
from orchestrator.protocol.enrolment import check_verifier
from orchestrator.services.mqtt_gateway import CLIENT_ID as GATEWAY_CLIENT

_ENROLLING_CLIENT = re.compile(rf"{ENROL_USER}-[a-z0-9][a-z0-9-]{{0,62}}", re.ASCII)


def may_sign_in(user: str, client: str, secret: str) -> bool:
    """Whether the secret is the account's, and the client id one that it may use."""
    return _may_call_itself(user, client) and _is_secret_of(user, secret)


def may_use(user: str, client: str, access: Access, topic: str) -> bool:
    """Whether a client that signed in may publish to a topic, or subscribe to a filter."""
    if not _may_call_itself(user, client) or not _is_member(user):
        return False
    return _rules(broker_files.access_list()).permits(user, client, access, topic)


def _may_call_itself(user: str, client: str) -> bool:
    """An account with another's client id would end the other's connection (MQTT 3.1.4-2)."""
    if user == GATEWAY_USER:
        return client == GATEWAY_CLIENT
    if user == ENROL_USER:
        return _ENROLLING_CLIENT.fullmatch(client) is not None
    return client == user


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
