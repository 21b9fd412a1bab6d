"""Envelopes at their worst: under 1 KiB with two signatures, by the CDDL, each byte signed."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.protocol import operators, suit
from orchestrator.protocol.manifest import (
    MAX_ENVELOPE_BYTES,
    MAX_OPERATORS,
    ManifestError,
    SelfTest,
    encode,
    envelope,
    open_envelope,
)
from tests.contract.draft_schema import DraftSchema
from tests.contract.samples import AUTHOR, OPERATOR, STRANGER, a_manifest, fixed, trusted
from tests.contract.test_manifest import manifests


@pytest.fixture(scope="module")
def cddl(data_dir: Path) -> DraftSchema:
    return DraftSchema((data_dir / "suit" / "draft-ietf-suit-manifest.cddl").read_text())


WORST = {
    "device_id": "d" * 63,
    "sequence": 2**53 - 1,
    "issued_at": 2**32 - 2,
    "expires_at": 2**32 - 1,
    "size": 2**32 - 1,
    "block_exponents": (0, 8, 10, 12, 14, 16, 18, 20),
    "arena_bytes": 2**32 - 1,
    "operators": dict.fromkeys(sorted(operators.NAMES, key=operators.to_code)[-MAX_OPERATORS:], 40),
    "runtime": "r" * 60,
    "input_shape": (65_535,) * 4,
    "output_shape": (65_535,) * 4,
    "self_test": SelfTest("xorshift32", 2**32 - 1, bytes(64), 255),
}
"""The longest ids, every need, as many operators as there may be: all that a network can ask for.

The limits of the single members allow more, up to names of 60 characters for each operator; what
then reaches 1 KiB is not signed.
"""


@pytest.mark.parametrize("keys", [(AUTHOR,), (OPERATOR, AUTHOR), (AUTHOR, STRANGER)])
def test_the_worst_case_has_less_than_one_kib_and_satisfies_the_cddl(cddl, keys):
    sealed = envelope(encode(a_manifest(**WORST)), *keys)
    assert len(sealed) < 1024
    assert open_envelope(sealed, trusted(*keys)) == a_manifest(**WORST)
    cddl.check(sealed)


any_operators = st.dictionaries(
    st.sampled_from(operators.NAMES) | st.text("abcXYZ_:09", min_size=1, max_size=60),
    st.integers(1, 1000),
    max_size=MAX_OPERATORS,
)


@fixed
@given(manifests(), any_operators, st.sampled_from([(AUTHOR,), (OPERATOR,), (AUTHOR, OPERATOR)]))
def test_whatever_is_signed_is_under_one_kib_and_satisfies_the_cddl(cddl, order, needed, keys):
    """And whatever is not would have been larger."""
    order = dataclasses.replace(order, operators=needed)
    try:
        sealed = envelope(encode(order), *keys)
    except ManifestError:
        assert len(suit.seal(encode(order), *keys)) > MAX_ENVELOPE_BYTES
        return
    assert len(sealed) <= MAX_ENVELOPE_BYTES < 1024
    assert open_envelope(sealed, trusted(keys[0]), trusted(keys[-1])) == order
    cddl.check(sealed)


def changed_and_opened(data: bytes, changes: Iterable[int]) -> list[tuple[int, int]]:
    """Where a byte can be changed and a device that asks for both signatures still follows."""
    found = []
    for at in range(len(data)):
        for difference in changes:
            changed = bytearray(data)
            changed[at] ^= difference
            try:
                open_envelope(bytes(changed), trusted(OPERATOR), trusted(AUTHOR))
            except ManifestError:
                continue
            found.append((at, difference))
    return found


def test_no_changed_byte_opens_where_two_signatures_are_asked_for():
    both = envelope(encode(a_manifest()), AUTHOR, OPERATOR)
    assert changed_and_opened(both, random.Random(1).sample(range(1, 256), 3)) == []


@pytest.mark.soak
def test_no_byte_opens_with_any_bit_changed_or_with_many_more_changes():
    both = envelope(encode(a_manifest()), AUTHOR, OPERATOR)
    changes = {1 << bit for bit in range(8)} | set(random.Random(2).sample(range(1, 256), 12))
    assert changed_and_opened(both, changes) == []
