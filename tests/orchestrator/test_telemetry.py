"""Packs are kept once, in full, and acknowledged as far as nothing is missing."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.models import DeviceShadow, DroppedMessage, Telemetry
from orchestrator.policy.acknowledgement import Kept, Position, Reached, acknowledged
from orchestrator.protocol.messages import Acknowledgement, TelemetryPack
from orchestrator.services import telemetry
from tests.orchestrator import rollout_world
from tests.orchestrator.members import NOW, later, member

pytestmark = pytest.mark.django_db


def pack(sequence: int, boot: int = 1, **fields) -> TelemetryPack:
    return TelemetryPack(boot=boot, sequence=sequence, **fields)


def ingest(packs, now=NOW, device: str = "pump-1") -> Acknowledgement:
    ((answered, kept),) = telemetry.ingest([(device, one) for one in packs], now)
    assert answered == device
    return kept


def test_a_pack_becomes_a_row_with_all_it_said() -> None:
    member("pump-1")
    records = ({"n": "urn:tinyfleet:device:pump-1:boot", "v": 1.0}, {"n": "x", "v": 2.0})
    ingest(
        [
            pack(
                1,
                at=1_900_000_000.0,
                samples=20,
                labelled=10,
                accuracy=0.9,
                latency_ms=3.5,
                arena_used_bytes=4000,
                free_heap_bytes=9000,
                adapted_samples=7,
                records=records,
            )
        ]
    )
    row = Telemetry.objects.get()
    assert (row.samples, row.labelled, row.accuracy, row.latency_ms) == (20, 10, 0.9, 3.5)
    assert (row.arena_used_bytes, row.free_heap_bytes, row.adapted_samples) == (4000, 9000, 7)
    assert row.at == datetime.fromtimestamp(1_900_000_000, UTC)
    assert (row.received_at, row.records) == (NOW, list(records))


@pytest.mark.parametrize("at", [None, 1e300])
def test_without_a_usable_clock_the_time_is_that_of_receipt(at) -> None:
    member("pump-1")
    ingest([pack(1, at=at)])
    assert Telemetry.objects.get().at == NOW


def test_a_replayed_pack_is_stored_once_and_acknowledged_again() -> None:
    member("pump-1")
    packs = [pack(n, samples=n) for n in (1, 2, 3)]
    answers = [ingest(packs), ingest(packs, later(5)), ingest(packs[:1], later(9))]
    assert answers == [Acknowledgement(1, 3)] * 3
    assert sorted(Telemetry.objects.values_list("sequence", flat=True)) == [1, 2, 3]
    assert set(Telemetry.objects.values_list("received_at", flat=True)) == {NOW}


def test_a_gap_is_not_acknowledged_until_it_is_filled() -> None:
    member("pump-1")
    assert ingest([pack(1), pack(3)]) == Acknowledgement(1, 1)
    assert ingest([pack(2)], later(5)) == Acknowledgement(1, 3)


def test_a_gap_that_nothing_fills_is_given_up(settings) -> None:
    settings.TELEMETRY_GAP_S = 30.0
    member("pump-1")
    assert ingest([pack(1), pack(3)]) == Acknowledgement(1, 1)
    assert ingest([pack(4)], later(29)) == Acknowledgement(1, 1)
    assert ingest([pack(4)], later(30)) == Acknowledgement(1, 4)


def lost() -> list[int]:
    return list(DroppedMessage.objects.filter(reason="lost").values_list("count", flat=True))


def test_what_a_full_ring_dropped_is_acknowledged_over_and_counted_once() -> None:
    member("pump-1")
    assert ingest([pack(1, held_from=1), pack(2, held_from=1)]) == Acknowledgement(1, 2)
    packs = [pack(n, held_from=9) for n in (9, 10)]
    assert [ingest(packs) for _ in range(2)] == [Acknowledgement(1, 10)] * 2
    assert lost() == [6]
    (row,) = DroppedMessage.objects.all()
    assert (row.topic, row.last_detail) == ("telemetry", "6 packs of pump-1 before 1/10")


def test_what_a_device_still_holds_is_waited_for_however_long(settings) -> None:
    settings.TELEMETRY_GAP_S = 30.0
    member("pump-1")
    assert ingest([pack(1, held_from=1), pack(4, held_from=2)]) == Acknowledgement(1, 1)
    assert ingest([pack(4, held_from=3)], later(9999)) == Acknowledgement(1, 1)
    assert ingest([pack(3, held_from=3)], later(9999)) == Acknowledgement(1, 4)
    assert lost() == [1]


def test_a_device_that_boots_has_lost_what_was_missing_before() -> None:
    member("pump-1")
    assert ingest([pack(1, held_from=1), pack(4, held_from=2)]) == Acknowledgement(1, 1)
    assert ingest([pack(1, boot=2, held_from=1)]) == Acknowledgement(2, 1)
    assert lost() == [2]


def test_a_new_boot_counts_from_its_own_start() -> None:
    member("pump-1")
    assert ingest([pack(7), pack(8)], later(0)) == Acknowledgement(0, 0)
    assert ingest([pack(1, boot=2)], later(60)) == Acknowledgement(2, 1)
    assert ingest([pack(2, boot=2)], later(60)) == Acknowledgement(2, 2)


def test_every_device_in_a_batch_gets_its_own_answer() -> None:
    member("pump-1")
    member("pump-2")
    batch = [("pump-1", pack(1)), ("pump-2", pack(1)), ("pump-2", pack(2)), ("stranger", pack(1))]
    answers = dict(telemetry.ingest(batch, NOW))
    assert answers == {"pump-1": Acknowledgement(1, 1), "pump-2": Acknowledgement(1, 2)}
    assert dict(telemetry.acknowledgements()) == answers


def test_a_row_names_the_variant_that_the_device_runs() -> None:
    release = rollout_world.make_release()
    old = rollout_world.make_release()
    variant = release.variants.get(name="small")
    device = member("pump-1", installed=variant)
    assert device.installed == variant
    other = old.variants.get(name="large")
    digests = [variant.artifact_id, other.artifact_id, "ab" * 32, None]
    ingest([pack(n, digest=digest) for n, digest in enumerate(digests, 1)])
    rows = Telemetry.objects.order_by("sequence").values_list("variant", flat=True)
    assert list(rows) == [variant.pk, other.pk, None, None]


def test_what_was_acknowledged_stays_so_when_the_shadow_exists_already() -> None:
    device = member("pump-1")
    DeviceShadow.objects.create(device=device, acked_boot=3, acked_sequence=5)
    assert ingest([pack(9, boot=2)]) == Acknowledgement(3, 5)
    assert ingest([pack(6, boot=3)]) == Acknowledgement(3, 6)


positions = st.builds(Position, st.integers(0, 3), st.integers(0, 8))


@given(positions, st.sets(positions), st.floats(0, 100))
def test_an_acknowledgement_never_goes_back_and_never_passes_what_is_kept(before, kept, gap_s):
    rows = [Kept(position, age_s=50.0) for position in sorted(kept) if position > before]
    reached = acknowledged(before, rows, gap_s).position
    assert reached >= before
    assert reached == before or reached in kept
    if gap_s <= 50.0 and rows:
        assert reached == rows[-1].position


@given(st.integers(0, 3), st.integers(0, 9), st.integers(0, 9))
def test_a_run_without_gaps_is_acknowledged_at_once(boot, start, count):
    rows = [Kept(Position(boot, start + n), 0.0) for n in range(1, count + 1)]
    assert acknowledged(Position(boot, start), rows, 1e9) == Reached(Position(boot, start + count))


@given(st.lists(positions, min_size=1, unique=True), st.integers(0, 3), st.integers(0, 9))
def test_a_device_that_holds_a_pack_is_waited_for_and_what_it_dropped_is_counted(kept, boot, held):
    """However old the gap: age counts only where a device does not say what it holds."""
    rows = [Kept(position, age_s=1e9) for position in sorted(kept)]
    held_from = Position(boot, held)
    reached = acknowledged(Position(0, 0), rows, 30.0, held_from)
    beyond = [row.position for row in rows if row.position > max(reached.position, held_from)]
    has_next = Position(reached.position.boot, reached.position.sequence + 1) in beyond
    assert not has_next
    assert reached.position >= max((p for p in kept if p <= held_from), default=Position(0, 0))
    assert reached.lost >= 0


def test_packs_in_any_order_and_number_end_in_the_same_rows() -> None:
    member("pump-1")
    for order in itertools.permutations([pack(1), pack(2), pack(3)]):
        kept = [ingest([one]) for one in order][-1]
        assert kept == Acknowledgement(1, 3)
    assert Telemetry.objects.count() == 3
