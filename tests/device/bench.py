"""A device on a bench: power that can be cut, a broker that is one dictionary."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from device_firmware_sim.actions import Action, Publish, Reconnect, Subscribe, Unsubscribe
from device_firmware_sim.builds import BUILDS, Build
from device_firmware_sim.device import Device, Setup
from device_firmware_sim.flash import Flash, PowerCut, Supply
from device_firmware_sim.sensors import Camera
from orchestrator.protocol import topics
from orchestrator.protocol.encoding import (
    decode_learn_update,
    decode_report,
    decode_state,
    encode_acknowledgement,
    encode_enrolment_result,
)
from orchestrator.protocol.messages import (
    Acknowledgement,
    EnrolmentAnswer,
    EnrolmentResult,
    LearnUpdate,
    Report,
    State,
    TelemetryPack,
)
from orchestrator.protocol.senml import decode_telemetry
from tests.device.peer import NOW

Carry = Callable[[str, bytes], list[tuple[str, bytes]]]
"""Given a topic and its payload, what arrives now: that, less, more, or what was held before."""


class Bench:
    """One device with its flash folder. `carry` may drop, repeat, hold or change deliveries."""

    device_id = "unit-1"

    def __init__(self, folder: Path, board: str, keys, carry: Carry | None = None, **setup) -> None:
        self.build: Build = BUILDS[board]
        self.folder = folder
        self.now = NOW
        self.retained: dict[str, bytes] = {}
        self.published: list[Publish] = []
        self.subscribed: set[str] = set()
        self.most_subscribed = 0
        self.asked = 0
        self.keeps_telemetry: bool = setup.pop("keeps_telemetry", False)
        self._camera: Camera | None = setup.pop("camera", None)
        self._setup = Setup(self.device_id, self.build, keys, token="t", **setup)
        self.carry = carry or (lambda topic, payload: [(topic, payload)])
        self._actions: deque[Action] = deque()
        self.device: Device | None = None
        self.supply = Supply()

    def set_up(self, **changes) -> None:
        """Another image, from the next power-on: `changes` replace fields of its `Setup`."""
        self._setup = replace(self._setup, **changes)

    def power_on(self, supply: Supply | None = None, *, crashed: bool = False) -> Device:
        """Boot from whatever flash holds. PowerCut may be raised, as from every other method."""
        self.device = None
        self.supply = supply or Supply()
        flash = Flash(self.folder, self.build.slot_bytes, self.build.record_bytes, self.supply)
        self.device = Device(self._setup, flash, self._camera, self.now, crashed=crashed)
        return self.device

    def connect(self) -> None:
        """A new session: nothing is subscribed, everything retained comes again."""
        assert self.device is not None
        self.subscribed.clear()
        self._actions.clear()
        self.device.disconnected()
        self._do(self.device.connected(self.now))

    def join(self) -> None:
        """Power on for the first time, enrol and be accepted."""
        self.power_on()
        self.connect()
        answer = encode_enrolment_result(EnrolmentResult(EnrolmentAnswer.ACCEPTED))
        self.send(topics.enrol_result(self.device_id), answer)

    def send(self, topic: str, payload: bytes, retain: bool = False) -> None:
        """Publish to the device."""
        if retain and payload:
            self.retained[topic] = payload
        elif retain:
            self.retained.pop(topic, None)
        self._deliver(topic, payload)

    def order(self, envelope: bytes) -> None:
        """Publish an order."""
        self.send(topics.desired(self.device_id), envelope, retain=True)

    def pass_time(self, seconds: float) -> None:
        """Let time pass, waking the device as often as it wants to be woken."""
        assert self.device is not None
        end = self.now + seconds
        while self.now < end:
            due_at = self.device.due_at
            self.now = min(max(self.now, due_at if due_at is not None else end), end)
            self._do(self.device.tick(self.now))
            next_at = self.device.due_at
            assert next_at is None or next_at > self.now, "a device that is never content"

    def cut_and_reboot(self, action: Callable[[], None]) -> bool:
        """Do something; where power fails in it, come up again and connect. True: it failed."""
        try:
            action()
        except PowerCut:
            self.power_on()
            self.connect()
            return True
        return False

    @property
    def reports(self) -> list[Report]:
        """What the device has reported, in order."""
        topic = topics.report(self.device_id)
        return [decode_report(p.payload) for p in self.published if p.topic == topic]

    @property
    def words(self) -> list[str]:
        """The statuses of the reports."""
        return [report.status.value for report in self.reports]

    @property
    def said_state(self) -> State:
        """The newest state that was published."""
        topic = topics.state(self.device_id)
        return decode_state([p.payload for p in self.published if p.topic == topic][-1])

    @property
    def learn_updates(self) -> list[LearnUpdate]:
        """What the device has said about learning."""
        topic = topics.learn_update(self.device_id)
        return [decode_learn_update(p.payload) for p in self.published if p.topic == topic]

    def payloads(self, topic: str) -> list[bytes]:
        """Everything published to a topic."""
        return [p.payload for p in self.published if p.topic == topic]

    def _deliver(self, topic: str, payload: bytes) -> None:
        assert self.device is not None
        if topic not in self.subscribed:
            return
        for name, each in self.carry(topic, payload):
            self._actions.extend(self.device.receive(name, each, self.now))
        self._do([])

    def _do(self, actions: list[Action]) -> None:
        self._actions.extend(actions)
        while self._actions:
            self._act(self._actions.popleft())

    def _keep(self, pack: TelemetryPack) -> None:
        kept = encode_acknowledgement(Acknowledgement(pack.boot, pack.sequence))
        self.send(topics.acked(self.device_id), kept, retain=True)

    def _act(self, action: Action) -> None:
        match action:
            case Publish():
                self.published.append(action)
                if self.keeps_telemetry and action.topic == topics.telemetry(self.device_id):
                    self._keep(decode_telemetry(action.payload))
            case Subscribe(wanted):
                self.asked += 1
                self.subscribed |= set(wanted)
                blocks = [t for t in self.subscribed if "/artifacts/" in t]
                self.most_subscribed = max(self.most_subscribed, len(blocks))
                for topic in wanted:
                    if topic in self.retained:
                        self._deliver(topic, self.retained[topic])
            case Unsubscribe(unwanted):
                self.subscribed -= set(unwanted)
            case Reconnect():
                self.connect()
