"""What the property tests draw from: keys, contents, trees, options and histories."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from buckia.errors import BlockedError
from buckia.layout import refuse_key
from buckia.rules import built_in_exclude
from buckia.stores.base import Store
from tests.helpers import NO_LIMITS, Side, World

KEYS = (
    "a.txt",
    "B.txt",
    "b/c.txt",
    "b/d",
    "b/deep/er/e",
    "Grüße/日本語.txt",
    "emoji-🎈",
    "f g+h%20&=?#",
)
"""Few, so that sides meet; none is a folder of another and no two are one file anywhere."""

CONTENTS = (b"", b"one", b"two", b"three", b"\x00\xff" * 700)
"""Few, so that contents meet too."""


def examples(count: int) -> settings:
    """`count` examples in the default profile, in proportion more in others."""
    usual = settings.default.max_examples if settings.default else 100
    return settings(max_examples=max(1, count * usual // 100))


keys = st.sampled_from(KEYS)
contents = st.sampled_from(CONTENTS)
trees: st.SearchStrategy[Side] = st.dictionaries(keys, contents, max_size=5)

any_names = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
"""Any text, hostile or not."""

any_keys = any_names.filter(lambda key: refuse_key(key) is None and built_in_exclude(key) is None)
"""Any text that may be a key and a file."""


@dataclass(frozen=True)
class Edit:
    """One change on one side; without `data` a deletion."""

    side: str
    key: str
    data: bytes | None


edits = st.builds(
    Edit, st.sampled_from(["local", "remote"]), keys, st.none() | contents | st.binary(max_size=3)
)

HEADER_RULES: list[list[dict[str, Any]]] = [
    [],
    [{"match": "*", "cache_control": "max-age=60"}],
    [
        {"match": "*.txt", "content_type": "text/x", "metadata": {"a": "1"}},
        {"match": "b/", "cache_control": "no-store"},
    ],
    [{"match": ["B.txt", "b/d"], "metadata": {"a": "2", "b": "3"}}],
]
"""Few, so that rules of one set say something else than those of another about the same key."""

header_rules = st.sampled_from(HEADER_RULES)

options: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "direction": st.sampled_from(["both", "upload", "download"]),
        "delete_orphaned": st.sampled_from([False, True, True, "all"]),
        "conflict_resolution": st.sampled_from(
            ["ask", "local_wins", "remote_wins", "newest_wins", "remote_wins"]
        ),
        "trash": st.sampled_from([True, True, False]),
        "headers": st.just([]) | header_rules,
    }
)


@dataclass(frozen=True)
class History:
    """How a world came to be: rounds of edits with a sync after each but the last."""

    options: dict[str, Any]
    local: Side
    remote: Side
    rounds: list[list[Edit]] = field(default_factory=list)

    def build(
        self, root: Path, stores: Mapping[str, Store | None] | None = None, **more: Any
    ) -> World:
        """The world that this history makes, the last edits not yet synced."""
        world = World(root, stores, limits=NO_LIMITS, **{**self.options, **more})
        for key, data in self.local.items():
            world.write(key, data)
        for key, data in self.remote.items():
            world.put(key, data)
        for edit_list in self.rounds:
            sync_what_goes(world)
            for edit in edit_list:
                make(world, edit)
        return world


any_histories = st.builds(
    History,
    options=options,
    local=trees,
    remote=trees,
    rounds=st.lists(st.lists(edits, min_size=1, max_size=5), max_size=3),
)


@st.composite
def busy_histories(draw: st.DrawFn) -> History:
    """Histories that end with a new file, a deletion and more on one side, all free to travel.

    Half of them are a rename.
    """
    names = draw(st.permutations(KEYS))
    side = draw(st.sampled_from(["local", "remote"]))
    way = "upload" if side == "local" else "download"
    known = {key: draw(contents) for key in names[1:5]}
    fresh = draw(st.sampled_from([b"quite new", known[names[1]]]))
    last = [Edit(side, names[0], fresh), Edit(side, names[1], None), *draw(several)]
    last = [edit for at, edit in enumerate(last) if at < 2 or edit.key not in names[:2]]
    chosen = {
        **draw(options),
        "direction": draw(st.sampled_from(["both", way])),
        "delete_orphaned": draw(st.sampled_from([True, "all"])),
    }
    return History(chosen, known, {}, [*draw(st.lists(several, max_size=1)), last])


several = st.lists(edits, max_size=4)
histories = any_histories | busy_histories()


def make(world: World, edit: Edit) -> None:
    """Make one change behind buckia's back."""
    if edit.side == "local":
        world.remove(edit.key) if edit.data is None else world.write(edit.key, edit.data)
    elif edit.data is None:
        world.drop(edit.key)
    else:
        world.put(edit.key, edit.data)


def sync_what_goes(world: World) -> None:
    """A sync that leaves conflicts, and sides emptied altogether, as they are."""
    try:
        applied = world.apply(world.plan(skip_conflicts=True))
    except BlockedError:
        return
    assert not applied.failed, applied.failed
