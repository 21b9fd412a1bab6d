"""What one device is, before it has power."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from device_firmware_sim.builds import Build
from device_firmware_sim.measured import measured_arenas
from device_firmware_sim.trial import TRIAL_S
from orchestrator.protocol import cose


@dataclass(frozen=True, slots=True)
class Setup:
    """What is given to a device from outside: its name, its image, whom it trusts, its duties.

    `keys` are the public keys whose orders it follows, by key id; where there are `authors`, one of
    those must have signed an update as well. `arena_error` scales its own
    count of a network's memory and `measured_arena` overrides it: see `runtime.Runtime`. None
    stands for what was measured under the build's kernels. `trial_s` is how long a new network may
    be without a connection before the device goes back to the one before; the networks that it
    `crashes_with`, by digest, bring it down when they run.
    """

    device_id: str
    build: Build
    keys: Mapping[bytes, cose.PublicKey]
    token: str = ""
    enrol_password: str = ""
    host: str = "127.0.0.1"
    port: int = 1883
    over_tls: bool = False
    samples_per_second: float = 0.0
    samples_per_pack: int = 20
    arena_error: float = 1.0
    trial_s: float = TRIAL_S
    crashes_with: frozenset[str] = frozenset()
    measured_arena: Mapping[str, int] | None = None
    authors: Mapping[bytes, cose.PublicKey] = field(default_factory=dict)

    @property
    def known_arenas(self) -> Mapping[str, int]:
        """Bytes of arena by digest, where somebody measured it."""
        if self.measured_arena is not None:
            return self.measured_arena
        return measured_arenas(self.build.kernels)
