"""What a promotion asks of its buckets: how often, in which order, and what it leaves alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Final

import pytest

from buckia import planfile
from buckia.errors import DocumentError, UnavailableError
from buckia.model import Entry, Op, action_id, replace
from buckia.planfile import Plan
from buckia.rules import Overrides
from buckia.stores.base import Store
from buckia.stores.memory import MemoryStore
from tests.helpers import ops
from tests.test_laws_runs import Cut
from tests.test_purges import Cached, purged
from tests.tiers import FOLDER, SOURCE, TARGETS, Tiers

pytestmark = pytest.mark.usefixtures("hurried")

FILES: Final = {f"{FOLDER}/{name}": name.encode() for name in ("a", "b", "c")}


class Logged(MemoryStore):
    """A bucket that writes down, in a book that all share, what is written to it and read."""

    def __init__(self, name: str, book: list[tuple[str, str, str]], *, apart: bool) -> None:
        super().__init__(name)
        self._book = book
        self._name_of = name
        self._apart = apart
        self.broken: set[str] = set()
        self.once: set[str] = set()

    def copies(self, source: Store) -> bool:
        """From any other, or from none."""
        return source is self if self._apart else super().copies(source)

    def open(self, entry: Entry) -> Any:
        self._book.append(("read", self._name_of, entry.key))
        return super().open(entry)

    def put(self, entry: Entry, body: BinaryIO, *, replacing: Entry | None) -> Entry:
        if entry.key in self.broken | self.once:
            self.once.discard(entry.key)
            raise UnavailableError(f"{entry.key}: the service is not available")
        self._book.append(("put", self._name_of, entry.key))
        return super().put(entry, body, replacing=replacing)

    def copy(
        self, source: Store, entry: Entry, *, key: str, replacing: Entry | None
    ) -> Entry | None:
        if not self.copies(source):
            return None
        if key in self.broken:
            raise UnavailableError(f"{key}: the service is not available")
        self._book.append(("copy", self._name_of, key))
        return super().copy(source, entry, key=key, replacing=replacing)

    def delete(self, entry: Entry) -> None:
        self._book.append(("delete", self._name_of, entry.key))
        super().delete(entry)


class Watched(Tiers):
    """Tiers whose book is empty but for what a promotion does."""

    def __init__(self, root: Path, *, apart: bool) -> None:
        self.book: list[tuple[str, str, str]] = []
        self.made = {n: Logged(n, self.book, apart=apart) for n in (SOURCE, *TARGETS)}
        super().__init__(root, self.made)
        self.applied(FILES)

    def told(self, *verbs: str) -> list[tuple[str, str, str]]:
        """What is in the book of some kinds, without what buckia keeps for itself."""
        return [item for item in self.book if item[0] in verbs and item[2] in FILES]


@pytest.fixture(params=[False, True], ids=["one service", "services apart"])
def tiers(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Watched]:
    yield Watched(tmp_path, apart=request.param)


# -- how bytes go ----------------------------------------------------------------------------------


def test_one_service_copies_and_no_byte_passes_here(tmp_path: Path) -> None:
    """Nothing is read, nothing is sent, for none of the targets."""
    tiers = Watched(tmp_path, apart=False)
    tiers.book.clear()
    tiers.promote()
    assert tiers.told("read", "put") == []
    assert sorted(tiers.told("copy")) == sorted(("copy", n, key) for n in TARGETS for key in FILES)
    for name in TARGETS:
        assert tiers.remote(name) == FILES


def test_between_services_each_file_is_read_once_for_all_targets(tmp_path: Path) -> None:
    """And written to each."""
    tiers = Watched(tmp_path, apart=True)
    tiers.book.clear()
    plan = tiers.promote()
    assert sorted(tiers.told("read")) == sorted(("read", SOURCE, key) for key in FILES)
    assert sorted(tiers.told("put")) == sorted(("put", n, key) for n in TARGETS for key in FILES)
    size = sum(map(len, FILES.values()))
    assert (plan.summary.bytes_down, plan.summary.bytes_up) == (size, size * len(TARGETS))


# -- one target after the other --------------------------------------------------------------------


def test_targets_take_turns_in_the_order_they_are_named(tmp_path: Path) -> None:
    """Also against their names' own order; one is finished, deletions too, before the next."""
    tiers = Watched(tmp_path, apart=False)
    tiers.promote("premium", "enterprise")
    tiers.applied({f"{FOLDER}/a": None, f"{FOLDER}/b": b"changed"})
    for order in (("premium", "enterprise"), ("enterprise", "premium")):
        tiers.book.clear()
        tiers.promote(*order)
        written = [name for _, name, _ in tiers.told("copy", "delete") if name != SOURCE]
        assert written == sorted(written, key=order.index) and set(written) == set(order)
        tiers.applied({f"{FOLDER}/{order[0][0]}": b"new", f"{FOLDER}/b": order[0].encode()})
        tiers.applied({f"{FOLDER}/c": None if order[0] == "premium" else b"back"})


