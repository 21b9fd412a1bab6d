"""Adjacent banks train small subnets better than chance; each class of devices gets a subnet."""

from __future__ import annotations

from itertools import islice

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.compression.digits import load_split
from orchestrator.compression.methods.supernet import (
    SlimmableMlp,
    SupernetConfig,
    banks_of,
    largest_within,
    walk,
)
from tests.benchmarks.compression.supernet import compare, device_classes, served

SMALL = SupernetConfig(widths=((4, 8, 16), (4, 8, 16)), banks=3)
widths = st.lists(st.integers(1, 60), min_size=1, max_size=6, unique=True).map(tuple)


def network(config: SupernetConfig = SMALL) -> SlimmableMlp:
    torch.manual_seed(0)
    return SlimmableMlp(64, 10, config)


def test_the_smallest_subnets_gain_by_adjacent_banks() -> None:
    seen = compare(0, SupernetConfig(epochs=120), [])
    assert seen.adjacent[0] - seen.uniform[0] >= 0.005


def test_a_subnet_taken_out_says_what_it_said_inside() -> None:
    whole, images = network(), torch.rand(5, 8, 8, 1)
    for subnet in SMALL.subnets():
        own = whole.taken_out(subnet)
        assert torch.allclose(own(images), whole(images, subnet), atol=1e-6)
        weights = [value.numel() for name, value in own.named_parameters() if "weight" in name]
        assert sum(weights) == whole.macs(subnet)


@settings(max_examples=50, deadline=None)
@given(widths, widths, st.integers(1, 8))
def test_banks_hold_every_subnet_once_in_order(first, second, count) -> None:
    config = SupernetConfig(widths=(first, second))
    macs_of = network(config).macs
    banks = banks_of(config.subnets(), macs_of, count)
    assert sorted(subnet for bank in banks for subnet in bank) == sorted(config.subnets())
    assert 1 <= len(banks) <= count
    macs = [[macs_of(subnet) for subnet in (bank[0], bank[-1])] for bank in banks]
    assert all(low <= high for low, high in macs)
    assert all(one[1] < other[0] for one, other in zip(macs, macs[1:], strict=False))


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 6), st.integers(1, 4), st.integers(0, 1000))
def test_the_next_step_is_of_the_same_or_a_neighbouring_bank(count, per_step, seed) -> None:
    banks = [[(bank, nth) for nth in range(3)] for bank in range(count)]
    steps = list(islice(walk(banks, per_step, seed), 50))
    assert all(len(step) == per_step for step in steps)
    visited = [{bank for bank, _ in step} for step in steps]
    assert all(len(banks_of_step) == 1 for banks_of_step in visited)
    order = [bank for (bank,) in visited]
    assert all(abs(a - b) <= 1 for a, b in zip(order, order[1:], strict=False))


def test_every_bank_is_visited_as_often() -> None:
    banks = [[(bank,)] for bank in range(5)]
    seen = [step[0][0] for step in islice(walk(banks, 1, 7), 20_000)]
    assert all(abs(seen.count(bank) / len(seen) - 0.2) < 0.03 for bank in range(5))


def test_less_evenness_goes_towards_the_number_of_subnets() -> None:
    banks = [[(0,)], [(1,)] * 4, [(2,)] * 16]
    for evenness, wanted in ((0.0, [1 / 21, 4 / 21, 16 / 21]), (0.5, [1 / 7, 2 / 7, 4 / 7])):
        seen = [step[0][0] for step in islice(walk(banks, 1, 7, evenness), 20_000)]
        assert all(
            abs(seen.count(bank) / len(seen) - share) < 0.03 for bank, share in enumerate(wanted)
        )


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 100), max_size=20), st.integers(0, 100))
def test_the_largest_that_fits_is_found(sizes, most) -> None:
    ordered = [(size,) for size in sorted(sizes)]
    fitting = [subnet for subnet in ordered if subnet[0] <= most]
    assert largest_within(ordered, lambda subnet: subnet[0] <= most) == (
        fitting[-1] if fitting else None
    )


def test_a_class_of_devices_gets_the_largest_subnet_inside_its_whole_budget() -> None:
    config = SupernetConfig(widths=((4,), (4, 8)))
    every = {name: each for each in device_classes() for name in each.names}
    chosen = [every["BBC micro:bit v1"], every["ST Nucleo F401RE"]]
    none, timed = served(network(config), config, load_split(0), chosen)
    assert none.subnet is None
    assert {r["constraint"] for r in none.reasons if not r["holds"]} == {"ram"}
    assert timed.subnet == (4, 8)
    held = {reason["constraint"]: reason["holds"] for reason in timed.reasons}
    assert held["flash"] and held["ram"] and held["latency"]
    assert all(held.values())
