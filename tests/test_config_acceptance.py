"""The quick judge of configurations says yes only where the real one does."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from buckia.config.acceptance import accepts
from buckia.documents import schema

WHOLE = schema("config")
JUDGE = Draft202012Validator(WHOLE)
OPTIONS = WHOLE["$defs"]["options"]["properties"]
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 70_000),
    st.floats(allow_nan=False, width=16),
    st.sampled_from(["", "x", "s3", "b2", "bunny", "linode", "local", "10%", "30d", "all", "/a"]),
    st.text(max_size=4),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["path", "prefix", "direction", "keep", "x"]), inner, max_size=3
        )
    ),
    max_leaves=5,
)


def _examples() -> list[Any]:
    """Configurations that are right: those of the schema, and one for each example of an option."""
    found: list[Any] = list(WHOLE["examples"])
    for name, rules in OPTIONS.items():
        for example in rules.get("examples", ()):
            given = example if isinstance(example, dict) and name in example else {name: example}
            found += [{"b": {"provider": p, "bucket_name": "n", **given}} for p in _PROVIDERS]
    return found


_PROVIDERS = ("local", "s3", "linode", "b2", "bunny")


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every container with a key or index in it."""
    keys = list(value) if isinstance(value, dict) else range(len(value))
    here = [(value, key) for key in keys]
    inner = [item for _, key in here if isinstance(item := value[key], dict | list)]
    return here + [place for item in inner for place in _places(item)]


def test_every_example_that_is_right_is_accepted_at_once() -> None:
    right = [one for one in _examples() if JUDGE.is_valid(one)]
    assert len(right) > 20
    refused = [one for one in right if not accepts(WHOLE, one, WHOLE)]
    assert refused == []


@given(st.data())
def test_what_is_accepted_is_right(data: st.DataObject) -> None:
    config = copy.deepcopy(data.draw(st.sampled_from(_examples())))
    for _ in range(data.draw(st.integers(1, 2))):
        container, key = data.draw(st.sampled_from(_places(config)))
        what = data.draw(st.sampled_from(["replace", "drop", "add"]))
        if what == "replace":
            container[key] = data.draw(VALUES)
        elif what == "drop":
            del container[key]
        elif isinstance(container, dict):
            container[data.draw(st.sampled_from([*OPTIONS, "buckia", "x"]))] = data.draw(VALUES)
        if not _places(config):
            break
    if accepts(WHOLE, config, WHOLE):
        assert JUDGE.is_valid(config)


def test_a_rule_that_nobody_knows_accepts_nothing() -> None:
    assert accepts({"type": "string"}, "x", {})
    assert not accepts({"type": "string", "contentEncoding": "base64"}, "x", {})
    assert not accepts({"not": {"contentEncoding": "base64"}}, "x", {})
