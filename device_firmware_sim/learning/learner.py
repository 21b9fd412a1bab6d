"""What a device does about learning tasks: accept or refuse, adapt, keep, tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from device_firmware_sim.flash import Record
from device_firmware_sim.learning.adapted import (
    ADAPTED_OVERHEAD_BYTES,
    Adapted,
    load_adapted,
    store_adapted,
)
from device_firmware_sim.learning.session import RecentAccuracy, Session
from device_firmware_sim.learning.tinyol import Floats, OnlineLayer, training_bytes
from device_firmware_sim.runtime import Inference, Network
from orchestrator.protocol import acceptance, cose, learning
from orchestrator.protocol.encoding import MAX_WEIGHTS_BYTES
from orchestrator.protocol.messages import LearnStatus, LearnTask, LearnUpdate, ResultCode
from orchestrator.protocol.refusal import TaskError

METHOD = "tinyol"


class TaskRefused(Exception):
    """The device will not start this task; the message is the reason that it sends."""


class Learner:
    """The learning side of one device. `free_bytes` is arena that the network leaves over."""

    def __init__(
        self, device_id: str, keys: Mapping[bytes, cose.PublicKey], record: Record
    ) -> None:
        self._device_id = device_id
        self._keys = keys
        self._record = record
        self._network: Network | None = None
        self._free_bytes = 0
        self._layer: OnlineLayer | None = None
        self._kept: Adapted | None = None
        self._session: Session | None = None
        self.recent = RecentAccuracy()

    def attach(self, network: Network | None, free_bytes: int) -> None:
        """A network begins to run here; what was adapted to another artifact is dropped."""
        self._network = network
        self._free_bytes = free_bytes
        self._session = None
        self.recent = RecentAccuracy()
        self._kept = None if network is None else load_adapted(self._record, network.digest)
        weights = None if self._kept is None else self._kept.weights()
        self._layer = None if weights is None else OnlineLayer(weights)

    @property
    def adapted_samples(self) -> int:
        """How many samples the layer that runs now has learnt from; 0 for the network's own."""
        if self._session is not None:
            return self._session.learnt_before + self._session.samples
        return self._kept.samples if self._kept is not None and self._layer is not None else 0

    @property
    def used_bytes(self) -> int:
        """Arena that the adapted layer takes now."""
        return 0 if self._layer is None else self._layer.state_bytes

    def receive(self, payload: bytes, now: float) -> LearnUpdate | None:
        """A signed task. None where there is nothing to say; TaskError where nobody is to answer:
        the task cannot be read or trusted, or is another device's.
        """
        task = learning.open_task(payload, self._keys)
        if self._session is not None and self._session.task.task == task.task:
            return None
        if self._kept is not None and self._kept.task == task.task:
            return self._kept.update()
        running = None if self._network is None else self._network.digest.hex()
        try:
            acceptance.check_task(task, self._device_id, running, now)
            return self._start(task)
        except TaskRefused as refused:
            return LearnUpdate(task.task, LearnStatus.REFUSED, detail=str(refused))
        except TaskError as error:
            if error.code is ResultCode.WRONG_DEVICE:
                raise
            return LearnUpdate(task.task, LearnStatus.REFUSED, detail=error.detail)

    def classify(self, inference: Inference) -> int:
        """The class, by the adapted layer where there is one."""
        if self._layer is None or inference.features is None:
            return int(np.argmax(inference.logits))
        return self._layer.classify(inference.features)

    def observe(self, inference: Inference, label: int) -> tuple[bool, LearnUpdate | None]:
        """A labelled sample: whether it was classified rightly, and a word where a task ended."""
        session = self._session
        if session is None or inference.features is None:
            hit = self.classify(inference) == label
            self.recent.count(hit)
            return hit, None
        if label >= len(session.layer.layer[0]):
            return False, None
        frozen_hit = int(np.argmax(inference.logits)) == label
        hit = session.learn(inference.features, label, frozen_hit)
        self.recent.count(hit)
        return hit, self._finish(session) if session.is_complete else None

    def _start(self, task: LearnTask) -> LearnUpdate:
        layer = OnlineLayer(self._starting_layer(task))
        before = 0 if self._layer is None or self._kept is None else self._kept.samples
        self._session = Session(task, layer, self.recent.fraction, before)
        self._layer = layer
        return LearnUpdate(
            task=task.task,
            status=LearnStatus.RUNNING,
            accuracy_before=self._session.accuracy_before,
            training_bytes=layer.state_bytes,
        )

    def _starting_layer(self, task: LearnTask) -> Floats:
        """The layer to train: what was adapted before, else the network's own, else zeros."""
        network = self._network
        if network is None or network.features is None:
            raise TaskRefused("the network here does not export its features")
        if task.method != METHOD:
            raise TaskRefused(f"method {task.method!r} is not known here; {METHOD!r} is")
        if self._kept is not None and task.issued_at < self._kept.issued_at:
            raise TaskRefused("a newer task was done already")
        features = int(np.prod(network.features.shape))
        classes = int(np.prod(network.logits.shape))
        self._check_room(features, classes)
        if self._layer is not None:
            return self._layer.layer
        if network.last_layer is None:
            return np.zeros((features + 1, classes), np.float32)
        return np.vstack([network.last_layer.weights, network.last_layer.biases])

    def _check_room(self, features: int, classes: int) -> None:
        needed = training_bytes(features, classes)
        if needed > self._free_bytes:
            raise TaskRefused(
                f"training needs {needed} bytes beside the network, {self._free_bytes} are free"
            )
        layer_bytes = 4 * (features + 1) * classes
        room = min(self._record.limit_bytes - ADAPTED_OVERHEAD_BYTES, MAX_WEIGHTS_BYTES)
        if layer_bytes > room:
            raise TaskRefused(f"a layer of {layer_bytes} bytes exceeds the {room} kept for it")

    def _finish(self, session: Session) -> LearnUpdate:
        """Keep the layer where it helped; go back to what ran before where it did not."""
        self._session = None
        if session.helps:
            kept = _concluded(session, self._digest, LearnStatus.FINISHED)
        else:
            kept = _without_gain(session, self._digest, self._kept)
            weights = kept.weights()
            self._layer = None if weights is None else OnlineLayer(weights)
        self._kept = kept
        store_adapted(self._record, kept)
        return kept.update()

    @property
    def _digest(self) -> bytes:
        assert self._network is not None
        return self._network.digest


def _concluded(session: Session, digest: bytes, status: LearnStatus) -> Adapted:
    rows, columns = session.layer.layer.shape
    return Adapted(
        digest=digest,
        task=session.task.task,
        issued_at=session.task.issued_at,
        status=status,
        detail="",
        task_samples=session.samples,
        samples=session.learnt_before + session.samples,
        accuracy_before=session.accuracy_before,
        accuracy_after=session.accuracy_after,
        training_bytes=session.layer.state_bytes,
        shape=(rows, columns),
        layer=session.layer.layer.astype("<f4").tobytes(),
    )


def _without_gain(session: Session, digest: bytes, before: Adapted | None) -> Adapted:
    """A failed task; the layer is that of before it, or none."""
    detail = (
        f"the adapted layer got {session.tail_hits} of the last {session.tail} right, "
        f"the network's own {session.tail_frozen_hits}; it was dropped"
    )
    return replace(
        _concluded(session, digest, LearnStatus.FAILED),
        detail=detail,
        layer=b"" if before is None else before.layer,
        samples=0 if before is None else before.samples,
    )
