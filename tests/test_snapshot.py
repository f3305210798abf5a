"""Two listings from two stores, and the proofs that a listing alone does not give."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buckia import snapshot
from buckia.errors import UnavailableError
from buckia.layout import Layout, Mapping
from buckia.model import Entry, Listing, Tick, replace, silent
from buckia.rules import Rules
from buckia.snapshot import PART_SIZES, Sides, multipart_digests
from buckia.stores import reading
from buckia.stores.base import Capabilities
from buckia.stores.local import LocalStore
from buckia.stores.memory import MemoryStore
from tests.helpers import World, codes, ops
from tests.strategies import examples

MEBI = 1024 * 1024


def etag(data: bytes, part: int) -> str:
    """What S3 calls an object sent in parts of this size."""
    parts = [data[at : at + part] for at in range(0, len(data), part)]
    whole = hashlib.md5(b"".join(hashlib.md5(piece).digest() for piece in parts)).hexdigest()
    return f"{whole}-{len(parts)}"


class Terse(MemoryStore):
    """A bucket whose listing tells no digest but `lists`, and whose objects say more when asked."""

    def __init__(
        self, *, tells: tuple[str, ...] = (), lists: tuple[str, ...] = (), part: int = 0
    ) -> None:
        super().__init__()
        self.tells = tells
        self.lists = lists
        self.part = part
        self.asked: list[str] = []
        self.broken = False

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(create_if_absent=True, digests=frozenset(self.lists))

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        for number, entry in enumerate(super().entries(prefix)):
            if self.broken and number:
                raise UnavailableError("the second page did not come")
            yield self._told(entry, self.lists)

    def head(self, key: str) -> Entry | None:
        self.asked.append(key)
        entry = super().head(key)
        return self._told(entry, self.tells) if entry else None

    def _told(self, entry: Entry, tells: tuple[str, ...]) -> Entry:
        bare = {name: None for name in ("sha256", "md5", "sha1") if name not in tells}
        if self.part:
            bare["version"] = etag(self._objects[entry.key][1], self.part)  # type: ignore[assignment]
        return replace(entry, **bare)


# -- listings --------------------------------------------------------------------------------------


def test_a_bucket_is_listed_in_scope_and_as_it_is(tmp_path: Path) -> None:
    """Foreign, filtered and hostile keys apart; markers of folders are nothing."""
    store = MemoryStore()
    for key in ("p/a", "p/b.tmp", "other/x", "p/../up", "p/dir/", "single", "p/.buckia/trash/x"):
        data = b"" if key == "p/dir/" else b"1"
        store.put(Entry(key, len(data)), io.BytesIO(data), replacing=None)
    store.put(Entry("p/full/", 1), io.BytesIO(b"1"), replacing=None)
    layout = Layout((Mapping("x/", "p/"), Mapping("s", "single", single=True)))
    listing = snapshot.list_remote(store, layout, Rules(exclude=("*.tmp",)).excludes, silent)
    assert list(listing.entries) == ["p/a", "single"]
    assert [item.place for item in listing.skipped] == ["p/../up", "p/full/"]
    assert listing.complete


@pytest.mark.promise("INV-1")
def test_a_listing_that_breaks_off_is_no_listing(tmp_path: Path) -> None:
    """The plan fails; nothing is deduced from the part that came."""
    store = Terse(tells=("sha256",))
    world = World(tmp_path, {"main": store}).settled({"a": b"1", "b": b"2"})
    store.broken = True
    with pytest.raises(UnavailableError, match="second page"):
        world.plan()


def test_listing_reports_progress(tmp_path: Path) -> None:
    """The last word is the number of keys."""
    world = World(tmp_path).settled({"a": b"1", "b": b"2"})
    ticks: list[Tick] = []
    with world.open(ticks.append) as project:
        project.plan()
    assert [tick.files for tick in ticks if tick.stage == "list"][-1] == 2


# -- proofs ----------------------------------------------------------------------------------------


@examples(60)
@given(st.binary(min_size=1, max_size=400), st.sets(st.integers(1, 120), min_size=1, max_size=4))
def test_all_part_sizes_are_tried_in_one_read(data: bytes, sizes: set[int]) -> None:
    """The result is what each size makes of the parts by itself."""
    found = multipart_digests(io.BytesIO(data), sizes)
    assert found == {etag(data, size).partition("-")[0] for size in sizes}


@pytest.mark.parametrize("part", [5 * MEBI, 8 * MEBI, 5_000_000, 6 * MEBI])
def test_a_multipart_etag_proves_equal_content(tmp_path: Path, part: int) -> None:
    """Of parts of a size that clients use, or that the number of parts gives away."""
    data = bytes(range(256)) * (11 * MEBI // 256) + b"and a bit"
    world = World(tmp_path, {"main": Terse(part=part)})
    world.write("big", data)
    world.put("big", data)
    assert ops(world.plan()) == ["adopt big"]


@pytest.mark.parametrize("theirs", [b"0123456789", b"9876543210"], ids=["same", "other"])
def test_a_large_file_has_its_md5_read_when_it_is_asked_for(
    tmp_path: Path, theirs: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not before: of most large objects no service tells one."""
    monkeypatch.setattr(reading, "LARGE", 9)
    world = World(tmp_path, {"main": Terse(tells=("md5",), lists=("md5",))})
    world.write("small", b"123456789")
    mine = world.write("large", b"0123456789")
    with world.open() as project:
        listing = project.local("main").listing()
    assert {key: bool(entry.md5) for key, entry in listing.entries.items()} == {
        "small": True,
        "large": False,
    }
    world.put("large", theirs)
    same = mine.read_bytes() == theirs
    plan = world.plan(skip_conflicts=True)
    assert "adopt large" in ops(plan) if same else codes(plan) == ["conflict_skipped large"]


