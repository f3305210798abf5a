"""Headers that change without their bytes: planned, reviewed, done, and nothing left to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest

from buckia.errors import DocumentError, PreconditionError, StaleError
from buckia.headers import ALL, STORAGE, TYPE
from buckia.model import Action, Direction, Entry, Headers, Op, replace
from buckia.planfile import Plan, seal
from buckia.stores.base import Capabilities
from buckia.stores.memory import MemoryStore
from tests.helpers import ALL_DELETIONS, World, codes, ops
from tests.test_planner import make_database

pytestmark = pytest.mark.usefixtures("hurried")

CACHE: Final = "cache-control"
JPG: Final[list[dict[str, Any]]] = [{"match": "*.jpg", "cache_control": "max-age=60"}]
OTHER: Final[list[dict[str, Any]]] = [{"match": "*.jpg", "cache_control": "no-store"}]


class Terse(MemoryStore):
    """A bucket whose listing tells nothing of headers, and whose looks are counted."""

    looks = 0

    def entries(self, prefix: str = "") -> Any:
        for entry in super().entries(prefix):
            yield replace(entry, type=None, headers=None)

    def head(self, key: str) -> Entry | None:
        self.looks += not key.startswith(".buckia")
        return super().head(key)


class Fixed(MemoryStore):
    """A bucket that takes a content type with an upload and tells none, as Bunny."""

    @property
    def capabilities(self) -> Capabilities:
        told = super().capabilities
        return replace(told, headers=frozenset({TYPE}), headers_in_place=False, copy=False)


STORES: Final = pytest.mark.parametrize("store", [MemoryStore, Terse])


def worn(world: World, key: str) -> Headers | None:
    held = world.store().head(key)
    assert held
    return held.headers


def known(world: World, key: str) -> Headers | None:
    return world.lock().state("main").entries[key].headers


def only(plan: Plan) -> Action:
    (action,) = plan.actions
    return action


def settle(world: World) -> None:
    """Sync, and see that nothing is left to do."""
    world.sync()
    assert ops(world.plan()) == []


# -- what is planned -------------------------------------------------------------------------------


@STORES
def test_an_upload_carries_its_headers(tmp_path: Path, store: type[MemoryStore]) -> None:
    """And the lockfile remembers them, so that nothing is left to do."""
    world = World(tmp_path, {"main": store()}, headers=JPG)
    world.write("a.jpg", b"1")
    world.write("a.txt", b"2")
    contents = {action.key: action.content for action in world.plan().actions}
    assert contents["a.jpg"] and contents["a.jpg"].headers == {CACHE: "max-age=60"}
    assert contents["a.txt"] and contents["a.txt"].headers is None
    settle(world)
    assert (worn(world, "a.jpg"), worn(world, "a.txt")) == ({CACHE: "max-age=60"}, {})
    assert (known(world, "a.jpg"), known(world, "a.txt")) == ({CACHE: "max-age=60"}, None)


@STORES
def test_a_changed_rule_is_a_change_though_no_byte_is(
    tmp_path: Path, store: type[MemoryStore]
) -> None:
    """A copy onto its own key that says what it expects, what it leaves and what changes; the
    service is not asked what it has. Nothing is lost, so there is nothing to undo."""
    world = World(tmp_path, {"main": store()}, headers=JPG)
    world.write("a.jpg", b"1")
    world.write("b.txt", b"2")
    settle(world)
    changed = world.under(headers=OTHER)
    action = only(changed.plan())
    assert (action.op, action.key, action.reason, action.undo) == (
        Op.COPY,
        "a.jpg",
        "headers_changed",
        None,
    )
    assert action.source and action.content and action.expect
    assert (action.source.key, action.source.path) == ("a.jpg", "tree/a.jpg")
    assert action.expect.headers == {CACHE: "max-age=60"}
    assert action.content.headers == {CACHE: "no-store"}
    assert (action.content.sha256, action.content.size) == (action.expect.sha256, 1)
    assert action.changes == ("cache-control: no-store, was max-age=60",)
    summary = changed.plan().summary
    assert (summary.actions, summary.bytes_up, summary.irreversible) == ({"copy": 1}, 0, 0)
    before = changed.both()
    settle(changed)
    assert worn(changed, "a.jpg") == known(changed, "a.jpg") == {CACHE: "no-store"}
    assert changed.both() == before


def test_a_rule_that_is_gone_takes_its_headers_along(tmp_path: Path) -> None:
    """What somebody else has set stays."""
    world = World(tmp_path, headers=[{"match": "*", "metadata": {"a": "1", "b": "2"}}])
    world.write("k.txt", b"1")
    settle(world)
    store, held = world.store(), world.store().head("k.txt")
    assert held
    store.put_headers(
        replace(held, headers={"meta-theirs": "x"}), replacing=replace(held, headers=None)
    )
    world.sync()  # the bucket changed, and it is remembered
    fewer = world.under(headers=[{"match": "*", "metadata": {"b": "2"}}])
    settle(fewer)
    assert worn(fewer, "k.txt") == {"meta-b": "2", "meta-theirs": "x"}
    none = fewer.under(headers=[])
    assert only(none.plan()).changes == ("meta-b: none, was 2",)
    settle(none)
    assert worn(none, "k.txt") == {"meta-theirs": "x"}
    assert known(none, "k.txt") is None


def test_a_content_type_comes_and_goes_with_its_rule(tmp_path: Path) -> None:
    """Without a rule the ending tells it again; a rule that says what it is anyway changes
    nothing."""
    world = World(tmp_path)
    world.write("a.css", b"1")
    settle(world)
    same = world.under(headers=[{"match": "*.css", "content_type": "text/css"}])
    assert ops(same.plan()) == []
    other = world.under(headers=[{"match": "*.css", "content_type": "text/x"}])
    assert only(other.plan()).changes == ("content-type: text/x, was text/css",)
    settle(other)
    held = other.store().head("a.css")
    assert held and (held.type, held.headers) == ("text/x", {})
    back = other.under(headers=[])
    assert only(back.plan()).changes == ("content-type: text/css, was text/x",)
    settle(back)
    held = back.store().head("a.css")
    assert held and held.type == "text/css"


def test_a_new_type_leaves_other_headers(tmp_path: Path) -> None:
    """A changed header leaves the type, also one that no rule ever set."""
    world = World(tmp_path, headers=JPG)
    world.write("a.jpg", b"1")
    settle(world)
    settle(world.under(headers=[*JPG, {"match": "*", "content_type": "x/y"}]))
    held = world.store().head("a.jpg")
    assert held and (held.type, held.headers) == ("x/y", {CACHE: "max-age=60"})


@pytest.mark.parametrize(
    ("direction", "expected"),
    [("both", ["copy a.jpg"]), ("upload", ["copy a.jpg"]), ("download", [])],
)
def test_rules_are_for_mappings_that_upload(
    tmp_path: Path, direction: str, expected: list[str]
) -> None:
    """Where the bucket only gives, its headers are its own affair."""
    world = World(tmp_path).settled({"a.jpg": b"1"})
    paths = [{"path": "tree/", "direction": direction}]
    assert ops(world.under(headers=JPG, paths=paths).plan()) == expected


def test_a_plan_that_only_downloads_changes_no_headers(tmp_path: Path) -> None:
    """`--direction download` leaves the bucket as it is; the next plan has it."""
    world = World(tmp_path, headers=JPG).settled({"a.jpg": b"1"})
    changed = world.under(headers=OTHER)
    changed.put("b.jpg", b"2")
    assert ops(changed.plan(direction=Direction.DOWNLOAD)) == ["download b.jpg"]
    assert ops(changed.plan(direction=Direction.UPLOAD)) == ["copy a.jpg"]
    changed.apply(changed.plan(direction=Direction.DOWNLOAD))
    assert ops(changed.plan()) == ["copy a.jpg", "copy b.jpg"]


def test_a_changed_file_is_sent_once_with_its_new_headers(tmp_path: Path) -> None:
    """Not sent and then changed."""
    world = World(tmp_path, headers=JPG).settled({"a.jpg": b"1"})
    world.write("a.jpg", b"2")
    changed = world.under(headers=OTHER)
    assert ops(changed.plan()) == ["upload a.jpg"]
    settle(changed)
    assert worn(changed, "a.jpg") == {CACHE: "no-store"}


def test_a_database_keeps_its_rows(tmp_path: Path) -> None:
    """Headers change for a database as for any file."""
    world = World(tmp_path)
    make_database(world.tree / "App.sqlite")
    settle(world)
    dressed = world.under(headers=[{"match": "*.sqlite", "cache_control": "no-store"}])
    assert ops(dressed.plan()) == ["copy App.sqlite"]
    logical = dressed.lock().state("main").entries["App.sqlite"].logical
    settle(dressed)
    assert dressed.lock().state("main").entries["App.sqlite"].logical == logical
    assert worn(dressed, "App.sqlite") == {CACHE: "no-store"}


# -- objects that buckia did not write -------------------------------------------------------------


@STORES
def test_what_is_adopted_gets_its_headers(tmp_path: Path, store: type[MemoryStore]) -> None:
    """Equal bytes with the right headers are adopted with them, others are given them first."""
    world = World(tmp_path, {"main": store()}, headers=JPG)
    for key in ("a.jpg", "b.jpg", "c.txt"):
        world.write(key, b"1")
        world.put(key, b"1")
    held = world.store().head("a.jpg")
    assert held
    right = {CACHE: "max-age=60", "meta-theirs": "x"}
    world.store().put_headers(replace(held, headers=right), replacing=held)
    assert ops(world.plan()) == ["copy b.jpg", "adopt a.jpg", "adopt c.txt"]
    settle(world)
    assert known(world, "a.jpg") == known(world, "b.jpg") == {CACHE: "max-age=60"}
    assert known(world, "c.txt") is None
    assert (worn(world, "a.jpg"), worn(world, "b.jpg")) == (right, {CACHE: "max-age=60"})


def test_adopting_claims_no_headers_that_nobody_saw(tmp_path: Path) -> None:
    """Without a rule nothing is claimed, so a later rule is a change."""
    world = World(tmp_path).settled({"a.jpg": b"1"})
    assert known(world, "a.jpg") is None
    assert ops(world.under(headers=JPG).plan()) == ["copy a.jpg"]


@STORES
def test_what_is_downloaded_gets_its_headers(tmp_path: Path, store: type[MemoryStore]) -> None:
    """In the same plan and after the file has come; what has them is only downloaded."""
    world = World(tmp_path, {"main": store()}, headers=JPG)
    for key in ("a.jpg", "b.jpg", "c.txt"):
        world.put(key, key.encode())
    held = world.store().head("a.jpg")
    assert held
    world.store().put_headers(replace(held, headers={CACHE: "max-age=60"}), replacing=held)
    plan = world.plan()
    assert ops(plan) == ["download a.jpg", "download b.jpg", "download c.txt", "copy b.jpg"]
    assert plan.actions[-1].source and plan.actions[-1].source.path is None
    settle(world)
    assert world.local()["b.jpg"] == b"b.jpg"
    assert known(world, "a.jpg") == known(world, "b.jpg") == {CACHE: "max-age=60"}
    assert worn(world, "b.jpg") == {CACHE: "max-age=60"}


def test_what_nobody_tells_a_digest_of_gets_its_headers(tmp_path: Path) -> None:
    """As a foreign object that came in parts: no byte is lost, so none is kept."""

    class Untold(Terse):
        def entries(self, prefix: str = "") -> Any:
            for entry in super().entries(prefix):
                yield replace(entry, sha256=None, md5=None, sha1=None)

        def head(self, key: str) -> Entry | None:
            held = super().head(key)
            own = key.startswith(".buckia")
            return held if own or not held else replace(held, sha256=None, md5=None, sha1=None)

    world = World(tmp_path, {"main": Untold()}, headers=JPG)
    world.put("a.jpg", b"theirs")
    settle(world)
    assert world.local()["a.jpg"] == b"theirs"
    assert worn(world, "a.jpg") == {CACHE: "max-age=60"}


def test_a_database_that_is_downloaded_gets_its_headers(tmp_path: Path) -> None:
    """The lockfile knows its rows from the file that came."""
    first = World(tmp_path / "one")
    make_database(first.tree / "App.sqlite")
    settle(first)
    logical = first.lock().state("main").entries["App.sqlite"].logical
    rules = [{"match": "*.sqlite", "cache_control": "no-store"}]
    world = World(tmp_path / "two", first.stores, headers=rules)
    assert ops(world.plan()) == ["download App.sqlite", "copy App.sqlite"]
    settle(world)
    assert world.lock().state("main").entries["App.sqlite"].logical == logical


def test_rewritten_bytes_are_dressed_again(tmp_path: Path) -> None:
    """Somebody writes the same bytes without headers: the content is no change, the headers are."""
    world = World(tmp_path, headers=JPG)
    world.write("a.jpg", b"1")
    settle(world)
    world.drop("a.jpg")
    world.put("a.jpg", b"1")
    assert ops(world.plan()) == ["copy a.jpg"]
    settle(world)


def test_two_clones_do_not_dress_an_object_in_turns(tmp_path: Path) -> None:
    """Each sees that the other has done it, though every change is a new version."""
    world = World(tmp_path / "one", {"main": Terse()}).settled({"a.jpg": b"1"})
    twin = world.clone(tmp_path / "two")
    mine, theirs = world.under(headers=JPG), twin.under(headers=JPG)
    assert ops(mine.plan()) == ops(theirs.plan()) == ["copy a.jpg"]
    settle(mine)
    assert ops(theirs.plan()) == ["adopt a.jpg"]
    settle(theirs)
    assert ops(mine.plan()) == []


def test_a_plan_looks_only_where_rules_want_something(tmp_path: Path) -> None:
    """One look for each new object that a rule is about, none for all others."""
    store = Terse()
    world = World(tmp_path, {"main": store}, headers=JPG)
    for key in ("a.jpg", "b.txt", "c.txt"):
        world.put(key, b"1")
    store.looks = 0
    world.plan()
    assert store.looks == 1
    settle(world)
    store.looks = 0
    world.plan()
    assert store.looks == 0


# -- renames ---------------------------------------------------------------------------------------


def test_a_rename_gets_the_headers_of_its_new_name(tmp_path: Path) -> None:
    """It is still copied inside the bucket, no byte is sent."""
    rules = [
        {"match": "*", "metadata": {"all": "1"}},
        {"match": "public/", "cache_control": "max-age=60"},
    ]
    world = World(tmp_path, headers=rules, **ALL_DELETIONS)
    world.write("draft.css", b"1")
    world.write("other", b"2")
    settle(world)
    (world.tree / "public").mkdir()
    (world.tree / "draft.css").rename(world.tree / "public" / "a.css")
    assert ops(world.plan()) == ["move public/a.css"]
    settle(world)
    expected = {CACHE: "max-age=60", "meta-all": "1"}
    assert worn(world, "public/a.css") == known(world, "public/a.css") == expected


def test_a_rename_that_would_leave_headers_behind_is_sent_anew(tmp_path: Path) -> None:
    """A copy brings its headers along, and those of the old rule have no place at the new name."""
    world = World(
        tmp_path, headers=[{"match": "drafts/", "metadata": {"draft": "1"}}], **ALL_DELETIONS
    )
    world.write("drafts/a", b"1")
    world.write("other", b"2")
    settle(world)
    (world.tree / "drafts" / "a").rename(world.tree / "a")
    assert ops(world.plan()) == ["upload a", "delete_remote drafts/a"]
    settle(world)
    assert worn(world, "a") == {}


def test_a_rename_to_another_ending_gets_its_type(tmp_path: Path) -> None:
    """A page that was a text before is served as a page."""
    world = World(tmp_path, **ALL_DELETIONS)
    world.write("a.txt", b"1")
    world.write("b", b"2")
    settle(world)
    (world.tree / "a.txt").rename(world.tree / "a.html")
    assert ops(world.plan()) == ["move a.html"]
    settle(world)
    held = world.store().head("a.html")
    assert held and held.type == "text/html"


def test_a_file_in_the_trash_of_the_bucket_keeps_its_headers(tmp_path: Path) -> None:
    """What is overwritten is kept as it was."""
    world = World(tmp_path, headers=JPG)
    world.write("a.jpg", b"1")
    settle(world)
    world.write("a.jpg", b"2")
    world.sync()
    (kept,) = world.store().entries(".buckia/trash/")
    assert kept.headers == {CACHE: "max-age=60"}


# -- runs ------------------------------------------------------------------------------------------


def test_a_plan_to_change_headers_is_stale_when_either_side_moved(tmp_path: Path) -> None:
    """Neither a new object nor a new file is what was reviewed."""
    for name, side in (("local", "write"), ("remote", "put")):
        world = World(tmp_path / name, headers=JPG).settled({"a.jpg": b"1"})
        changed = world.under(headers=OTHER)
        plan = changed.plan()
        getattr(changed, side)("a.jpg", b"2")
        with pytest.raises(StaleError, match="nothing was changed"):
            changed.apply(plan)
        assert worn(changed, "a.jpg") != {CACHE: "no-store"}


class Forgetful(MemoryStore):
    """A bucket that changes headers and loses the answer, once."""

    lose = 0

    def put_headers(self, entry: Entry, *, replacing: Entry) -> Entry:
        stored = super().put_headers(entry, replacing=replacing)
        if self.lose:
            self.lose -= 1
            raise PreconditionError("the answer was lost")
        return stored


@pytest.mark.promise("L3")
@pytest.mark.parametrize("rules", [OTHER, []], ids=["changed", "gone"])
def test_the_same_plan_again_finds_changed_headers_done(
    tmp_path: Path, rules: list[dict[str, Any]]
) -> None:
    """Also where they are a new version by then, and also where nothing is left of them."""
    store = Forgetful()
    world = World(tmp_path, {"main": store}, headers=JPG)
    world.write("a.jpg", b"1")
    world.write("b.jpg", b"2")
    settle(world)
    changed = world.under(headers=rules)
    plan = changed.plan()
    store.lose = 1
    assert len(changed.apply(plan).failed) == 1
    assert not changed.apply(plan).failed
    assert ops(changed.plan()) == []
    assert known(changed, "a.jpg") == known(changed, "b.jpg") == (worn(changed, "a.jpg") or None)


@pytest.mark.promise("L3")
def test_the_same_plan_again_finishes_a_download_and_its_headers(tmp_path: Path) -> None:
    """Whichever half was done."""
    store = Forgetful()
    world = World(tmp_path, {"main": store}, headers=JPG)
    world.put("a.jpg", b"1")
    plan = world.plan()
    store.lose = 1
    assert [outcome.op for outcome in world.apply(plan).failed] == [Op.COPY]
    assert not world.apply(plan).failed
    assert ops(world.plan()) == []
    assert known(world, "a.jpg") == {CACHE: "max-age=60"}


def test_headers_wait_for_a_download_that_fails(tmp_path: Path) -> None:
    """Else the lockfile would know an object whose file never came."""

    class Closed(MemoryStore):
        def open(self, entry: Entry) -> Any:
            if entry.key == "a.jpg":
                raise PreconditionError("not now")
            return super().open(entry)

    world = World(tmp_path, {"main": Closed()}, headers=JPG)
    world.put("a.jpg", b"1")
    applied = world.apply(world.plan())
    assert [outcome.op for outcome in applied.failed] == [Op.DOWNLOAD]
    assert world.lock().state("main").entries == {}
    assert worn(world, "a.jpg") == {}


def test_a_move_that_was_cut_before_its_headers_gets_them(tmp_path: Path) -> None:
    """What is copied already is dressed, and only then its old key goes."""
    store = Forgetful()
    rules = [{"match": "new.css", "cache_control": "max-age=60"}]
    world = World(tmp_path, {"main": store}, headers=rules, **ALL_DELETIONS)
    world.write("old.css", b"1")
    world.write("other", b"2")
    settle(world)
    (world.tree / "old.css").rename(world.tree / "new.css")
    plan = world.plan()
    held = store.head("old.css")
    assert held
    store.copy(store, held, key="new.css", replacing=None)
    assert not world.apply(plan).failed
    assert ops(world.plan()) == []
    assert worn(world, "new.css") == {CACHE: "max-age=60"}
    assert world.remote().keys() == {"new.css", "other"}


def test_an_upload_of_another_with_the_same_bytes_is_not_taken_for_ours(tmp_path: Path) -> None:
    """An object that appeared without the headers of the plan is not what the plan leaves."""
    world = World(tmp_path, headers=JPG)
    world.write("a.jpg", b"1")
    plan = world.plan()
    world.put("a.jpg", b"1")
    with pytest.raises(StaleError):
        world.apply(plan)
    settle(world)
    assert worn(world, "a.jpg") == {CACHE: "max-age=60"}


# -- what a bucket cannot do -----------------------------------------------------------------------


def test_what_a_bucket_cannot_set_is_told_once_a_rule(tmp_path: Path) -> None:
    """A folder that stands for a bucket has no headers at all; nothing is planned for them."""
    rules = [*JPG, {"match": "*", "content_type": "x/y", "metadata": {"a": "1", "b": "2"}}]
    world = World(tmp_path, {"main": None}, headers=rules)
    world.write("a.jpg", b"1")
    settle(world)
    plan = world.plan()
    assert codes(plan) == ["headers_ignored *", "headers_ignored *.jpg"]
    assert [notice.message for notice in plan.warnings] == [
        "this bucket cannot set content-type, metadata",
        "this bucket cannot set cache-control",
    ]


def test_what_only_an_upload_can_set_waits_for_one(tmp_path: Path) -> None:
    """A changed rule is told, and is done with the next upload of each file."""
    rules = [
        {"match": ["*.css", "*.txt"], "content_type": "x/y"},
        {"match": "*.jpg", "content_type": "image/jpeg"},
    ]
    world = World(tmp_path, {"main": Fixed()}).settled({"a.css": b"1", "b.jpg": b"2"})
    changed = world.under(headers=rules)
    plan = changed.plan()
    assert (ops(plan), codes(plan)) == ([], ["headers_kept *.css, *.txt", "headers_kept *.jpg"])
    changed.write("a.css", b"new")
    assert ops(changed.plan()) == ["upload a.css"]
    changed.sync()
    held = changed.store().head("a.css")
    assert held and held.type == "x/y"
    assert codes(changed.plan()) == ["headers_kept *.jpg"]


def test_a_rule_about_nothing_in_the_bucket_is_no_warning(tmp_path: Path) -> None:
    """Where no object is concerned, there is nothing to tell."""
    rules = [{"match": "*.css", "content_type": "x/y"}]
    world = World(tmp_path, {"main": Fixed()}, headers=rules).settled({"b.jpg": b"2"})
    assert codes(world.plan()) == []


# -- plans that buckia did not make ----------------------------------------------------------------


def forged(plan: Plan, **parts: Any) -> Plan:
    action = plan.actions[0]
    assert action.content
    content = replace(action.content, **parts.pop("content", {}))
    return seal(replace(plan, actions=(replace(action, content=content, **parts),)))


def test_a_plan_that_names_no_local_file_changes_no_headers(tmp_path: Path) -> None:
    """Only a download of the same plan may stand for it."""
    world = World(tmp_path).settled({"a.jpg": b"1"}).under(headers=JPG)
    plan = world.plan()
    source = plan.actions[0].source
    assert source
    with pytest.raises(DocumentError, match="no local file is named"):
        world.apply(forged(plan, source=replace(source, path=None)))
    assert worn(world, "a.jpg") == {}


def test_all_of_them(tmp_path: Path) -> None:
    """Every header there is arrives, and every one is told."""
    rule = {
        "match": "*",
        "content_type": "x/y",
        "cache_control": "a",
        "content_disposition": "b",
        "content_encoding": "c",
        "storage_class": "D",
        "metadata": {"e": "f"},
    }
    world = World(tmp_path).settled({"k": b"1"}).under(headers=[rule])
    action = only(world.plan())
    assert len(action.changes) == len(ALL) == 6
    settle(world)
    assert worn(world, "k") == {
        CACHE: "a",
        "content-disposition": "b",
        "content-encoding": "c",
        STORAGE: "D",
        "meta-e": "f",
    }
