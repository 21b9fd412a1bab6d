"""One device's update, from the signed order to the commit.

desired -> signature -> acceptance -> blocks into the inactive slot -> digest -> load -> self-test
-> boot record. Whatever happens before the boot record is stored, the old network runs on; once it
is stored, the new one does. Power may fail at any write; the retained order then comes again, and
what is in flash already is not fetched again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from device_firmware_sim.actions import Action, Publish
from device_firmware_sim.boot import (
    BlockJournal,
    BootRecord,
    Image,
    Outcome,
)
from device_firmware_sim.bootloader import (
    UpdateFailed,
    examine,
)
from device_firmware_sim.builds import RUNTIME_NAME, Build
from device_firmware_sim.download import Download, DownloadFailed, choose_exponent
from device_firmware_sim.flash import Flash, FlashError
from device_firmware_sim.installed import Installed
from device_firmware_sim.reports import Reporter
from device_firmware_sim.runtime import Runtime
from orchestrator.protocol import acceptance, cose
from orchestrator.protocol.manifest import VENDOR_ID, Manifest, class_id, open_envelope
from orchestrator.protocol.messages import DeploymentStatus, ResultCode, Shortage
from orchestrator.protocol.refusal import ManifestError
from orchestrator.protocol.topics import Topic

_REPORT_STEP = 0.25


class Updater:
    """The updating side of one device: it alone changes what is `installed`, but for a trial."""

    def __init__(
        self,
        device_id: str,
        build: Build,
        flash: Flash,
        runtime: Runtime,
        keys: Mapping[bytes, cose.PublicKey],
        authors: Mapping[bytes, cose.PublicKey],
        installed: Installed,
    ) -> None:
        self._installed = installed
        self._identity = acceptance.DeviceIdentity(VENDOR_ID, class_id(build.board), device_id)
        self._capacity = acceptance.DeviceCapacity(
            build.slot_bytes, build.arena_budget_bytes, RUNTIME_NAME, build.operators
        )
        self._device_id = device_id
        self._reporter = Reporter(device_id, self.boot.boot)
        self._buffer_bytes = build.receive_buffer_bytes
        self._flash = flash
        self._runtime = runtime
        self._keys, self._authors = keys, authors
        self._journal = BlockJournal(flash.journal)
        self._manifest: Manifest | None = None
        self._download: Download | None = None
        self._reported = 0.0
        self._out: list[Action] = []
        self.last_word: Publish | None = None

    @property
    def due_at(self) -> float | None:
        """When `tick` has something to do; None while nothing is under way."""
        if self._manifest is None or self._download is None:
            return None
        stalls_at = self._download.stalls_at
        expires_at = float(self._manifest.expires_at)
        return expires_at if stalls_at is None else min(stalls_at, expires_at)

    @property
    def boot(self) -> BootRecord:
        """The boot record as it stands in flash."""
        return self._installed.boot

    def connected(self, now: float) -> list[Action]:
        """A new connection has no subscriptions: ask for the blocks again.

        A device that went back says so on every connection, until the next order.
        """
        outcome = self.boot.outcome
        if outcome is not None and outcome.code is ResultCode.REVERTED:
            self._out.append(
                self._reporter.word(
                    outcome.deployment,
                    self.boot.settled,
                    outcome.status,
                    outcome.code,
                    outcome.detail,
                )
            )
        if self._download is not None:
            self._out += self._download.ask(now)
        return self._drain()

    def desired(self, payload: bytes, now: float) -> list[Action]:
        """The signed order, new or again; an empty one takes the order back."""
        if not payload:
            self._let_go()
            return self._drain()
        manifest: Manifest | None = None
        try:
            manifest = open_envelope(payload, self._keys, self._authors)
            if manifest == self._manifest:
                return []
            if not self._repeat_outcome(manifest):
                self._check(manifest, now)
                self._let_go()
                self._guard(lambda order: self._follow(order, now), manifest)
        except ManifestError as error:
            self._say(manifest, DeploymentStatus.REJECTED, error.code, error.detail)
        return self._drain()

    def block(self, topic: Topic, payload: bytes, now: float) -> list[Action]:
        """A block of an artifact; ignored where it is not wanted."""
        if self._manifest is not None and self._download is not None:
            self._guard(lambda _: self._take_block(topic, payload, now), self._manifest)
        return self._drain()

    def tick(self, now: float) -> list[Action]:
        """Ask again for blocks that did not come; give up at the order's expiry."""
        manifest, download = self._manifest, self._download
        if manifest is None or download is None:
            return []
        if now >= manifest.expires_at:
            detail = f"expired at {manifest.expires_at} before all blocks had come"
            self._conclude(manifest, DeploymentStatus.FAILED, ResultCode.EXPIRED, detail)
        elif download.stalls_at is not None and now >= download.stalls_at:
            self._out += download.ask_again(now)
        return self._drain()

    def renumber(self, boot: int) -> None:
        """Call this boot by a higher number."""
        self._installed.store(replace(self.boot, boot=boot))
        self._reporter = Reporter(self._device_id, boot)

    def _check(self, manifest: Manifest, now: float) -> None:
        """The protocol's own checks. The order that is under way already counts as new."""
        boot = self.boot
        again = manifest.deployment == boot.pending and manifest.sequence == boot.sequence
        floor = boot.sequence - 1 if again else boot.sequence
        acceptance.check(manifest, self._identity, self._capacity, floor, max(now, boot.time_floor))

    def _repeat_outcome(self, manifest: Manifest) -> bool:
        """An order that has ended already gets the answer that it got before."""
        outcome, boot = self.boot.outcome, self.boot
        if outcome is None or outcome.deployment != manifest.deployment:
            return False
        if manifest.sequence > boot.sequence:
            return False
        self._say_outcome(manifest, outcome)
        return True

    def _follow(self, manifest: Manifest, now: float) -> None:
        image = Image(manifest.digest, manifest.size)
        self._note_accepted(manifest, image)
        self._manifest = manifest
        if self.boot.running == image:
            self._commit(manifest, "it runs here already")
            return
        if self._installed.holds(image):
            self._install(manifest, now)
            return
        self._download = self._new_download(manifest, image)
        self._say_progress(manifest)
        if self._download.is_complete:
            self._install(manifest, now)
        else:
            self._out += self._download.ask(now)

    def _note_accepted(self, manifest: Manifest, image: Image) -> None:
        """Before anything else changes: nothing older is followed from here on."""
        spare = self.boot.inactive
        record = replace(
            self.boot,
            sequence=manifest.sequence,
            pending=manifest.deployment,
            time_floor=max(self.boot.time_floor, manifest.issued_at),
        )
        if record.images[spare] != image and record.running != image:
            record = record.with_image(spare, None)
        self._installed.accept(record)

    def _new_download(self, manifest: Manifest, image: Image) -> Download:
        exponent = choose_exponent(manifest.size, manifest.block_exponents, self._buffer_bytes)
        if exponent is None:
            raise UpdateFailed(
                DeploymentStatus.REJECTED,
                ResultCode.TOO_LARGE,
                f"no offered block fits the receive buffer of {self._buffer_bytes} bytes",
            )
        return Download(image, exponent, self._flash.slots[self.boot.inactive], self._journal)

    def _take_block(self, topic: Topic, payload: bytes, now: float) -> None:
        download, manifest = self._download, self._manifest
        assert download is not None and manifest is not None
        self._out += download.receive(topic, payload, now)
        if download.is_complete:
            self._install(manifest, now)
        elif download.progress - self._reported >= _REPORT_STEP:
            self._say_progress(manifest)

    def _install(self, manifest: Manifest, now: float) -> None:
        """Everything is in the inactive slot: examine it, then commit it on trial."""
        spare = self.boot.inactive
        self._say(manifest, DeploymentStatus.INSTALLING)
        data = self._flash.slots[spare].read(0, manifest.size)
        self._say(manifest, DeploymentStatus.VERIFYING)
        network = examine(data, manifest, self._runtime)
        record = self._installed.activate(Image(manifest.digest, manifest.size), now)
        self._commit(manifest, "", record)
        self._installed.network = network

    def _commit(self, manifest: Manifest, detail: str, record: BootRecord | None = None) -> None:
        outcome = Outcome(manifest.deployment, DeploymentStatus.INSTALLED, ResultCode.OK, detail)
        self._settle(manifest, outcome, record or self.boot)

    def _conclude(
        self,
        manifest: Manifest,
        status: DeploymentStatus,
        code: ResultCode,
        detail: str,
        shortage: Shortage | None = None,
    ) -> None:
        """The update has failed; the network that runs is the one that ran before."""
        if code is ResultCode.BAD_DIGEST:
            self._journal.forget()
        outcome = Outcome(manifest.deployment, status, code, detail, shortage)
        self._settle(manifest, outcome, self.boot)

    def _settle(self, manifest: Manifest, outcome: Outcome, record: BootRecord) -> None:
        """Store how it ended, and only then say so: a word that is out is never taken back."""
        self._installed.store(
            replace(record, settled=manifest.sequence, pending=None, outcome=outcome)
        )
        self._let_go()
        self._say_outcome(manifest, outcome)

    def _guard(self, step: Callable[[Manifest], None], manifest: Manifest) -> None:
        """Run a step of an update; what can go wrong in it ends the update, not the device."""
        try:
            step(manifest)
        except UpdateFailed as failed:
            self._conclude(manifest, failed.status, failed.code, failed.detail, failed.shortage)
        except DownloadFailed as failed:
            self._conclude(manifest, DeploymentStatus.FAILED, ResultCode.BAD_BLOCK, str(failed))
        except FlashError as failed:
            self._conclude(manifest, DeploymentStatus.FAILED, ResultCode.FLASH_ERROR, str(failed))

    def _let_go(self) -> None:
        if self._download is not None:
            self._out += self._download.stop()
        self._manifest = self._download = None

    def _say_progress(self, manifest: Manifest) -> None:
        assert self._download is not None
        self._reported = self._download.progress
        self._say(manifest, DeploymentStatus.DOWNLOADING, progress=self._reported)

    def _say_outcome(self, manifest: Manifest, outcome: Outcome) -> None:
        """How it ended, now and whenever the order comes again."""
        self._say(manifest, outcome.status, outcome.code, outcome.detail, 1.0, outcome.shortage)

    def _say(
        self,
        manifest: Manifest | None,
        status: DeploymentStatus,
        code: ResultCode = ResultCode.OK,
        detail: str = "",
        progress: float = 0.0,
        shortage: Shortage | None = None,
    ) -> None:
        deployment = None if manifest is None else manifest.deployment
        sequence = None if manifest is None else manifest.sequence
        word = self._reporter.word(deployment, sequence, status, code, detail, progress, shortage)
        self.last_word = word
        self._out.append(word)

    def _drain(self) -> list[Action]:
        out, self._out = self._out, []
        return out
