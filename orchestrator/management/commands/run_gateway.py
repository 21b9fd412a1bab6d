"""The only MQTT client of the server."""

from __future__ import annotations

import signal
import sys
import threading
from typing import Any

from django.core.management.base import BaseCommand

from orchestrator.services.broker_members import broker_members
from orchestrator.services.mqtt_gateway import build_gateway

SWITCH_S = 0.0005
"""How long one thread may keep the interpreter: paho's gives it up at each of its many small reads,
and at Python's 5 ms could send some dozens of messages a second while a batch is taken."""


class Command(BaseCommand):
    help = "Keep the server's connection to the MQTT broker until SIGTERM or Ctrl-C."

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda got, frame: stop.set())
        members = threading.Thread(target=broker_members().run, args=[stop], name="members")
        members.start()
        sys.setswitchinterval(SWITCH_S)
        try:
            build_gateway().run(stop, lambda: self._say("gateway ready"))
        finally:
            stop.set()
            members.join()
        self._say("gateway stopped")

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()