def test_the_first_target_that_fails_is_the_last(tiers: Watched) -> None:
    """Nothing more is asked of those that follow than what was read for them on the way; nothing
    is deleted anywhere. The same plan goes on from there."""
    tiers.promote()
    tiers.applied({f"{FOLDER}/a": None, f"{FOLDER}/b": b"changed", f"{FOLDER}/c": b"changed too"})
    plan = tiers.promotion()
    tiers.made["premium"].broken = {f"{FOLDER}/b"}
    tiers.book.clear()
    failed = tiers.apply(plan).failed
    assert [(item.bucket, item.key) for item in failed] == [(f"{SOURCE}>premium", f"{FOLDER}/b")]
    assert tiers.told("delete", "copy") == [
        item for item in tiers.told("copy") if item[1] == "premium"
    ]
    assert f"{FOLDER}/a" in tiers.remote("premium") and f"{FOLDER}/a" in tiers.remote("enterprise")
    tiers.made["premium"].broken = set()
    assert not tiers.apply(plan).failed
    assert tiers.remote("premium") == tiers.remote("enterprise") == tiers.remote(SOURCE)
    assert ops(tiers.promotion()) == []


def test_what_failed_on_the_way_of_another_is_sent_in_its_own_turn(tmp_path: Path) -> None:
    """A later target that could not take a file while it was read for an earlier one."""
    tiers = Watched(tmp_path, apart=True)
    tiers.made["enterprise"].once = {f"{FOLDER}/b"}
    assert not tiers.apply(tiers.promotion()).failed
    assert tiers.remote("enterprise") == FILES
    assert tiers.told("read").count(("read", SOURCE, f"{FOLDER}/b")) == 2


def test_keep_going_goes_on_to_the_next(tiers: Watched) -> None:
    """The failed one deletes nothing, the next is done whole, and the plan said that it would."""
    tiers.promote()
    tiers.applied({f"{FOLDER}/a": None, f"{FOLDER}/b": b"changed"})
    plan = tiers.promotion(overrides=Overrides(keep_going=True))
    assert plan.overrides
    tiers.made["premium"].broken = {f"{FOLDER}/b"}
    failed = tiers.apply(plan).failed
    assert {item.bucket for item in failed} == {f"{SOURCE}>premium"}
    assert tiers.remote("enterprise") == tiers.remote(SOURCE)
    assert tiers.remote("premium") == FILES
    tiers.made["premium"].broken = set()
    assert not tiers.apply(plan).failed
    assert tiers.remote("premium") == tiers.remote(SOURCE)


# -- caches in front of where a folder leaves ------------------------------------------------------


def moving(root: Path) -> tuple[Tiers, Cached]:
    """A folder that is to leave a bucket which everybody has visited."""
    cached = Cached()
    stores: dict[str, Store | None] = {SOURCE: cached}
    tiers = Tiers(root, {**stores, **{name: MemoryStore(name) for name in TARGETS}})
    tiers.applied({**FILES, "other/x": b"stays"})
    cached.visit()
    return tiers, cached


def refuse_deletion(cached: Cached, key: str) -> Callable[[], None]:
    """Have a bucket keep an object whatever it is told; what ends that."""
    real = cached.delete

    def refuse(entry: Entry) -> None:
        if entry.key == key:
            raise UnavailableError("the service is busy")
        real(entry)

    cached.delete = refuse  # type: ignore[method-assign]
    return lambda: setattr(cached, "delete", real)


def move(tiers: Tiers, **options: Any) -> Plan:
    return tiers.promotion("premium", move=True, **options)


