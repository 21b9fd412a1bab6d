"""A device without input and output: messages and time go in, actions come out.

Everything that a reboot must not lose is in flash; everything else is rebuilt by `Device` from it.
Every message may come twice, late or never: what comes again is answered again or ignored, and on
each connection the device says anew what it is, that it is there, and what it runs.
"""

from __future__ import annotations

import logging
import zlib

from device_firmware_sim.actions import Account, Action, Publish, Reconnect, Subscribe
from device_firmware_sim.flash import Flash
from device_firmware_sim.installed import Installed
from device_firmware_sim.joining import Joining
from device_firmware_sim.learning.learner import Learner
from device_firmware_sim.runtime import Runtime
from device_firmware_sim.sampling import Sampler
from device_firmware_sim.sensors import Camera
from device_firmware_sim.setup import Setup
from device_firmware_sim.td import thing_description
from device_firmware_sim.telemetry import Ring
from device_firmware_sim.trial import Watch
from device_firmware_sim.updates import Updater
from orchestrator.protocol import topics
from orchestrator.protocol.encoding import (
    MessageError,
    decode_acknowledgement,
    encode_learn_update,
    encode_online,
    encode_state,
)
from orchestrator.protocol.messages import LearnUpdate, Online, State
from orchestrator.protocol.refusal import TaskError
from orchestrator.protocol.senml import encode_telemetry
from orchestrator.protocol.topics import TopicError, TopicKind

log = logging.getLogger(__name__)

REPEAT_AFTER_S = 300.0


