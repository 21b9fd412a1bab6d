"""The default fleet: real boards, two misfits, the rest useful; and the command that lists it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from device_firmware_sim.builds import BUILDS
from device_firmware_sim.fleet import TINY_BOARD, default_fleet
from orchestrator.protocol.topics import check_device_id

ROOT = Path(__file__).resolve().parents[2]


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "device_firmware_sim", *arguments]
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("seed", range(20))
def test_twenty_four_devices_of_which_two_cannot_be_served(seed: int):
    fleet = default_fleet(24, seed)
    assert len({member.device_id for member in fleet}) == 24
    assert len({member.build.board for member in fleet}) >= 8
    assert sum(member.build.sensor("camera") is None for member in fleet) == 1
    assert sum(member.build.arena_budget_bytes < 1024 for member in fleet) == 1
    rest = [m.build for m in fleet if m.build.sensor("camera") and m.build.board != TINY_BOARD]
    assert all(b.arena_budget_bytes >= 5 * 1024 and b.slot_bytes >= 8 * 1024 for b in rest)
    assert any("HARD_SWISH" not in build.operators for build in rest)
    assert any("HARD_SWISH" in build.operators for build in rest)


def test_the_same_seed_gives_the_same_fleet():
    assert default_fleet(24, 7) == default_fleet(24, 7)
    boards = [Counter(m.build.board for m in default_fleet(24, seed)) for seed in (7, 8)]
    assert boards[0] != boards[1]


@pytest.mark.parametrize("count", [1, 7, 8, 100, 1000])
def test_any_number_of_devices_with_proper_names(count: int):
    fleet = default_fleet(count, 1)
    assert len({check_device_id(member.device_id) for member in fleet}) == count


def test_at_least_ten_real_boards_have_builds():
    assert len(BUILDS) >= 10
    for build in BUILDS.values():
        assert build.receive_buffer_bytes >= 1280  # takes a block of 1 KiB
        assert build.record_bytes <= build.slot_bytes


def test_the_fleet_is_listed_without_connecting():
    answer = command("--list-devices", "--devices", "9", "--seed", "3")
    assert answer.returncode == 0, answer.stderr
    listed = json.loads(answer.stdout)
    assert [each["device"] for each in listed] == [m.device_id for m in default_fleet(9, 3)]
    assert all(each["board"] in BUILDS for each in listed)


def test_help_says_what_there_is():
    answer = command("--help")
    assert answer.returncode == 0
    for option in ("--tokens", "--trust", "--world", "--samples-per-pack", "--list-devices"):
        assert option in answer.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "--trust, --state-dir"),
        (("--devices", "0"), "must be 1 or more"),
        (("--trust", "/nowhere", "--state-dir", "STATE"), "holds no .pem file"),
        (("--trust", "/nowhere", "--state-dir", "/dev/null/x"), "--state-dir /dev/null/x: Not a"),
    ],
)
def test_an_option_that_cannot_be_followed_is_named(tmp_path, arguments, said):
    answer = command(*(str(tmp_path / "s") if a == "STATE" else a for a in arguments))
    assert answer.returncode == 2
    assert said in answer.stderr and "Traceback" not in answer.stderr


def test_the_device_loads_nothing_of_the_server():
    probe = (
        "import sys, device_firmware_sim.__main__, device_firmware_sim.simulation\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert answer.returncode == 0, answer.stderr
    loaded = set(answer.stdout.split())
    assert "device_firmware_sim" in loaded
    assert not loaded & {"django", "registry", "ontology", "deploy", "rdflib", "torch", "mlflow"}
