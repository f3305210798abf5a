"""What is settled in bulk: a plan made with it is the plan made key by key."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from buckia import columns
from buckia.columns import Entries, Plain
from buckia.layout import EVERYTHING
from buckia.lockfile import BucketState, Locked
from buckia.model import Entry, Listing, Skipped, silent
from buckia.reconcile import Scope, reconcile
from buckia.rules import Rules
from buckia.runs import planning
from buckia.snapshot import Sides, _examined, list_remote
from buckia.stores.base import Hold
from buckia.stores.memory import MemoryStore
from tests.etags import Etags, not_held
from tests.helpers import World
from tests.strategies import History, any_histories, examples

MD5 = ("a" * 32, "b" * 32)
SHA = ("c" * 64, "d" * 64)
NAMES = (
    "a",
    "b",
    "d/e",
    "x.sqlite-wal",
    "db-wal",
    "d/.buckia-manifest.json",
    "nul",
    "é",
    ".buckia.d",
)


def plan_bytes(world: World, bulk: bool) -> bytes:
    """The plan of a world, with or without what is settled in bulk."""
    with pytest.MonkeyPatch.context() as patch:
        if not bulk:
            patch.setattr(BucketState, "plain", lambda state: Plain([], array("q"), [], []))
        with world.open() as project:
            return msgspec.json.encode(project.plan())


@examples(60)
@given(any_histories)
def test_a_plan_settled_in_bulk_is_the_plan_made_key_by_key(
    tmp_path_factory: pytest.TempPathFactory, history: History
) -> None:
    """For any history, conflicts, deletions and limits included."""
    world = history.build(tmp_path_factory.mktemp("w"), {"main": Etags()})
    assert plan_bytes(world, bulk=True) == plan_bytes(world, bulk=False)


def test_only_what_differs_is_compared_key_by_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reconcile sees the changed key of three, and that there is a base."""
    world = World(tmp_path, {"main": Etags()})
    for name in ("one", "two", "three"):
        world.write(name, name.encode())
    world.sync()
    seen: list[Any] = []

    def watched(*parts: Any) -> Any:
        seen.append([set(side if isinstance(side, dict) else side.entries) for side in parts[:3]])
        return reconcile(*parts)

    monkeypatch.setattr(planning, "reconcile", watched)
    world.write("two", b"changed")
    with world.open() as project:
        made = project.plan()
        assert (len(made.actions), made.summary.unchanged) == (1, 2)
        world.remove("two")
        world.write("two", b"two")
        assert project.plan().summary.unchanged == 3
    assert seen[0] == [{"two"}] * 3
    assert [len(keys) for keys in seen[1]] == [1] * 3  # one, to tell that there is a base


def entries_of(key: str) -> st.SearchStrategy[Entry]:
    """What a side may hold at a key, often what base has there."""
    listed = Entry(key, 3, None, MD5[0], None, None, MD5[0], 7)
    read = Entry(key, 3, SHA[0], None, None, None, SHA[0], 7, None, key)
    return st.sampled_from([listed, read]) | st.builds(
        Entry,
        key=st.just(key),
        size=st.sampled_from([0, 3, 3, 3]),
        sha256=st.sampled_from([*SHA, SHA[0], None]),
        md5=st.sampled_from([*MD5, MD5[0], MD5[0], None]),
        sha1=st.sampled_from([None, None, None, "e" * 40]),
        logical=st.sampled_from([None, None, None, "rows"]),
        version=st.sampled_from([*MD5, MD5[0], *SHA, None]),
        modified=st.sampled_from([None, 7, 7, -1, 2**63, -(2**63)]),
        type=st.sampled_from([None, None, None, "text/plain"]),
        path=st.sampled_from([None, key]),
        headers=st.sampled_from([None, None, {}, {"a": "b"}]),
    )


def locked_of() -> st.SearchStrategy[Locked]:
    """What base may have at a key."""
    return st.just(Locked(3, SHA[0], MD5[0])) | st.builds(
        Locked,
        size=st.sampled_from([0, 3, 3, 3]),
        sha256=st.sampled_from([*SHA, SHA[0]]),
        token=st.sampled_from([*MD5, MD5[0], MD5[0], None, "short"]),
        logical=st.sampled_from([None, None, None, "rows"]),
        path=st.sampled_from([None, None, None, "elsewhere"]),
        type=st.sampled_from([None, "text/plain"]),
        headers=st.sampled_from([None, None, {"a": "b"}]),
    )