def test_what_a_move_takes_away_is_purged_at_the_source(tmp_path: Path) -> None:
    """Last, once it is gone, and nothing else; moved again, and applied again, there is nothing."""
    tiers, cached = moving(tmp_path)
    plan = move(tiers)
    assert purged(plan) == sorted(FILES)
    assert {item.bucket for item in plan.actions if item.op is Op.PURGE} == {SOURCE}
    assert not tiers.apply(plan).failed
    assert cached.stale() == set() and "other/x" in cached.visitors
    assert sorted(cached.purged) == sorted(FILES)
    assert tiers.apply(plan).already
    assert ops(move(tiers)) == [] == purged(tiers.plan([SOURCE]))
    assert len(cached.purged) == len(FILES)


def test_a_copy_purges_nothing_at_the_source(tmp_path: Path) -> None:
    """Where all stays, all is served as before."""
    tiers, cached = moving(tmp_path)
    assert purged(tiers.promote()) == [] == cached.purged


@pytest.mark.parametrize("anew", [False, True], ids=["the same plan", "a new plan"])
def test_a_purge_that_failed_is_made_up_for(tmp_path: Path, anew: bool) -> None:
    """The folder has moved all the same; the next move, or the next plan of the source, purges."""
    tiers, cached = moving(tmp_path)
    plan, key = move(tiers), f"{FOLDER}/b"
    cached.refused = {key}
    assert [item.key for item in tiers.apply(plan).failed] == [key]
    assert cached.stale() == {key}
    cached.refused = set()
    assert purged(tiers.plan([SOURCE])) == [key]
    again = move(tiers) if anew else plan
    assert not tiers.apply(again).failed
    assert cached.stale() == set()
    assert ops(move(tiers)) == [] == purged(tiers.plan([SOURCE]))


def test_what_could_not_leave_is_purged_when_it_has(tmp_path: Path) -> None:
    """A purge that is too early would only bring the object back into the caches."""
    tiers, cached = moving(tmp_path)
    plan, key = move(tiers), f"{FOLDER}/b"
    end = refuse_deletion(cached, key)
    assert [item.key for item in tiers.apply(plan).failed] == [key]
    assert key not in cached.purged and cached.stale() == set()
    end()
    assert not tiers.apply(plan).failed
    assert key in cached.purged and cached.stale() == set()
    assert tiers.apply(plan).already


@pytest.mark.parametrize("anew", [False, True], ids=["the same plan", "a new plan"])
def test_a_folder_is_purged_again_after_what_may_have_left_it(tmp_path: Path, anew: bool) -> None:
    """A deletion that failed may have been done all the same."""
    tiers, cached = moving(tmp_path)
    tiers.applied({f"{FOLDER}/{name}": b"more" for name in ("d", "e")})
    end = refuse_deletion(cached, f"{FOLDER}/b")
    plan = move(tiers)
    assert purged(plan) == [f"{FOLDER}/"]
    assert tiers.apply(plan).failed and cached.purged == [f"{FOLDER}/"]
    assert purged(tiers.plan([SOURCE])) == [f"{FOLDER}/"]
    cached.visit()
    end()
    assert not tiers.apply(move(tiers) if anew else plan).failed
    assert cached.stale() == set()
    assert purged(tiers.plan([SOURCE])) == []


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("anew", [False, True])
def test_a_move_that_was_cut_leaves_nobody_with_what_is_gone(
    tmp_path: Path, after: bool, anew: bool
) -> None:
    """At every change of the source: afterwards neither bucket nor caches hold it."""
    for step in range(1, 2 * len(FILES) + 1):
        tiers, cached = moving(tmp_path / str(step))
        plan = move(tiers)
        cached.after, cached.step = after, step
        with suppress(Cut):
            tiers.apply(plan)
        cached.step = 0
        assert not tiers.apply(move(tiers) if anew else plan).failed
        assert cached.stale() == set(), step
        assert tiers.remote("premium") == FILES
        assert tiers.remote(SOURCE) == {"other/x": b"stays"}
        assert ops(move(tiers)) == [] == purged(tiers.plan([SOURCE]))


def test_a_purge_at_the_source_of_what_stays_is_no_plan(tmp_path: Path) -> None:
    """Whoever wrote it."""
    tiers, cached = moving(tmp_path)
    plan = move(tiers)
    found = next(item for item in plan.actions if item.op is Op.PURGE)
    key = "other/x"
    other = replace(found, key=key, id=action_id(Op.PURGE, SOURCE, key))
    forged = planfile.seal(replace(plan, actions=(*plan.actions, other)))
    with pytest.raises(DocumentError, match="is for nothing that the plan changes"):
        tiers.apply(forged)
    assert cached.purged == []
