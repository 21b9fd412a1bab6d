"""Who signs in at the broker, under which client id, and what each account may publish and read.

A client id belongs to one account: whoever connects with a client id that is in use ends the other
connection (MQTT 3.1.1, 3.1.4-2), so an account that could choose freely could put any other off the
air. The server's own account may choose; it is trusted with everything under the root anyway.
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.protocol.topics import ENROLLING_PREFIX, ROOT, TopicError, check_device_id

GATEWAY_USER = "gateway"
ENROL_USER = "enrol"
GATEWAY_CLIENT_ID = "tinyfleet-gateway"
"""The server's two connections have client ids that begin so, and end in what nobody can guess:
not every broker holds the shared account to its own client ids."""
ACCESS_CLIENT_ID = "tinyfleet-access"
ENTRANCE_CLIENT_ID = "tinyfleet-entrance"

DEVICE_WRITES = ("td", "online", "state", "report", "telemetry", "learn/update")
DEVICE_READS = ("desired", "acked", "learn/task")


@dataclass(frozen=True, slots=True)
class Role:
    """What an account may do: filters that cover what it publishes, and what it is sent."""

    publishes: tuple[str, ...]
    reads: tuple[str, ...]


SERVER = Role((f"{ROOT}/#",), (f"{ROOT}/#",))
ENROLLING = Role((f"{ROOT}/enrol/+",), (f"{ROOT}/enrol/+/result",))


def may_use_client_id(user: str, client_id: str) -> bool:
    """Whether the account may connect under this client id."""
    if user == GATEWAY_USER:
        return True
    if user == ENROL_USER:
        return _is_enrolling(client_id)
    return client_id == user


def _is_enrolling(client_id: str) -> bool:
    if not client_id.startswith(ENROLLING_PREFIX):
        return False
    try:
        check_device_id(client_id.removeprefix(ENROLLING_PREFIX))
    except TopicError:
        return False
    return True