def test_a_multipart_etag_of_another_part_size_proves_nothing(tmp_path: Path) -> None:
    """Not knowing counts as different: a conflict, never an adoption."""
    data = b"x" * (11 * MEBI)
    world = World(tmp_path, {"main": Terse(part=7_654_321)})
    assert 7_654_321 not in PART_SIZES
    world.write("big", data)
    world.put("big", data)
    assert codes(world.plan(skip_conflicts=True)) == ["conflict_skipped big"]


def test_a_digest_stored_with_the_object_proves_equal_content(tmp_path: Path) -> None:
    """Objects are asked one by one where a decision hangs on it, or what would be downloaded."""
    store = Terse(tells=("sha256",))
    world = World(tmp_path, {"main": store})
    for key, here, there in (("same", b"1", b"1"), ("sized", b"1", b"2"), ("long", b"1", b"22")):
        world.write(key, here)
        world.put(key, there)
    world.write("only", b"1")
    store.asked.clear()
    plan = world.plan(skip_conflicts=True)
    assert ops(plan) == ["upload only", "adopt same"]
    assert sorted(store.asked) == ["long", "same", "sized"]


def test_what_the_last_apply_left_is_not_asked_for_again(tmp_path: Path) -> None:
    """The token alone tells that it is unchanged; a new object is asked for its digest."""
    store = Terse(tells=("sha256",))
    world = World(tmp_path, {"main": store}).settled({"a": b"1", "b": b"2"})
    store.asked.clear()
    assert ops(world.plan()) == []
    assert store.asked == []
    world.put("c", b"3")
    store.asked.clear()
    (action,) = world.plan().actions
    assert store.asked == ["c"]
    assert action.content
    assert action.content.sha256 == hashlib.sha256(b"3").hexdigest()


def test_a_download_of_a_known_version_is_checked_against_what_was_left(tmp_path: Path) -> None:
    """A listing without digests takes nothing from what the lockfile knows of the same version."""
    world = World(tmp_path, {"main": Terse(tells=("sha256",))}, direction="download")
    world.settled({"a": b"1", "b": b"2"})
    world.remove("a")
    (action,) = world.plan().actions
    assert action.content
    assert action.content.sha256 == hashlib.sha256(b"1").hexdigest()


def test_an_object_replaced_while_it_is_asked_for_stays_as_it_was_listed() -> None:
    """The picture is of one moment; preflight will find the change."""
    entry = Entry("k", 1, version="v1")
    local = LocalStore(Path("unused"))

    class Moved(MemoryStore):
        def head(self, key: str) -> Entry | None:
            return Entry("k", 1, version="v2", sha256="0" * 64)

    def listing(**entries: Entry) -> Listing:
        return Listing(dict(entries))

    sides = Sides(listing(), listing(k=entry))
    assert snapshot.prove(sides, {}, local, Moved(), 1).remote.entries == {"k": entry}
