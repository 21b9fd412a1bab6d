"""Commands to Mosquitto's dynamic-security plug-in, each answered before the next is sent."""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Iterable, Mapping
from typing import Any

import orjson
import structlog
from django.conf import settings

from orchestrator.gateways.dynamic_security import CONTROL_TOPIC, Json
from orchestrator.gateways.mqtt import BrokerLink, Delivery

log = structlog.get_logger(__name__)

_LISTEN_S = 0.2
_ANSWERS_AT_ONCE = 50


class NoAnswer(Exception):
    """The broker was not there, went away, or took too long; what it did is not known."""


class SecurityCommands:
    """Asks over one connection of its own. Answers of an earlier connection are thrown away."""

    def __init__(self, link: BrokerLink) -> None:
        self._link = link
        self._name = secrets.token_hex(4)
        self._numbers = itertools.count(1)

    @property
    def epoch(self) -> int:
        """As of `BrokerLink`: number of the present connection, 0 without one."""
        return self._link.epoch

    def start(self) -> None:
        """Begin to connect."""
        self._link.start()

    def stop(self) -> None:
        """Leave the broker."""
        self._link.stop()

    def ask(self, commands: Iterable[Json]) -> list[Json]:
        """The broker's answers, one a command; NoAnswer.

        An answer with `error` is only logged: of a command that is repeated, as after a crash, it
        says that there is nothing to do, and where it says more the next comparison finds it.
        """
        epoch = self._link.epoch
        question = f"{self._name}-{next(self._numbers)}"
        marked = [{**command, "correlationData": question} for command in commands]
        self._link.publish(CONTROL_TOPIC, orjson.dumps({"commands": marked}), False)
        answers: list[Json] = []
        until = time.monotonic() + settings.NETWORK_TIMEOUT_S
        while len(answers) < len(marked):
            if not epoch or self._link.epoch != epoch or time.monotonic() > until:
                raise NoAnswer(f"{len(answers)} of {len(marked)} commands were answered")
            answers += self._heard(question)
        return answers

    def _heard(self, question: str) -> list[Json]:
        deliveries = self._link.take(_ANSWERS_AT_ONCE, _LISTEN_S, 0.0)
        self._link.acknowledge(deliveries)
        found = [answer for delivery in deliveries for answer in _answers(delivery)]
        ours = [answer for answer in found if answer.get("correlationData") == question]
        for answer in ours:
            if "error" in answer:
                log.info("command_refused", command=answer.get("command"), error=answer["error"])
        return ours


def _answers(delivery: Delivery) -> list[Mapping[str, Any]]:
    try:
        answers = orjson.loads(delivery.payload)["responses"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        log.warning("answer_unreadable", payload=delivery.payload[:200])
        return []
    return [answer for answer in answers if isinstance(answer, dict)]