class Device:
    """One unit, from power-on or a crash. `now` is UNIX seconds everywhere."""

    def __init__(
        self,
        setup: Setup,
        flash: Flash,
        camera: Camera | None,
        now: float,
        *,
        crashed: bool = False,
    ) -> None:
        build = setup.build
        self.device_id = topics.check_device_id(setup.device_id)
        self.setup = setup
        self._flash = flash
        runtime = Runtime(
            build.kernels,
            build.operators,
            build.arena_budget_bytes,
            setup.known_arenas,
            setup.arena_error,
            setup.crashes_with,
        )
        known = (self.device_id, setup.token, flash.identity, setup.enrol_password)
        self._joining = Joining(*known, flash.credential if setup.over_tls else None)
        watch = Watch(setup.trial_s)
        watch.begin(now)
        self._installed = Installed(flash, runtime, watch, crashed=crashed)
        self._updater = Updater(
            self.device_id, build, flash, runtime, setup.keys, setup.authors, self._installed
        )
        self._learner = Learner(self.device_id, setup.keys, flash.adapted)
        self._sampler = Sampler(
            build,
            runtime,
            self._learner,
            camera,
            setup.samples_per_second,
            setup.samples_per_pack,
        )
        self._attached = self._installed.network
        self._sampler.attach(self._attached, now)
        self._ring = Ring(self.boot, build.ring_packs)
        self._said: State | None = None
        self._repeat_at: float | None = None
        self._is_connected = False
        # Spread by name, so that a fleet that came up together does not speak together.
        self._repeat_s = REPEAT_AFTER_S * (1 + zlib.crc32(self.device_id.encode()) / 2**32)

    @property
    def boot(self) -> int:
        """How often the device has booted."""
        return self._installed.boot.boot

    @property
    def is_member(self) -> bool:
        """Whether the device signs in as itself; before that it can only ask to join."""
        return self._joining.is_member

    @property
    def state(self) -> State:
        """What runs here. `sequence` is that of the newest order that has ended."""
        record = self._installed.boot
        image = record.running
        return State(
            digest=None if image is None else image.digest.hex(),
            slot=None if image is None else record.active,
            sequence=record.settled,
            boot=record.boot,
        )

    def account(self) -> Account:
        """How to sign in to the broker now."""
        return self._joining.account(self._presence(online=False))

    def farewell(self) -> list[Action]:
        """What to say before an orderly departure, in place of the last will."""
        return [self._presence(online=False)] if self._joining.is_member else []

    def refused(self) -> None:
        """The broker did not take the account."""
        self._joining.refused()

    def missed(self) -> None:
        """An attempt to connect came to nothing, for whatever reason."""
        self._joining.missed()

    def disconnected(self) -> None:
        """The connection is gone; work goes on, words wait."""
        self._is_connected = False
        self._installed.watch.disconnected()

    def connected(self, now: float) -> list[Action]:
        """Signed in: say everything that the server or the broker may have lost."""
        self._is_connected = True
        self._repeat_at = None
        if not self._joining.is_member:
            return self._joining.connected(now)
        self._joining.connected(now)
        self._installed.watch.connected(now)
        self._ring.rewind()
        self._said = None
        self._repeat_at = now + self._repeat_s
        mine = (topics.desired, topics.acked, topics.learn_task)
        return [
            self._td(),
            self._presence(online=True),
            *self._changed_state(),
            Subscribe(tuple(topic(self.device_id) for topic in mine)),
            *self._updater.connected(now),
            *self._packs_to_send(now),
        ]

    def receive(self, topic: str, payload: bytes, now: float) -> list[Action]:
        """A message. One that makes no sense is logged and changes nothing."""
        try:
            return self._dispatch(topic, payload, now)
        except (TopicError, MessageError, TaskError) as error:
            log.warning("device=%s topic=%s ignored: %s", self.device_id, topic, error)
            return []

    @property
    def due_at(self) -> float | None:
        """When `tick` next has something to do; None: nothing before a message comes."""
        due = [self._sampler.due_at, self._installed.trial_due_at(self._sampler.has_run)]
        if self._is_connected:
            due += [self._joining.due_at, self._updater.due_at, self._ring.resend_at]
            due.append(self._repeat_at)
        return min((at for at in due if at is not None), default=None)

    def tick(self, now: float) -> list[Action]:
        """Do what is due: samples, blocks that did not come, words that were not heard, a trial."""
        packs, updates = self._sampler.run(now)
        self._installed.judge(now, self._sampler.has_run)
        self._attach(now)
        for pack in packs:
            self._ring.put(pack)
        actions: list[Action] = [self._learn_update(update) for update in updates]
        if not self._is_connected:
            return []
        self._ring.resend(now)
        actions += self._packs_to_send(now)
        actions += self._joining.tick(now)
        actions += self._after_update(self._updater.tick(now), now)
        return actions + self._repetition(now)

    def _dispatch(self, name: str, payload: bytes, now: float) -> list[Action]:
        topic = topics.parse(name)
        if topic.kind is TopicKind.ARTIFACT_BLOCK:
            return self._after_update(self._updater.block(topic, payload, now), now)
        if topic.device != self.device_id:
            raise TopicError("another device's")
        match topic.kind:
            case TopicKind.ENROL_RESULT:
                return self._joining.answer(payload, now)
            case TopicKind.DESIRED:
                return self._after_update(self._updater.desired(payload, now), now)
            case TopicKind.ACKED if payload:
                return self._acknowledged(payload, now)
            case TopicKind.LEARN_TASK if payload:
                update = self._learner.receive(payload, now)
                return [] if update is None else [self._learn_update(update)]
        return []

    def _acknowledged(self, payload: bytes, now: float) -> list[Action]:
        """How far the server has kept telemetry.

        A word about a boot that has not been yet: this flash was wiped, and the numbers of its new
        life are taken already. The device goes on after the last one; its will must say so too.
        """
        kept = decode_acknowledgement(payload)
        if kept.boot > self.boot:
            log.warning("device=%s lost %d packs: wiped", self.device_id, len(self._ring))
            self._updater.renumber(kept.boot + 1)
            self._ring = Ring(self.boot, self.setup.build.ring_packs)
            return [Reconnect()]
        self._ring.acknowledge(kept, now)
        return self._packs_to_send(now)

    def _after_update(self, actions: list[Action], now: float) -> list[Action]:
        """Run what the updater has committed, and say what runs where that has changed."""
        self._attach(now)
        return [*actions, *self._changed_state()]

    def _attach(self, now: float) -> None:
        if self._installed.network is not self._attached:
            self._attached = self._installed.network
            self._sampler.attach(self._attached, now)

    def _repetition(self, now: float) -> list[Action]:
        """What the device is, what it runs and its last word, again: a broker's queue overflows."""
        if self._repeat_at is None or now < self._repeat_at:
            return []
        self._repeat_at = now + self._repeat_s
        self._said = None
        last = self._updater.last_word
        said = [self._td(), *self._changed_state()]
        return said if last is None else [*said, last]

    def _td(self) -> Publish:
        setup = self.setup
        td = thing_description(self.device_id, setup.build, setup.host, setup.port)
        return Publish(topics.td(self.device_id), td, retain=True)

    def _changed_state(self) -> list[Action]:
        state = self.state
        if not self._joining.is_member or state == self._said:
            return []
        self._said = state
        return [Publish(topics.state(self.device_id), encode_state(state), retain=True)]

    def _packs_to_send(self, now: float) -> list[Action]:
        if not self._joining.is_member:
            return []
        topic, cbor = topics.telemetry(self.device_id), self.setup.build.speaks_cbor
        return [
            Publish(topic, encode_telemetry(self.device_id, pack, cbor))
            for pack in self._ring.take(now)
        ]

    def _learn_update(self, update: LearnUpdate) -> Publish:
        return Publish(topics.learn_update(self.device_id), encode_learn_update(update))

    def _presence(self, *, online: bool) -> Publish:
        payload = encode_online(Online(online, self.boot))
        return Publish(topics.online(self.device_id), payload, retain=True)
