"""Has the signer sign what waits for it; no transaction is open while it is asked."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import structlog
from django.db import DatabaseError

from orchestrator.gateways.signing import (
    SignerUnreachable,
    SigningClient,
    SigningRefused,
    TwoSigners,
)
from orchestrator.models import Deployment, LearningTask
from orchestrator.protocol.manifest import Manifest
from orchestrator.services import deployments, learning

log = structlog.get_logger(__name__)

BACK_OFF_MIN_S = 0.5
BACK_OFF_MAX_S = 15.0
STORAGE_RETRY_S = 30.0
MANIFESTS_AT_ONCE = 500


class Signing:
    """Signs manifests and learning tasks; waits longer and longer for a signer that is away."""

    def __init__(
        self, signer: SigningClient | TwoSigners, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._signer = signer
        self._clock = clock
        self._back_off_s = BACK_OFF_MIN_S
        self._not_before = 0.0
        self._unreadable: dict[UUID, float] = {}

    def sign_waiting(self, now: datetime) -> int:
        """Sign some of what waits; returns how many were signed. What remains waits on."""
        if self._clock() < self._not_before:
            return 0
        try:
            signed = self._sign_manifests(now)
            signed += sum(self._sign_task(task, now) for task in learning.pending_tasks())
        except SignerUnreachable as error:
            log.warning("signer_unreachable", error=str(error), retry_in_s=self._back_off_s)
            self._not_before = self._clock() + self._back_off_s
            self._back_off_s = min(2 * self._back_off_s, BACK_OFF_MAX_S)
            return 0
        self._back_off_s = BACK_OFF_MIN_S
        return signed

    def _sign_manifests(self, now: datetime) -> int:
        """Some hundreds at a time: one transaction numbers them, one keeps what was signed."""
        waiting = deployments.pending_manifests(now, limit=MANIFESTS_AT_ONCE)
        ready = [each for each in waiting if self._clock() >= self._unreadable.get(each.pk, 0.0)]
        if not ready:
            return 0
        deployments.number(ready)
        making = deployments.Orders(now)
        orders = [(each, self._order(making, each, now)) for each in ready]
        to_sign = [(each, order) for each, order in orders if order is not None]
        answers = self._signer.sign_manifests([order for _, order in to_sign])
        signed: list[tuple[Deployment, bytes]] = []
        for (deployment, _), answer in zip(to_sign, answers, strict=True):
            if isinstance(answer, SigningRefused):
                _refuse(deployment, str(answer), now)
            else:
                signed.append((deployment, answer))
        return deployments.attach_manifests(signed, now)

    def _order(
        self, making: deployments.Orders, deployment: Deployment, now: datetime
    ) -> Manifest | None:
        """The manifest to sign. None where there is none now, or none at all: that ends it.

        Making one may run the network for its self-test, so anything may go wrong here, and one
        network that cannot run must not keep the others from being sent.
        """
        try:
            return making.order(deployment)
        except deployments.ManifestImpossible as error:
            _refuse(deployment, str(error), now)
        except OSError as error:
            log.error("artifact_unreadable", deployment=str(deployment.pk), error=str(error))
            self._unreadable[deployment.pk] = self._clock() + STORAGE_RETRY_S
        except DatabaseError:
            raise
        except Exception as error:
            log.exception("manifest_failed", deployment=str(deployment.pk))
            _refuse(deployment, f"no manifest can be made: {error}", now)
        return None

    def _sign_task(self, task: LearningTask, now: datetime) -> bool:
        try:
            envelope = self._signer.sign_task(learning.task_order(task))
        except SigningRefused as error:
            log.error("learning_task_refused", task=str(task.pk), reason=str(error))
            learning.refuse_to_send(task, str(error), now)
            return False
        return learning.attach_task(task, envelope)


def _refuse(deployment: Deployment, why: str, now: datetime) -> None:
    log.error("manifest_refused", deployment=str(deployment.pk), reason=why)
    deployments.refuse_to_send(deployment, why, now)
