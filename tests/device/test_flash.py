"""Flash keeps its limits, and a record is its old or its new value whenever power fails."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_firmware_sim.flash import Flash, FlashError, PowerCut, Record, Region, Supply


def test_what_was_never_written_reads_as_erased(tmp_path: Path):
    region = Region(tmp_path / "region", 64, Supply())
    assert region.read(10, 4) == b"\xff" * 4
    region.program(8, b"ab")
    assert region.read(0, 12) == b"\xff" * 8 + b"ab" + b"\xff" * 2


def test_a_region_refuses_what_does_not_fit(tmp_path: Path):
    region = Region(tmp_path / "region", 64, Supply())
    with pytest.raises(FlashError, match="region: 3 bytes at 62 exceed 64"):
        region.program(62, b"abc")
    assert region.read() == b""


def test_a_record_refuses_what_does_not_fit_and_keeps_what_it_has(tmp_path: Path):
    record = Record(tmp_path, "record", 64, Supply())
    record.store(b"old")
    with pytest.raises(FlashError):
        record.store(bytes(record.limit_bytes + 1))
    assert record.load() == b"old"


def test_the_slots_of_a_device_have_its_builds_size(tmp_path: Path):
    flash = Flash(tmp_path / "unit", 8192, 4096)
    flash.slots[1].program(0, bytes(8192))
    with pytest.raises(FlashError):
        flash.slots[1].program(8192, b"x")


@settings(max_examples=150, deadline=None)
@given(
    values=st.lists(st.binary(max_size=40), min_size=1, max_size=5),
    writes=st.integers(0, 9),
    torn=st.floats(0, 1),
)
def test_a_cut_leaves_the_old_or_the_new_value(tmp_path_factory, values, writes, torn):
    folder = tmp_path_factory.mktemp("flash")
    stored: list[bytes | None] = [None]
    failing = Record(folder, "record", 128, Supply(writes, torn))
    try:
        for value in values:
            stored.append(value)
            failing.store(value)
    except PowerCut:
        found = Record(folder, "record", 128, Supply()).load()
        assert found in stored[-2:]
    else:
        assert Record(folder, "record", 128, Supply()).load() == stored[-1]


@settings(max_examples=80, deadline=None)
@given(damage=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_a_damaged_page_never_reads_as_a_value_that_was_not_stored(tmp_path_factory, damage, flip):
    folder = tmp_path_factory.mktemp("flash")
    record = Record(folder, "record", 128, Supply())
    record.store(b"first")
    record.store(b"second")
    newest = folder / "record-1"
    content = bytearray(newest.read_bytes())
    content[damage % len(content)] ^= flip
    newest.write_bytes(bytes(content))
    assert record.load() in (b"first", b"second")


def test_after_the_cut_the_device_is_off(tmp_path: Path):
    region = Region(tmp_path / "region", 64, Supply(writes=0, torn=0.5))
    with pytest.raises(PowerCut):
        region.program(0, b"abcd")
    with pytest.raises(PowerCut):
        region.program(0, b"wxyz")
    assert region.read(0, 4) == b"ab\xff\xff"
