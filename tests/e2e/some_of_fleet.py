"""`python -m device_firmware_sim` with only those devices of its fleet that a JSON file names."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from device_firmware_sim import __main__ as simulator
from device_firmware_sim.fleet import Member, default_fleet


def main(names: Path, arguments: list[str]) -> int:
    """The simulator's own exit status."""
    wanted = set(json.loads(names.read_text()))

    def some(count: int, seed: int) -> list[Member]:
        return [member for member in default_fleet(count, seed) if member.device_id in wanted]

    simulator.default_fleet = some
    return simulator.main(arguments)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
