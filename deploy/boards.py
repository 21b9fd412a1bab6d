"""Real boards: where they connect over TLS, and what the brokers are told of it."""

from __future__ import annotations

import hashlib
import ipaddress
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from deploy import server_certificate
from deploy.authority import fingerprint
from deploy.ports import Endpoint
from deploy.supervisor import ProcessSpec
from orchestrator.gateways.broker_files import enrol_password, replace_file
from orchestrator.gateways.certificates import revoked_file, tls_folder
from orchestrator.protocol.accounts import ENROL_USER, ENROLLING, ENTRANCE_CLIENT_ID
from orchestrator.protocol.enrolment import SALT_BYTES, make_verifier

_TEMPLATES = settings.BASE_DIR / "deploy" / "broker"


def endpoints() -> list[tuple[str, Endpoint]]:
    """The two listeners for boards; none where no board connects."""
    if not settings.BIND:
        return []
    return [
        ("broker", Endpoint(settings.BIND, settings.MQTTS_PORT, "TINYFLEET_MQTTS_PORT")),
        ("entrance", Endpoint(settings.BIND, settings.ENROL_PORT, "TINYFLEET_ENROL_PORT")),
    ]


def require_plugin(plugin: Path | None) -> None:
    """Refuse boards without it: Mosquitto alone ends no connection that came by a certificate."""
    if settings.BIND and plugin is None:
        raise ImproperlyConfigured(
            "boards need Mosquitto's dynamic-security plug-in, or TINYFLEET_BROKER=amqtt: without "
            "it a revoked board would stay connected"
        )


def mosquitto_listener() -> str:
    """What Mosquitto's configuration says besides; empty where no board connects."""
    if not settings.BIND:
        return ""
    return (
        (_TEMPLATES / "mosquitto-boards.conf.template")
        .read_text()
        .format(
            address=settings.BIND,
            boards_port=settings.MQTTS_PORT,
            authority=settings.AUTHORITY_FILE,
            tls=tls_folder(),
        )
    )


def embedded_options() -> list[str]:
    """What the embedded broker is told besides."""
    if not settings.BIND:
        return []
    return [
        *("--boards", settings.BIND),
        *("--boards-port", str(settings.MQTTS_PORT)),
        *("--entrance-port", str(settings.ENROL_PORT)),
        *("--certificate", str(server_certificate.certificate_file())),
        *("--key", str(server_certificate.key_file())),
        *("--authority", str(settings.AUTHORITY_FILE)),
        *("--revoked", str(revoked_file())),
    ]


def tls_files() -> tuple[Path, ...]:
    """What changes while a broker with boards runs; none where no board connects."""
    return (server_certificate.certificate_file(), revoked_file()) if settings.BIND else ()


def entrance(mosquitto: str) -> ProcessSpec:
    """Mosquitto's second process, where boards enrol."""
    return ProcessSpec(
        "entrance",
        [mosquitto, "-c", str(entrance_configuration())],
        endpoint=dict(endpoints())["entrance"],
        reload_on=(server_certificate.certificate_file(),),
    )


def entrance_configuration() -> Path:
    """Write the entrance's files: one account, its rules, a bridge to the broker behind."""
    folder: Path = settings.BROKER_DIR
    password = enrol_password()
    line = f"{ENROL_USER}:{make_verifier(password, _salt(password))}\n"
    replace_file(folder / "entrance-passwords", line)
    rules = [f"user {ENROL_USER}"]
    rules += [f"topic write {topic}" for topic in ENROLLING.publishes]
    rules += [f"topic read {topic}" for topic in ENROLLING.reads]
    replace_file(folder / "entrance-acl", "\n".join(rules) + "\n")
    text = (_TEMPLATES / "mosquitto-entrance.conf.template").read_text()
    path = folder / "entrance.conf"
    replace_file(path, text.format(**_entrance_names(password)))
    return path


def instructions() -> list[str]:
    """What whoever sets up a board has to know; needs the authority's certificate."""
    pem = settings.AUTHORITY_FILE.read_bytes()
    boards, entrance_at = (str(endpoint) for _, endpoint in endpoints())
    return [
        f"boards sign in at mqtts://{boards} and enrol at mqtts://{entrance_at}",
        f"they may call it {', '.join(server_certificate.server_names())}",
        f"they trust {settings.AUTHORITY_FILE}, SHA-256 {fingerprint(pem)}",
        f"they follow the keys in {settings.KEYS_DIR / 'trust'}, and enrol with the password in "
        f"{settings.KEYS_DIR / 'enrol-mqtt'} and a token: python manage.py issue_token DEVICE",
    ]


def exposed() -> list[str]:
    """A sentence for each address where passwords would go over a foreign network in the clear."""
    places = [
        ("web", settings.WEB_HOST, "put a proxy with TLS in front of it"),
        ("the broker's plain listener", settings.MQTT_HOST, "let boards come by `up --bind`"),
    ]
    return [
        f"warning: {name} listens at {host} without TLS; {advice}"
        for name, host, advice in places
        if not _is_loopback(host)
    ]


def _entrance_names(password: str) -> dict[str, object]:
    return {
        "address": settings.BIND,
        "entrance_port": settings.ENROL_PORT,
        "directory": settings.BROKER_DIR,
        "tls": tls_folder(),
        "max_message_bytes": settings.BROKER_MAX_MESSAGE_BYTES,
        "bridge": ENTRANCE_CLIENT_ID,
        "host": settings.MQTT_HOST,
        "port": settings.MQTT_PORT,
        "enrol_user": ENROL_USER,
        "enrol_password": password,
        "bridged": _bridged(),
    }


def _bridged() -> str:
    """What passes: enrolments to the broker behind, answers from it."""
    out = [f"topic {topic} out 1" for topic in ENROLLING.publishes]
    return "\n".join(out + [f"topic {topic} in 1" for topic in ENROLLING.reads])


def _salt(password: str) -> bytes:
    """From the password itself, which is random: so the file changes only if the password does."""
    return hashlib.sha256(password.encode()).digest()[:SALT_BYTES]


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
