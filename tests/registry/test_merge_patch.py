"""JSON merge patches: RFC 7396's own examples; a difference leads from one to the other."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.formats.merge_patch import difference, merged

# RFC 7396, appendix A: target, patch, result.
EXAMPLES = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]
values = st.recursive(
    st.booleans() | st.integers(-3, 3) | st.sampled_from([0.0, 1.0, "x", ""]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=12,
)
documents = st.dictionaries(st.sampled_from("abcd"), values, max_size=4)


@pytest.mark.parametrize(("target", "patch", "result"), EXAMPLES)
def test_the_standards_own_examples(target: Any, patch: Any, result: Any) -> None:
    assert merged(target, patch) == result


def written(value: Any) -> Any:
    """A value so that what differs in JSON differs here: true is not 1, and 1 is not 1.0."""
    if isinstance(value, dict):
        return {name: written(each) for name, each in value.items()}
    return [written(each) for each in value] if isinstance(value, list) else repr(value)


@given(documents, documents)
def test_a_difference_leads_from_one_to_the_other(old: Any, new: Any) -> None:
    assert written(merged(old, difference(old, new))) == written(new)


@given(documents)
def test_nothing_differs_from_itself(document: Any) -> None:
    assert difference(document, document) == {}
