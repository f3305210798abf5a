"""Every hostile name through every door: the scan, the listing, the plan, apply and the views."""

from __future__ import annotations

import io
import json
import os
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from rich.console import Console

from buckia import layout, lockfile, planfile, text
from buckia.cli import show, show_verify
from buckia.errors import BuckiaError, DocumentError
from buckia.layout import collisions, refuse_key
from buckia.lockfile import BucketState, Locked
from buckia.model import Action, Content, Op, Source, action_id, replace
from buckia.planfile import Plan
from buckia.stores.s3 import S3Store
from tests.helpers import ALL_DELETIONS, World, codes, ops
from tests.names import ALLOWED, HOSTILE, OWN, PAIRS, REFUSED, Pair
from tests.servers.moto import serve_moto
from tests.stores.conftest import MOTO, open_s3

pytestmark = pytest.mark.usefixtures("hurried")


def named(corpus: dict[str, str]) -> pytest.MarkDecorator:
    """Each name under its description."""
    return pytest.mark.parametrize("key", corpus.values(), ids=list(corpus))


def around(world: World) -> dict[str, str]:
    """Everything around the local root, by path; links are told from what they lead to."""
    found: dict[str, str] = {}
    for folder, folders, files in os.walk(os.fsencode(world.root.parent)):
        for name in (*folders, *files):
            path = os.path.join(folder, name)  # noqa: PTH118  (pathlib would decode)
            if not path.startswith((os.fsencode(world.root), os.fsencode(world._folders))):
                found[repr(path)] = "link" if os.path.islink(path) else "file"  # noqa: PTH114
    return found


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A world with a neighbour, which is the same afterwards."""
    made = World(tmp_path, **ALL_DELETIONS)
    (tmp_path / "escaped.txt").write_bytes(b"neighbour")
    before = around(made)
    yield made
    assert around(made) == before
    assert (tmp_path / "escaped.txt").read_bytes() == b"neighbour"
    assert sorted(path.name for path in made.root.iterdir() if path.name[0] != ".") == ["tree"]


def test_there_are_enough_of_them() -> None:
    """Sixty and more, each another; what is refused is told from what is not."""
    assert len(set(HOSTILE.values())) == len(REFUSED) + len(ALLOWED) + len(OWN) >= 60
    assert all(refuse_key(key) for key in REFUSED.values())
    assert [key for key in ALLOWED.values() if refuse_key(key)] == []
    assert collisions(ALLOWED.values()) == []


# -- from the disk ---------------------------------------------------------------------------------


def make(root: Path, key: str) -> bool:
    """A file of that name below a folder, if the disk takes it and it stays there."""
    if key.startswith("/") or ".." in key.split("/"):
        return False
    try:
        path = os.path.join(os.fsencode(root), os.fsencode(key))  # noqa: PTH118
        os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
        with open(path, "xb") as file:  # noqa: PTH123
            file.write(key.encode("utf-8", "surrogateescape"))
    except (OSError, ValueError):
        return False
    return True


@pytest.mark.promise("INV-12")
@named(HOSTILE)
def test_a_local_name_travels_as_it_is_or_is_reported(world: World, key: str) -> None:
    """Uploaded under exactly its own name, or named in a warning, or nobody's content."""
    if not make(world.tree, key):
        return
    plan = world.plan()
    planfile.read(planfile.write(plan))
    if refuse_key(key) is None and key not in OWN.values():
        assert ops(plan) == [f"upload {key}"]
    else:
        assert ops(plan) in ([], [f"upload {normal(key)}"])
        assert bool(plan.warnings) == (key in REFUSED.values() and not plan.actions)
    world.sync()
    assert world.remote().keys() == {action.key for action in plan.actions}
    assert ops(world.plan()) == []


def normal(key: str) -> str:
    """A name as the one key it stands for: the disk folds slashes, keys are composed."""
    return unicodedata.normalize("NFC", os.path.normpath(key))


