"""Mosquitto's dynamic-security plug-in: its file, and the commands that change it while it runs.

The plug-in binds each account to its client id, refuses subscriptions to foreign topics, and ends a
connection at the very command that shuts its account out. It has no account's secret: it leaves
that to the password file, as it does what a member may publish and receive to the ACL file, whose
patterns need no line for each device. (Mosquitto 2.0 has no `%u` in roles, and writes its whole
file at every command, so every line for each device is paid for at every change.)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import orjson
from django.conf import settings

from orchestrator.gateways.broker_files import replace_file
from orchestrator.models import DeviceCredential
from orchestrator.protocol import topics
from orchestrator.protocol.accounts import ENROL_USER, ENROLLING, GATEWAY_USER, SERVER
from registry.models import Device, DeviceStatus

CONTROL_TOPIC = "$CONTROL/dynamic-security/v1"
RESPONSE_TOPIC = f"{CONTROL_TOPIC}/response"

Json: TypeAlias = Mapping[str, Any]

_MEMBER_ROLE = "member"
_SHUT_OUT_ROLE = "shut-out"
_EVERYTHING = "#"
"""Of a role: every filter that there is, `$share/...` and `$SYS/...` too."""


@dataclass(frozen=True, slots=True)
class Client:
    """An account as the plug-in has it."""

    client_id: str
    enabled: bool
    roles: frozenset[str]


def security_file() -> Path:
    """Where the plug-in keeps what it knows. The file is there exactly where Mosquitto uses it."""
    path: Path = settings.BROKER_DIR / "dynamic-security.json"
    return path


def write_security_file() -> None:
    """Write all of it from the database; the plug-in reads it when Mosquitto starts."""
    replace_file(security_file(), security_text(member_ids(), revoked_ids()))


def security_text(members: Iterable[str], revoked: Iterable[str] = ()) -> str:
    """The file in which these devices are members, and those shut out."""
    members = list(members)
    content = {
        "defaultACLAccess": {
            "publishClientSend": False,
            "publishClientReceive": False,
            "subscribe": False,
            "unsubscribe": True,
        },
        "clients": [
            _client(GATEWAY_USER, "", [GATEWAY_USER]),
            _client(ENROL_USER, "", [ENROL_USER]),
            *(_member(device_id) for device_id in members),
            *(_stranger(device_id) | {"disabled": True} for device_id in revoked),
        ],
        "groups": [],
        "roles": [*_shared_roles(), *(_own_role(device_id) for device_id in members)],
    }
    return orjson.dumps(content).decode()


def member_ids(among: Iterable[str] | None = None) -> list[str]:
    """Accepted devices that can sign in; all, or those of the given ones."""
    rows = DeviceCredential.objects.filter(device__status=DeviceStatus.ACCEPTED)
    if among is not None:
        rows = rows.filter(device__device_id__in=list(among))
    return list(rows.order_by("device__device_id").values_list("device__device_id", flat=True))


def revoked_ids() -> list[str]:
    """Devices that were members. Their names stay shut out: a certificate may outlive this."""
    rows = Device.objects.filter(status=DeviceStatus.REVOKED).order_by("device_id")
    return list(rows.values_list("device_id", flat=True))


def as_member(device_id: str) -> Client:
    """What the plug-in is to have of a member."""
    return Client(device_id, True, frozenset({_own_role_name(device_id), _MEMBER_ROLE}))


def as_stranger(device_id: str) -> Client:
    """What the plug-in is to have of one that was shut out: nothing, whatever lets it sign in."""
    return Client(device_id, False, frozenset({_SHUT_OUT_ROLE}))


def admission(device_id: str, before: Client | None) -> list[Json]:
    """Commands that make a member of whatever the plug-in has under this name."""
    if before == as_member(device_id):
        return []
    role = {"command": "createRole", **_own_role(device_id)}
    if before is None:
        return [role, {"command": "createClient", **_member(device_id)}]
    return [
        role,
        {"command": "modifyClient", **_member(device_id)},
        {"command": "enableClient", "username": device_id},
    ]


def exclusion(device_id: str, before: Client | None) -> list[Json]:
    """Commands that shut an account out. The first one ends its connection."""
    if before == as_stranger(device_id):
        return []
    stranger = _stranger(device_id)
    disable = {"command": "disableClient", "username": device_id}
    if before is None:
        return [{"command": "createClient", **stranger}, disable]
    return [
        disable,
        {"command": "modifyClient", **stranger},
        {"command": "deleteRole", "rolename": _own_role_name(device_id)},
    ]


def interruption(device_id: str, before: Client | None) -> list[Json]:
    """Commands that end a connection; a member may come back, if it has what counts now.

    One that is shut out may have come in once more by a certificate that the broker did not yet
    know to be withdrawn: it could do nothing there, and now it goes.
    """
    if before is None:
        return []
    words = ("disableClient", "enableClient") if before.enabled else ("disableClient",)
    return [{"command": word, "username": device_id} for word in words]


def list_clients(offset: int, count: int) -> Json:
    """The command that asks for a page of accounts."""
    return {"command": "listClients", "verbose": True, "offset": offset, "count": count}


def read_clients(answer: Json) -> dict[str, Client]:
    """Accounts by their names, from the answer to `list_clients`; ValueError for another form."""
    try:
        return {
            row["username"]: Client(
                client_id=row.get("clientid", ""),
                enabled=not row.get("disabled", False),
                roles=frozenset(role["rolename"] for role in row["roles"]),
            )
            for row in answer["data"]["clients"]
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"no list of clients: {str(answer)[:200]}") from error


def is_device(user: str) -> bool:
    """Whether an account in the plug-in is one that we keep there for a device."""
    try:
        topics.check_device_id(user)
    except topics.TopicError:
        return False
    return True


def _client(user: str, client_id: str, roles: Iterable[str]) -> dict[str, Any]:
    """Earlier roles are asked first."""
    ordered = [{"rolename": role, "priority": -place} for place, role in enumerate(roles)]
    bound = {"clientid": client_id} if client_id else {}
    return {"username": user, **bound, "roles": ordered}


def _member(device_id: str) -> dict[str, Any]:
    return _client(device_id, device_id, [_own_role_name(device_id), _MEMBER_ROLE])


def _stranger(device_id: str) -> dict[str, Any]:
    return _client(device_id, device_id, [_SHUT_OUT_ROLE])


def _own_role_name(device_id: str) -> str:
    return f"device {device_id}"


def _own_role(device_id: str) -> dict[str, Any]:
    own = f"{topics.ROOT}/{topics.check_device_id(device_id)}/#"
    return _role(_own_role_name(device_id), _rule("subscribePattern", own))


def _shared_roles() -> list[dict[str, Any]]:
    return [
        _role(
            GATEWAY_USER,
            *(_rule("publishClientSend", topic) for topic in (*SERVER.publishes, CONTROL_TOPIC)),
            *_reading((*SERVER.reads, RESPONSE_TOPIC)),
            *_nothing_else(),
        ),
        _role(
            ENROL_USER,
            *(_rule("publishClientSend", topic) for topic in ENROLLING.publishes),
            *_reading(ENROLLING.reads),
            *_nothing_else(),
        ),
        _role(
            _MEMBER_ROLE,
            _rule("subscribePattern", f"{topics.ROOT}/artifacts/#"),
            _denial("subscribePattern"),
        ),
        _role(_SHUT_OUT_ROLE, *_nothing_else()),
    ]


def _reading(filters: Iterable[str]) -> Iterable[dict[str, Any]]:
    for a_filter in filters:
        yield _rule("subscribePattern", a_filter)
        yield _rule("publishClientReceive", a_filter)


def _nothing_else() -> list[dict[str, Any]]:
    """Without this the ACL file would be asked, which lets everybody subscribe to everything."""
    kinds = ("publishClientSend", "publishClientReceive", "subscribePattern")
    return [_denial(kind) for kind in kinds]


def _role(name: str, *rules: dict[str, Any]) -> dict[str, Any]:
    return {"rolename": name, "acls": list(rules)}


def _rule(kind: str, topic: str) -> dict[str, Any]:
    return {"acltype": kind, "topic": topic, "priority": 1, "allow": True}


def _denial(kind: str) -> dict[str, Any]:
    return {"acltype": kind, "topic": _EVERYTHING, "priority": 0, "allow": False}
