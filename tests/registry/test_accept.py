"""Content negotiation: nobody is given what they like less than something else that is there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.api.accept import preferred

OFFERED = ["text/turtle", "text/csv", "application/json", "application/n-triples"]
RANGES = [*OFFERED, "*/*", "text/*", "application/*", "image/png"]
QUALITIES = [0.0, 0.001, 0.2, 0.5, 1.0]
HEADERS = st.dictionaries(st.sampled_from(RANGES), st.sampled_from(QUALITIES), min_size=1)


def quality(accepted: dict[str, float], media_type: str) -> float:
    """RFC 9110, 12.5.1: the exact name, else the kind, else everything, else nothing."""
    kind = media_type.partition("/")[0]
    for name in (media_type, f"{kind}/*", "*/*"):
        if name in accepted:
            return accepted[name]
    return 0.0


def header(accepted: dict[str, float]) -> str:
    return " , ".join(f"{name} ; Q={value:g}" for name, value in accepted.items())


@given(HEADERS)
def test_the_best_that_is_accepted_is_chosen(accepted: dict[str, float]) -> None:
    chosen = preferred(header(accepted), OFFERED)
    best = max(quality(accepted, media_type) for media_type in OFFERED)
    assert (0.0 if chosen is None else quality(accepted, chosen)) == best


@given(HEADERS)
def test_among_equals_the_first_exact_name_wins(accepted: dict[str, float]) -> None:
    everything = dict.fromkeys([*accepted, "*/*"], 1.0)
    named = [name for name in accepted if name in OFFERED]
    if named:
        assert preferred(header(everything), OFFERED) == named[0]


@pytest.mark.timeout(5)
@pytest.mark.parametrize("piece", ['"\\', '"', ",", "a/b;q=", 'a/b;x="'])
def test_a_long_header_costs_little(piece: str) -> None:
    assert preferred(piece * 100_000, OFFERED) in {*OFFERED, None}


@given(st.text(max_size=60))
def test_any_header_at_all_is_read(text: str) -> None:
    assert preferred(text, OFFERED) in {*OFFERED, None}
