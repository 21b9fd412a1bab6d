"""The broker's password file and ACL file, one pair for Mosquitto and for the embedded broker.

Devices' secrets are unknown here: a device sends a salted verifier when it enrols, in the form of
Mosquitto's password file (`$7$`, PBKDF2-HMAC-SHA512), and that line is what is written. The two
shared accounts, `gateway` and `enrol`, get secrets of their own, made once.
"""

from __future__ import annotations

import fcntl
import hashlib
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from orchestrator.models import DeviceCredential
from orchestrator.protocol import topics
from orchestrator.protocol.accounts import (
    DEVICE_READS,
    DEVICE_WRITES,
    ENROL_USER,
    ENROLLING,
    GATEWAY_USER,
)
from orchestrator.protocol.enrolment import SALT_BYTES, check_verifier, make_verifier
from registry.files import keep_once, replace_whole
from registry.models import DeviceStatus


def gateway_password() -> str:
    """The gateway's own secret, made at first use (var/keys/gateway-mqtt, mode 0600)."""
    return keep_once(settings.KEYS_DIR / "gateway-mqtt", _new_secret)


def gateway_client_id(name: str) -> str:
    """`name`, and what only who has the gateway's secret can know; the same at every start."""
    return f"{name}-{hashlib.sha256(gateway_password().encode()).hexdigest()[:16]}"


def enrol_password() -> str:
    """The secret of the account that devices enrol with (var/keys/enrol-mqtt, mode 0600)."""
    return keep_once(settings.KEYS_DIR / "enrol-mqtt", _new_secret)


def write_password_file() -> Path:
    """Write var/broker/passwords from the accepted devices; the file changes only if they did."""
    path: Path = settings.BROKER_DIR / "passwords"
    # Rows are read under the lock: of two writers the later one has seen the earlier one's commit.
    with _exclusive(path.with_name("passwords.lock")):
        accounts = {GATEWAY_USER: gateway_password(), ENROL_USER: enrol_password()}
        before = _lines_of(path)
        lines = [_account_line(user, secret, before) for user, secret in accounts.items()]
        lines += [f"{device_id}:{verifier}" for device_id, verifier in _accepted()]
        replace_file(path, "\n".join(lines) + "\n")
    return path


def write_acl_file() -> Path:
    """Write var/broker/acl: what each account may publish and read."""
    path: Path = settings.BROKER_DIR / "acl"
    replace_file(path, access_list())
    return path


def access_list() -> str:
    """The rules in Mosquitto's language. Patterns hold for every user, so `enrol` is denied some.

    `enrol/desired` and `enrol/acked` would be read by the pattern for a device called `enrol`; they
    are the enrolments of devices called so, which carry tokens.
    """
    root = topics.ROOT
    lines = [
        f"user {GATEWAY_USER}",
        f"topic readwrite {root}/#",
        "",
        f"user {ENROL_USER}",
        f"topic deny {root}/artifacts/#",
        *(f"topic deny {root}/enrol/{tail}" for tail in DEVICE_READS),
        *(f"topic write {topic}" for topic in ENROLLING.publishes),
        *(f"topic read {topic}" for topic in ENROLLING.reads),
        "",
        *(f"pattern write {root}/%u/{tail}" for tail in DEVICE_WRITES),
        *(f"pattern read {root}/%u/{tail}" for tail in DEVICE_READS),
        f"pattern read {root}/artifacts/#",
    ]
    return "\n".join(lines) + "\n"


def verifier_of(device_id: str) -> str | None:
    """What an accepted device's secret is checked against; None for anybody else."""
    credentials = DeviceCredential.objects.filter(device__status=DeviceStatus.ACCEPTED)
    found = credentials.filter(device__device_id=device_id)
    return found.values_list("verifier", flat=True).first()


def _accepted() -> Iterable[tuple[str, str]]:
    credentials = DeviceCredential.objects.filter(device__status=DeviceStatus.ACCEPTED)
    by_name = credentials.order_by("device__device_id")
    return by_name.values_list("device__device_id", "verifier")


@contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _new_secret() -> str:
    return secrets.token_urlsafe(32)


def _account_line(user: str, secret: str, before: dict[str, str]) -> str:
    """The account's line as it stood where it still holds: a new salt would be a change."""
    verifier = before.get(user, "")
    if not check_verifier(secret, verifier):
        verifier = make_verifier(secret, secrets.token_bytes(SALT_BYTES))
    return f"{user}:{verifier}"


def _lines_of(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    pairs = (line.partition(":") for line in path.read_text().splitlines())
    return {user: verifier for user, _, verifier in pairs}


def replace_file(path: Path, text: str) -> None:
    """Write a file whole or not at all, readable by its owner alone; unchanged text stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.read_text() == text:
        return
    replace_whole(path, text.encode())