def sides(entries: Any) -> st.SearchStrategy[Any]:
    """Some of the names with something at each."""
    return st.fixed_dictionaries({}, optional={key: entries(key) for key in NAMES})


class Shown(MemoryStore):
    """A bucket that lists just these."""

    def __init__(self, shown: dict[str, Entry]) -> None:
        super().__init__()
        self._shown = shown

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        """All of them, in order."""
        yield from (self._shown[key] for key in sorted(self._shown))

    def ranged(
        self, prefix: str, known: Iterable[str], hold: Hold | None = None
    ) -> Iterator[Entry]:
        """The same, but for what is taken as it is."""
        return not_held(self.entries(prefix), hold)


def held(plain: Plain, make: Any, found: dict[str, Entry]) -> Entries:
    """The same entries, as a side holds them."""
    made = Entries(plain, make)
    made.loose = {key: entry for key, entry in found.items() if not made.hold(entry)}
    return made


@examples(200)
@given(sides(entries_of), sides(lambda key: locked_of()), sides(entries_of), st.booleans())
def test_entries_held_in_columns_are_the_same_entries(
    mine: dict[str, Entry], known: dict[str, Locked], theirs: dict[str, Entry], doubt: bool
) -> None:
    """A side, its listing, what is decided and what is counted, whatever is at any key."""
    state = BucketState("x", 1, "", None, False, known)
    base, plain, rules = state.base(), state.plain(), Rules(delete="all")
    mine = {key: entry for key, entry in mine.items() if key not in ("nul", ".buckia.d")}
    here = held(plain, lambda *at: plain.read(str, *at), mine)
    whole = list_remote(Shown(theirs), EVERYTHING, rules.excludes, silent)
    quick = list_remote(
        Shown(theirs), EVERYTHING, rules.excludes, silent, known=base.keys(), plain=plain
    )
    quick = _examined(quick, here, EVERYTHING, rules.excludes)
    assert dict(here) == mine
    assert dict(quick.entries) == whole.entries
    assert len(quick.entries) == len(whole.entries)
    assert set(quick.skipped) == set(whole.skipped)
    assert (quick.sidecars, quick.manifests) == (whole.sidecars, whole.manifests)
    assert columns.count(here, quick.entries) == len(mine.keys() | whole.entries.keys())
    skipped = (Skipped("a", "cannot be read", unknown=True),) if doubt else ()
    scope = Scope(EVERYTHING.direction_of)
    fast = Sides(Listing(here, skipped), quick)
    assert reconcile(*planning._unsettled(fast, base), rules, scope) == reconcile(
        Listing(mine, skipped), base, whole, rules, scope
    )


@examples(200)
@given(
    locked_of(),
    st.sampled_from([0, 3, 4]),
    st.sampled_from(SHA),
    st.sampled_from([*MD5, None]),
    st.sampled_from([7, -1, 2**63 - 1, 2**63, -(2**63)]),
)
def test_what_is_held_without_an_entry_is_what_an_entry_would_be(
    known: Locked, size: int, sha256: str, md5: str | None, time: int
) -> None:
    """A file by its digests, an object by its token: taken, and then told of, just the same."""
    plain = BucketState("x", 1, "", None, False, {"a": known}).plain()
    file = Entry("a", size, sha256, None, None, None, sha256, time, None, "a")
    whole, quick = (Entries(plain, lambda *at: plain.read(str, *at)) for _ in range(2))
    assert quick.hold_file("a", size, sha256, time) == whole.hold(file)
    assert dict(quick) == dict(whole)
    whole, quick = Entries(plain, plain.listed), Entries(plain, plain.listed)
    listed = Entry("a", size, None, md5, None, None, md5, time)
    assert (quick.hold_object("a", size, md5 or "", time)) == (whole.hold(listed))
    assert dict(quick) == dict(whole)


@examples(100)
@given(sides(entries_of), sides(lambda key: locked_of()), sides(entries_of))
def test_amended_entries_are_the_old_with_the_new(
    mine: dict[str, Entry], known: dict[str, Locked], found: dict[str, Entry]
) -> None:
    """Also where the old ones are held in columns."""
    plain = BucketState("x", 1, "", None, False, known).plain()
    here = held(plain, plain.listed, mine)
    assert dict(columns.amended(here, found)) == {**mine, **found}
    assert dict(here) == mine