@pytest.mark.promise("INV-12")
def test_a_colon_is_a_drive_only_where_it_can_be_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """`c:/x` looks like one anywhere; `c:x` is a name, though on Windows a drive or a stream."""
    assert refuse_key("c:/x") == refuse_key("C:/") == "begins like a drive letter"
    names = ("c:x", "a:b/c", "file:stream", "d/c:/x")
    assert not any(map(refuse_key, names))
    monkeypatch.setattr(layout, "_WINDOWS", True)
    assert all("Windows" in str(refuse_key(name)) for name in names)


# -- from the bucket -------------------------------------------------------------------------------


@pytest.mark.promise("L2", "INV-12")
@named(HOSTILE)
def test_a_key_becomes_its_own_file_or_none(world: World, key: str) -> None:
    """Downloaded to exactly its place below the root, or reported; what is there stays there."""
    world.put(key, b"hostile")
    before = world.store().head(key)
    plan = world.plan()
    planfile.read(planfile.write(plan))
    assert ops(plan) == ([f"download {key}"] if key in ALLOWED.values() else [])
    marker = key.endswith("/") or key in OWN.values()
    assert bool(plan.warnings) == (key in REFUSED.values()) or marker
    world.sync()
    assert world.local() == ({key: b"hostile"} if key in ALLOWED.values() else {})
    assert world.store().head(key) == before
    assert ops(world.plan()) == []
    assert verified(world) == []


def verified(world: World) -> list[str]:
    """The names that `verify` finds wrong, as its document has them."""
    with world.open() as project:
        found = project.verify(deep="all")
    return [item["key"] for item in json.loads(show_verify.document(found))["findings"]]


def test_an_empty_folder_marker_is_not_worth_a_word(world: World) -> None:
    """`a/` of no bytes is how a console makes a folder; with bytes it is data, and reported."""
    world.put("a/", b"")
    world.put("b/", b"data")
    assert codes(world.plan()) == ["skipped b/"]


@pytest.mark.promise("INV-13")
@pytest.mark.parametrize("pair", PAIRS.values(), ids=list(PAIRS))
@pytest.mark.parametrize("side", ["here", "there", "both"])
def test_names_that_are_one_somewhere_are_not_brought_together(
    world: World, pair: Pair, side: str
) -> None:
    """No side gets a second name for one file, whichever side had it first."""
    world.put(pair.one if side == "both" else "fine", b"1")
    if side == "there":
        world.put(pair.one, b"1")
        world.put(pair.other, b"2")
    elif side == "both":
        world.write(pair.other, b"2")
    elif not (make(world.tree, pair.one) and make(world.tree, pair.other)):
        return
    before = {*world.local(), *world.remote()}
    world.sync()
    assert side == "there" or collisions(world.remote()) == []
    assert side == "here" or collisions(world.local()) == []
    assert {*world.local(), *world.remote()} == before
    assert ops(world.plan()) == []


@pytest.fixture
def s3() -> Iterator[S3Store]:
    """A bucket at an S3 server with every name it takes."""
    with serve_moto() as server:
        store = open_s3(server, conditions=MOTO, page_size=1000)
        for key in HOSTILE.values():
            with suppress(Exception):
                bucket = store.url.removeprefix("s3://")
                server.client.put_object(Bucket=bucket, Key=key, Body=b"hostile")
        yield store


def test_keys_come_through_an_s3_listing_as_they_are(s3: S3Store, tmp_path: Path) -> None:
    """Whatever a server took it lists, and what can be a file is one, all at once."""
    listed = {entry.key for entry in s3.entries()}
    world = World(tmp_path, {"main": s3})
    before = around(world)
    plan = world.plan()
    fine = listed & set(ALLOWED.values())
    assert len(listed) >= 100
    assert {action.key for action in plan.actions} == fine
    assert {notice.key for notice in plan.warnings} >= {
        key for key in REFUSED.values() if key in listed and key[-1] != "/"
    }
    world.sync()
    assert world.local() == dict.fromkeys(fine, b"hostile")
    assert around(world) == before


# -- what others wrote -----------------------------------------------------------------------------


def forged(plan: Plan, *actions: Action) -> Plan:
    """The plan with other actions, and a digest that fits."""
    return planfile.seal(replace(plan, actions=actions))


