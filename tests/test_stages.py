"""Portions in stages: copies, a look at all of them, and only then what they were made for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import pytest

from buckia.errors import BuckiaError, Interrupted, PreconditionError, StoreError
from buckia.model import Entry
from buckia.project import Project
from buckia.stores.base import Clearing, Store
from tests.helpers import World, ops
from tests.seeing import COUNT, Seeing, changed, removed, renamed, world
from tests.stores.contract import content, write

pytestmark = pytest.mark.usefixtures("hurried")


class Careless(Seeing):
    """A bucket that confirms every copy; those at `lost` keys it does not keep, or as something
    else of the same size."""

    lost: Callable[[str], bool] = staticmethod(lambda key: False)
    garbles = False

    def copy(
        self, source: Store, entry: Entry, *, key: str, replacing: Entry | None
    ) -> Entry | None:
        made = super().copy(source, entry, key=key, replacing=replacing)
        if made and self.lost(key):
            super(Seeing, self).delete(made)
            if self.garbles:
                write(self, key, b"X" * entry.size)
        return made


@pytest.mark.promise("INV-27")
@pytest.mark.parametrize("change", [renamed, changed, removed])
@pytest.mark.parametrize("garbles", [False, True])
def test_what_has_no_copy_does_not_go(
    tmp_path: Path, change: Callable[[World], None], garbles: bool
) -> None:
    """One of many is not where it was copied to: its old object stays, the others are done."""
    store = Careless()
    store.garbles = garbles
    made = world(tmp_path, store)
    change(made)
    store.lost = lambda key: key.endswith("/040")
    plan = made.plan()
    applied = made.apply(plan)
    assert [outcome.key[-4:] for outcome in applied.failed] == ["/040"]
    assert content(store, "old/040") == b"40"


@pytest.mark.promise("INV-5")
@pytest.mark.parametrize("change", [renamed, removed])
def test_what_changed_before_it_goes_stays(tmp_path: Path, change: Callable[[World], None]) -> None:
    """Somebody replaces it after its copy was made and seen."""

    class Replaced(Seeing):
        def seen(self, key: str) -> Entry | None:
            if key.endswith("/040") and content(self, "old/040") == b"40":
                write(self, "old/040", b"foreign", replacing=self.head("old/040"))
            return super().seen(key)

    store = Replaced()
    made = world(tmp_path, store)
    change(made)
    applied = made.apply(made.plan())
    assert [outcome.key[-4:] for outcome in applied.failed] == ["/040"]
    assert content(store, "old/040") == b"foreign"
    assert content(store, "old/041") is None


class Refusing(Seeing):
    """A bucket that makes no copy at, or of, keys that end so."""

    ending = "/040"

    def copy(
        self, source: Store, entry: Entry, *, key: str, replacing: Entry | None
    ) -> Entry | None:
        if key.endswith(self.ending):
            raise StoreError(f"{key}: no room")
        return super().copy(source, entry, key=key, replacing=replacing)


@pytest.mark.promise("L4")
@pytest.mark.parametrize("change", [renamed, changed, removed])
def test_a_copy_that_fails_is_told_and_nothing_is_deleted_after_it(
    tmp_path: Path, change: Callable[[World], None]
) -> None:
    """No old name goes; of deletions only that one is not done, whose copy failed."""
    store = Refusing()
    made = world(tmp_path, store)
    change(made)
    applied = made.apply(made.plan())
    assert [outcome.key[-4:] for outcome in applied.failed] == ["/040"]
    assert "no room" in str(applied.failed[0].error)
    assert content(store, "old/040") == b"40"
    old = {key for key in made.remote() if key.startswith("old/")}
    assert len(old) == (1 if change is removed else COUNT)
    store.ending = "none"
    made.apply(made.plan())
    assert made.remote() == made.local()


class Sweeper(Seeing):
    """A bucket that deletes many at once, except what it keeps."""

    kept: Collection[str] = ()

    def clear(self, entries: Sequence[Entry]) -> list[BuckiaError | None]:
        return [self._cleared(entry) for entry in entries]

    def _cleared(self, entry: Entry) -> BuckiaError | None:
        if entry.key in self.kept:
            return PreconditionError(f"{entry.key}: kept")
        self.delete(entry)
        return None


@pytest.mark.promise("INV-7")
@pytest.mark.parametrize("change", [renamed, removed])
def test_what_is_not_deleted_with_the_others_is_told(
    tmp_path: Path, change: Callable[[World], None]
) -> None:
    """Of each action by itself, and the lockfile still knows the object."""
    store = Sweeper()
    assert isinstance(store, Clearing)
    made = world(tmp_path, store)
    change(made)
    store.kept = ("old/007", "old/100")
    applied = made.apply(made.plan())
    assert sorted(outcome.key[-4:] for outcome in applied.failed) == ["/007", "/100"]
    assert {outcome.error for outcome in applied.failed} == {"old/007: kept", "old/100: kept"}
    assert set(store.kept) <= made.remote().keys()
    assert "old/008" not in made.remote()
    store.kept = ()
    made.apply(made.plan())
    assert made.remote() == made.local()
    assert ops(made.plan()) == []


def test_a_store_that_tells_of_fewer_than_it_was_given_is_believed_in_nothing(
    tmp_path: Path,
) -> None:
    """Nobody could say which of them are gone."""

    class Short(Sweeper):
        def clear(self, entries: Sequence[Entry]) -> list[BuckiaError | None]:
            return super().clear(entries)[1:]

    made = world(tmp_path, Short())
    removed(made)
    plan = made.plan()
    with pytest.raises(ValueError, match="shorter"):
        made.apply(plan)


@pytest.mark.promise("INV-27")
@pytest.mark.parametrize("change", [renamed, changed, removed])
def test_a_stop_between_the_stages_loses_nothing(
    tmp_path: Path, change: Callable[[World], None]
) -> None:
    """No more is begun: what was copied and not yet deleted or overwritten is as it was."""
    stop = threading.Event()

    class Halting(Seeing):
        def copy(
            self, source: Store, entry: Entry, *, key: str, replacing: Entry | None
        ) -> Entry | None:
            if key.endswith("/100"):
                stop.set()
            return super().copy(source, entry, key=key, replacing=replacing)

    store = Halting()
    made = world(tmp_path, store)
    change(made)
    plan = made.plan()
    with Project(made.config, stop=stop, stores=made.stores) as project, pytest.raises(Interrupted):
        project.apply(plan)
    there = made.remote()
    assert there["old/100"] == b"100"
    assert there["old/101"] == b"101"
    recorded = made.lock().state("main").entries
    assert there.keys() - recorded.keys() <= ({"old/100"} if change is renamed else set())
    made.apply(plan)
    assert made.remote() == made.local()
    assert len(made.local()) in (COUNT, 1)
