"""Whatever was pulled, whatever happened to the folder since and whatever is published: afterwards
the folder is what the manifest says, or it is as it was."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buckia import BuckiaError, pull
from buckia.layout import collisions, refuse_key, shadowed
from tests.publishing import publish, trashed, tree
from tests.servers.folder import WebFolder, serve_folder
from tests.strategies import examples

NAMES = ("a", "b", "A", "a/b", "a/c", "a/b/c", "d/a", "d/b", "e", "e-wal", "é", "../x", ".buckia")
CONTENTS = (b"", b"1", b"2", b"3", bytes(1_100_000), bytes(1_000_000) + b"\1" * 100_000)

folders = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(CONTENTS), max_size=5)
edits = st.dictionaries(st.sampled_from(NAMES[:-2]), st.sampled_from((None, *CONTENTS)), max_size=3)


@pytest.fixture(scope="module")
def server() -> Iterator[WebFolder]:
    with serve_folder() as running:
        yield running


def sound(files: dict[str, bytes]) -> bool:
    """Whether a folder can be published, by the rules of the specification that the names meet."""
    names = list(files)
    beside = any(name.removesuffix("-wal") in files for name in names if name.endswith("-wal"))
    bad = any(refuse_key(name) or name.startswith(".buckia") for name in names)
    return not (collisions(names) or shadowed(names) or beside or bad)


def edit(folder: Path, changes: dict[str, bytes | None]) -> None:
    """What somebody does; names that are folders, or lie below files, are left."""
    folder.mkdir(exist_ok=True)
    for name, data in changes.items():
        target = folder / name
        try:
            if data is None:
                target.unlink()
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(data)
        except OSError:
            continue


@pytest.mark.usefixtures("hurried")
@pytest.mark.promise("L1", "L2", "INV-23")
@examples(60)
@given(before=folders.filter(sound) | st.none(), changes=edits, after=folders)
def test_it_is_what_is_published_or_as_it_was(
    server: WebFolder,
    before: dict[str, bytes] | None,
    changes: dict[str, bytes | None],
    after: dict[str, bytes],
) -> None:
    """Nothing of somebody's is lost, and a second pull is one request."""
    room = Path(tempfile.mkdtemp())
    try:
        folder = room / "F"
        if before is not None:
            publish(server, before)
            pull(server.url, folder)
        edit(folder, changes)
        was = tree(folder)
        publish(server, after, 2)
        try:
            pull(server.url, folder, wait=0)
        except BuckiaError as problem:
            assert tree(folder) == was and sorted(p.name for p in room.iterdir()) == ["F"]
            assert not sound(after) or "in the way" in str(problem) or "stands" in str(problem)
            return
        assert sound(after)
        foreign = {path: data for path, data in was.items() if path not in (before or {})}
        now = tree(folder)
        assert now == {**{p: d for p, d in foreign.items() if p not in after}, **after}
        somebodys = {d for p, d in was.items() if (before or {}).get(p) != d}
        assert somebodys <= {*now.values(), *trashed(folder).values()}
        server.forget()
        done = pull(server.url, folder)
        assert len(server.requests) == 1 and not (done.new or done.replaced or done.removed)
    finally:
        shutil.rmtree(room)


def test_the_worlds_are_of_every_kind() -> None:
    """Sound ones and others."""
    assert sound({"a": b"", "d/a": b""}) and not sound({"a": b"", "a/b": b""})
    assert not sound({"a": b"", "A": b""}) and not sound({"e": b"", "e-wal": b""})