def hostile_actions(key: str) -> list[Action]:
    """A download to a name, a deletion of it, and an upload from a path of that name."""
    content = Content(7, version="1")
    return [
        Action(action_id(op, "main", name), op, "main", name, "r", source, after, before, None)
        for op, name, source, after, before in (
            (Op.DOWNLOAD, key, Source(key=key, version="1"), content, None),
            (Op.DELETE_LOCAL, key, None, None, content),
            (Op.FORGET, key, None, None, None),
            (Op.MOVE, "fine", Source(path="tree/fine", key=key, version="1"), content, None),
        )
    ]


@pytest.mark.promise("INV-12")
@named(REFUSED)
def test_a_plan_that_names_it_is_no_plan(world: World, key: str) -> None:
    """Whoever forged it, with whatever digest."""
    plan = world.plan()
    for action in hostile_actions(key):
        with pytest.raises((DocumentError, UnicodeEncodeError)):
            planfile.read(planfile.write(forged(plan, action)))


@named({**REFUSED, "absolute path": "/etc/hostname"})
def test_a_path_in_a_plan_leads_nowhere_else(world: World, key: str) -> None:
    """An upload takes its bytes from the file of its own key, or is refused."""
    (world.root / "secret").write_bytes(b"hostile")
    world.write("fine", b"1")
    plan = world.plan()
    (upload,) = plan.actions
    for path in (key, f"tree/{key}", "tree/../secret", "secret"):
        moved = replace(upload, source=Source(path=path))
        with pytest.raises((BuckiaError, UnicodeEncodeError)):
            world.apply(planfile.read(planfile.write(forged(plan, moved))))
    assert world.remote() == {}
    (world.root / "secret").unlink()


@named({**REFUSED, **OWN})
def test_a_lockfile_that_names_it_deletes_nothing(world: World, key: str) -> None:
    """It was merged, edited or written by another version: the key is forgotten or refused."""
    world.settled({"a": b"1", "b": b"2"})
    lock = world.lock()
    state = lock.state("main")
    with suppress(UnicodeEncodeError):
        entries = {**state.entries, key: Locked(9, "0" * 64, "1")}
        other = BucketState(
            state.lineage, state.serial, lockfile.digest(entries), state.plan, False, entries
        )
        (world.root / lockfile.KEY).write_bytes(lockfile.write(lock.with_state("main", other)))
    with suppress(BuckiaError):
        world.apply(world.plan())
    assert world.local() == world.remote() == {"a": b"1", "b": b"2"}


# -- what people see -------------------------------------------------------------------------------


def shown(plan: Plan) -> str:
    """The plan as `buckia show -v` prints it at a terminal with every feature."""
    stream = io.StringIO()
    console = Console(file=stream, width=200, force_terminal=True, markup=True, emoji=True)
    console.print(show.view(plan, everything=True))
    return stream.getvalue()


@named(HOSTILE)
@pytest.mark.promise("HYG-7")
def test_no_view_shows_what_could_deceive(world: World, key: str) -> None:
    """No control, no direction, no line of its own; markup stays text."""
    plan = world.plan()
    assert text.name(key).isprintable()
    actions = [action for action in hostile_actions(key) if action.op is not Op.FORGET]
    plain = shown(replace(plan, actions=tuple(replace(item, key="k") for item in actions)))
    told = shown(replace(plan, actions=tuple(actions)))
    styles = {part.partition("m")[0] for part in told.split("\x1b[")[1:]}
    known = {"0", "1", "2", "31", "32", "33", "36", "1;31", "1;32", "1;33"}
    assert styles <= known
    assert "\x1b]" not in told
    body = "".join(part.partition("m")[2] for part in f"m{told}".replace("\x1b[", "\0").split("\0"))
    assert all(char.isprintable() or char == "\n" for char in body)
    assert told.count("\n") < plain.count("\n") + 40


@pytest.mark.promise("HYG-7")
def test_no_two_names_look_alike() -> None:
    """An escape cannot be spelt, so that each name is shown as no other is."""
    names = [*HOSTILE.values(), "a\\u202e", "\\", "\\\\", "a\\nb", "a\u2028", "a\\u2028"]
    assert len({text.name(name) for name in names}) == len(set(names))
