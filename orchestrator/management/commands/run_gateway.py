"""The only MQTT client of the server."""

from __future__ import annotations

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand

from orchestrator.services.mqtt_gateway import build_gateway


class Command(BaseCommand):
    help = "Keep the server's connection to the MQTT broker until SIGTERM or Ctrl-C."

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda got, frame: stop.set())
        build_gateway().run(stop, lambda: self._say("gateway ready"))
        self._say("gateway stopped")

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()
