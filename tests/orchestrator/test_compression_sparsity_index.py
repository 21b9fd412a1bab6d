"""The PQ Index is a measure of sparsity: the properties that its paper proves, and the bound."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from orchestrator.compression.methods.sap import SapConfig, pruned_from
from orchestrator.compression.methods.sparsity_index import Norms, fewest_kept, pq_index, turn

SMALLEST = 1e-3
magnitudes = st.floats(SMALLEST, 1e3)
vectors = st.lists(st.one_of(magnitudes, st.just(0.0)), min_size=2, max_size=30).filter(any)
all_norms = st.builds(
    lambda p, more, eta: Norms(p, p + more, eta),
    st.floats(0.2, 1),
    st.floats(0.2, 2),
    st.floats(0, 1),
)


def index(values: list[float], norms: Norms) -> float:
    return pq_index(torch.tensor(values, dtype=torch.float64), norms)


@settings(max_examples=50, deadline=None)
@given(vectors, all_norms)
def test_it_lies_between_even_and_one_alone(values, norms) -> None:
    most = 1 - len(values) ** (1 / norms.q - 1 / norms.p)
    assert 0 <= index(values, norms) <= most + 1e-9


@settings(max_examples=50, deadline=None)
@given(magnitudes, st.integers(1, 30), all_norms)
def test_equal_magnitudes_have_none_and_a_single_weight_has_the_most(size, count, norms) -> None:
    assert index([size, -size] * count, norms) == pytest.approx(0, abs=1e-9)
    most = 1 - (count + 1) ** (1 / norms.q - 1 / norms.p)
    assert index([size] + [0.0] * count, norms) == pytest.approx(most)


@settings(max_examples=50, deadline=None)
@given(vectors, st.floats(-1e3, 1e3).filter(lambda x: abs(x) > 1e-3), all_norms)
def test_scale_and_sign_do_not_matter(values, scale, norms) -> None:
    scaled = [scale * value for value in values]
    assert index(scaled, norms) == pytest.approx(index(values, norms), abs=1e-9)


@settings(max_examples=50, deadline=None)
@given(vectors, st.integers(2, 4), all_norms)
def test_a_repeated_vector_is_as_sparse(values, times, norms) -> None:
    assert index(values * times, norms) == pytest.approx(index(values, norms), abs=1e-9)


@settings(max_examples=50, deadline=None)
@given(vectors, all_norms)
def test_one_more_zero_makes_it_sparser(values, norms) -> None:
    assert index([*values, 0.0], norms) > index(values, norms) - 1e-12


@settings(max_examples=50, deadline=None)
@given(vectors, st.floats(0.01, 0.49), all_norms)
def test_taking_from_the_largest_for_the_smallest_makes_it_less_sparse(values, part, norms) -> None:
    ordered = sorted(values)
    assume(ordered[0] < ordered[-1])
    given_away = part * (ordered[-1] - ordered[0])
    fairer = [ordered[0] + given_away, *ordered[1:-1], ordered[-1] - given_away]
    assert index(fairer, norms) <= index(values, norms) + 1e-9


@settings(max_examples=50, deadline=None)
@given(vectors, magnitudes, all_norms)
def test_adding_the_same_to_all_makes_it_less_sparse(values, more, norms) -> None:
    assert index([value + more for value in values], norms) <= index(values, norms) + 1e-9


@settings(max_examples=50, deadline=None)
@given(vectors, all_norms)
def test_fewer_than_the_bound_never_hold_the_mass(values, norms) -> None:
    powers = sorted((value**norms.p for value in values), reverse=True)
    enough = next(
        r
        for r in range(1, len(powers) + 1)
        if sum(powers[r:]) <= norms.eta * sum(powers[:r]) + 1e-12
    )
    assert fewest_kept(len(values), index(values, norms), norms) <= enough


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 10**6), st.floats(0, 0.999), st.floats(1, 9), st.floats(0.1, 0.95))
def test_a_round_takes_what_the_formula_says(count, value, gamma, beta) -> None:
    config = SapConfig(gamma=gamma, beta=beta)
    leaving = pruned_from(count, value, config)
    kept = fewest_kept(count, value, config.norms)
    assert leaving == math.floor(count * min(gamma * (1 - kept / count), beta))
    assert 0 <= leaving < count


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 10**6), st.floats(0, 0.999))
def test_at_a_half_and_one_the_bound_is_what_the_index_leaves(count, value) -> None:
    assert fewest_kept(count, value, Norms()) == pytest.approx(count * (1 - value), abs=1.01)


def test_no_weights_and_such_as_are_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match="no weights"):
        pq_index(torch.zeros(0), Norms())
    with pytest.raises(ValueError, match="not all finite"):
        pq_index(torch.tensor([1.0, math.nan]), Norms())
    assert pq_index(torch.zeros(5), Norms()) == 0


@pytest.mark.parametrize(("p", "q", "eta"), [(0, 1, 0), (1, 1, 0), (1.5, 2, 0), (0.5, 1, -0.1)])
def test_norms_without_a_meaning_are_refused(p, q, eta) -> None:
    with pytest.raises(ValueError, match=r"are needed|at least 0"):
        Norms(p, q, eta)


def test_the_turn_is_the_first_clear_rise() -> None:
    assert turn([0.2, 0.1, 0.05, 0.051, 0.08, 0.01]) == 4
    assert turn([0.2, 0.1, 0.05]) is None
    assert turn([0.1, 0.2, 0.3]) == 1
    assert turn([]) is None
