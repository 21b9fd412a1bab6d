"""What is installed on a device: the boot record, the network that runs, and its trial."""

from __future__ import annotations

from dataclasses import replace

from device_firmware_sim import trial
from device_firmware_sim.boot import BootRecord, Image, read_image, store_boot_record
from device_firmware_sim.bootloader import boot_up, go_back
from device_firmware_sim.flash import Flash
from device_firmware_sim.runtime import Runtime
from device_firmware_sim.trial import Watch


class Installed:
    """One start of a device. The record is in flash before anything goes by it."""

    def __init__(
        self, flash: Flash, runtime: Runtime, watch: Watch, *, crashed: bool = False
    ) -> None:
        self.boot, self.network = boot_up(flash, runtime, crashed=crashed)
        self.watch = watch
        self._flash = flash
        self._runtime = runtime

    def store(self, record: BootRecord) -> None:
        """Replace the record; the same one again is not written."""
        if record != self.boot:
            store_boot_record(self._flash.boot, record)
            self.boot = record

    def holds(self, image: Image) -> bool:
        """Whether the inactive slot has the artifact whole, from before."""
        spare = self.boot.inactive
        return self.boot.images[spare] == image and bool(read_image(self._flash, spare, image))

    def activate(self, image: Image, now: float) -> BootRecord:
        """The record that makes the inactive slot, with this image, run on trial from now on."""
        spare = self.boot.inactive
        self.watch.begin(now)
        return trial.begun(replace(self.boot.with_image(spare, image), active=spare))

    def accept(self, record: BootRecord) -> None:
        """Store that an order has come, which ends a trial: the network lets the device talk."""
        self.watch.end()
        self.store(trial.passed(record))

    def trial_due_at(self, has_run: bool) -> float | None:
        """When `judge` has something to do, connected or not; None while nothing is on trial."""
        return None if self.boot.trial_crashes is None else self.watch.due_at(has_run)

    def judge(self, now: float, has_run: bool) -> None:
        """Keep the network that is on trial, or go back to the one before."""
        if self.boot.trial_crashes is None:
            return
        failed = self.watch.is_failed(now)
        if failed and self._has_way_back():
            record, network = go_back(
                self.boot, self._flash, self._runtime, "kept the device off the network"
            )
            self.watch.end()
            self.store(record)
            self.network = network
        elif failed or self.watch.is_passed(now, has_run):
            self.watch.end()
            self.store(trial.passed(self.boot))

    def _has_way_back(self) -> bool:
        before = self.boot.images[self.boot.inactive]
        return before is not None and self.holds(before)
