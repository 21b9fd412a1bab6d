"""Mosquitto on this machine: its program, its dynamic-security plug-in, its configuration."""

from __future__ import annotations

import os
import shutil
import sysconfig
from pathlib import Path

import structlog
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, close_old_connections

from deploy import boards
from orchestrator.gateways.dynamic_security import security_file, write_security_file

log = structlog.get_logger(__name__)

_PLUGIN_NAME = "mosquitto_dynamic_security.so"
_LIBRARIES = ("/usr/lib", "/usr/lib64", "/usr/local/lib", "/opt/homebrew/lib", "/opt/local/lib")

WITHOUT_PLUGIN = (
    "Mosquitto's dynamic-security plug-in was not found (TINYFLEET_MOSQUITTO_PLUGIN may name it): "
    "client ids are not held to their accounts; docs/how-to/broker.md tells what that means"
)


def program() -> str | None:
    """Mosquitto's program, or None where amqtt is to serve instead."""
    if settings.BROKER not in {"auto", "mosquitto", "amqtt"}:
        raise ImproperlyConfigured(
            f"TINYFLEET_BROKER={settings.BROKER!r} is none of auto, mosquitto and amqtt"
        )
    if settings.BROKER == "amqtt":
        return None
    # Debian puts it where a user's PATH does not look.
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    found = shutil.which("mosquitto", path=path)
    if settings.BROKER == "mosquitto" and found is None:
        raise ImproperlyConfigured(
            "TINYFLEET_BROKER=mosquitto, but Mosquitto is not installed; "
            "install it or choose TINYFLEET_BROKER=amqtt"
        )
    return found


def plugin() -> Path | None:
    """The plug-in that Mosquitto is to load; None where there is none, or none is wanted."""
    named = settings.MOSQUITTO_PLUGIN
    if named == "none":
        return None
    if named != "auto":
        if not Path(named).is_file():
            raise ImproperlyConfigured(
                f"TINYFLEET_MOSQUITTO_PLUGIN={named!r} is no file; name {_PLUGIN_NAME} with its "
                "folder, or write auto or none"
            )
        return Path(named)
    return next((path for path in _places() if path.is_file()), None)


def configuration(plugin_path: Path | None) -> Path:
    """Write the configuration file; `refresh` writes what the plug-in reads."""
    template = settings.BASE_DIR / "deploy" / "broker" / "mosquitto.conf.template"
    path: Path = settings.BROKER_DIR / "mosquitto.conf"
    path.write_text(
        template.read_text().format(
            host=settings.MQTT_HOST,
            port=settings.MQTT_PORT,
            directory=settings.BROKER_DIR,
            plugin=plugin_lines(plugin_path, security_file()),
            max_message_bytes=settings.BROKER_MAX_MESSAGE_BYTES,
        )
        + boards.mosquitto_listener()
    )
    if plugin_path is None:
        security_file().unlink(missing_ok=True)  # its presence tells the gateway of the plug-in
    return path


def plugin_lines(plugin_path: Path | None, security: Path) -> str:
    """What the configuration says of the plug-in."""
    if plugin_path is None:
        return "# no dynamic-security plug-in: the two files decide alone"
    return f"plugin {plugin_path}\nplugin_opt_config_file {security}"


def refresh() -> None:
    """Before each start: who was shut out while Mosquitto was away is in the database alone."""
    try:
        write_security_file()
    except (DatabaseError, OSError) as error:
        log.error("security_file_is_older", error=str(error))
    finally:
        close_old_connections()


def _places() -> list[Path]:
    """This machine's own architecture first; Debian keeps a folder for each."""
    own = sysconfig.get_config_var("MULTIARCH") or ""
    roots = [Path(root) for root in _LIBRARIES]
    places = [root / own / _PLUGIN_NAME for root in roots]
    places += [root / folder / _PLUGIN_NAME for root in roots for folder in ("", "mosquitto")]
    return places + [found for root in roots for found in sorted(root.glob(f"*/{_PLUGIN_NAME}"))]
