"""Who may be at the broker, brought to the broker within a fraction of a second.

What holds is in the database; rows of AccessChange only say where to look. So nothing depends on
when somebody dies: a row stays until the broker has answered, a new connection compares everything,
and a command that is repeated changes nothing. It has a connection and a loop of its own, because
shutting a device out must not wait behind what is being delivered.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable

import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError, close_old_connections, connection

from orchestrator.gateways import dynamic_security
from orchestrator.gateways.broker_files import (
    gateway_client_id,
    gateway_password,
    write_password_file,
)
from orchestrator.gateways.dynamic_security import Client, Json
from orchestrator.gateways.mqtt import Account, BrokerLink
from orchestrator.gateways.security_commands import NoAnswer, SecurityCommands
from orchestrator.models import AccessChange
from orchestrator.protocol.accounts import ACCESS_CLIENT_ID, GATEWAY_USER

log = structlog.get_logger(__name__)

DEVICES_AT_ONCE = 3
"""The plug-in writes its file at each command, and its broker does nothing else meanwhile."""

CLIENTS_A_PAGE = 200
"""An answer of some 40 kB, which passes under any limit of messages that passes blocks."""
RETRY_S = 1.0
_UNKNOWN_EPOCH = -1


def broker_members() -> BrokerMembers:
    """Of this installation's broker: with its plug-in, or by the password file alone."""
    if not dynamic_security.security_file().exists():
        return BrokerMembers(None)
    account = Account(
        settings.MQTT_HOST,
        settings.MQTT_PORT,
        GATEWAY_USER,
        gateway_password(),
        gateway_client_id(ACCESS_CLIENT_ID),
    )
    return BrokerMembers(SecurityCommands(BrokerLink(account, [dynamic_security.RESPONSE_TOPIC])))


class BrokerMembers:
    """Keeps the password file and, if there is one, the plug-in as the database says."""

    def __init__(self, commands: SecurityCommands | None) -> None:
        self._commands = commands
        self._epoch = _UNKNOWN_EPOCH
        self._known: dict[str, Client] = {}
        self._due: list[str] = []

    @property
    def is_connected(self) -> bool:
        """Whether the plug-in can be spoken to."""
        return self._commands is not None and self._commands.epoch > 0

    @property
    def is_behind(self) -> bool:
        """Whether the last comparison found more than has been told since."""
        return bool(self._due)

    def start(self) -> None:
        """Begin to connect."""
        if self._commands is not None:
            self._commands.start()

    def stop(self) -> None:
        """Leave the broker."""
        if self._commands is not None:
            self._commands.stop()

    def run(self, stop: threading.Event) -> None:
        """Until `stop` is set; sets it where something breaks that no waiting mends."""
        self.start()
        try:
            while not stop.is_set():
                stop.wait(self._step_safely())
        finally:
            stop.set()
            self.stop()
            connection.close()

    def step(self) -> float:
        """Bring a few devices in line; the seconds after which there may be more to do.

        Raises NoAnswer where the broker is silent: the next step compares everything again.
        """
        started = time.monotonic()
        if self._commands is not None and self._commands.epoch != self._epoch:
            self._compare()
        changes = list(AccessChange.objects.order_by("admits", "pk")[:DEVICES_AT_ONCE])
        if changes:
            write_password_file()
        names = {*(change.device_id for change in changes), *self._next_due()}
        self._bring_in_line(names, {change.device_id for change in changes if change.rekeys})
        AccessChange.objects.filter(pk__in=[change.pk for change in changes]).delete()
        if changes or self._due:
            # As long again as it took: the broker serves everybody else in between.
            return time.monotonic() - started
        return float(settings.ACCESS_POLL_S)

    def _step_safely(self) -> float:
        try:
            close_old_connections()
            return self.step()
        except (DatabaseError, InterfaceError) as error:
            log.error("database_failed", retry_in_s=RETRY_S, error=str(error))
        except NoAnswer as silence:
            log.warning("broker_silent", retry_in_s=RETRY_S, reason=str(silence))
        self._epoch = _UNKNOWN_EPOCH
        return RETRY_S

    def _compare(self) -> None:
        """A new connection: the broker may have started from an older file."""
        epoch = self._commands.epoch if self._commands is not None else 0
        self._known, self._due = {}, []
        if epoch:
            self._known = self._ask_for_clients()
            self._due = self._differences()
            log.info("broker_compared", accounts=len(self._known), differences=len(self._due))
        self._epoch = epoch

    def _ask_for_clients(self) -> dict[str, Client]:
        clients: dict[str, Client] = {}
        while True:
            page = self._ask([dynamic_security.list_clients(len(clients), CLIENTS_A_PAGE)])
            found = dynamic_security.read_clients(page[0])
            clients |= found
            if len(found) < CLIENTS_A_PAGE:
                return clients

    def _differences(self) -> list[str]:
        """Names to bring in line, those that are to go first."""
        members = dynamic_security.member_ids()
        wanted = set(members)
        present = {user for user in self._known if dynamic_security.is_device(user)}
        out = (present | set(dynamic_security.revoked_ids())) - wanted
        leaving = [
            user for user in out if self._known.get(user) != dynamic_security.as_stranger(user)
        ]
        joining = [
            user for user in members if self._known.get(user) != dynamic_security.as_member(user)
        ]
        return leaving + joining

    def _next_due(self) -> Iterable[str]:
        chosen, self._due = self._due[:DEVICES_AT_ONCE], self._due[DEVICES_AT_ONCE:]
        return chosen

    def _bring_in_line(self, names: set[str], rekeyed: set[str]) -> None:
        if self._commands is None or self._epoch <= 0 or not names:
            return
        members = set(dynamic_security.member_ids(names))
        commands: list[Json] = []
        for name in sorted(names - members):
            before = self._known.get(name)
            shut_out = dynamic_security.exclusion(name, before)
            again = dynamic_security.interruption(name, before) if name in rekeyed else []
            commands += shut_out or again
        for name in sorted(names & members):
            before = self._known.get(name)
            commands += dynamic_security.interruption(name, before) if name in rekeyed else []
            commands += dynamic_security.admission(name, before)
        if commands:
            self._ask(commands)
        as_member, as_stranger = dynamic_security.as_member, dynamic_security.as_stranger
        for name in names:
            self._known[name] = as_member(name) if name in members else as_stranger(name)
            log.info("broker_told", device=name, admitted=name in members)

    def _ask(self, commands: list[Json]) -> list[Json]:
        if self._commands is None:
            raise NoAnswer("this broker has no plug-in")
        return self._commands.ask(commands)
