"""What no document may hold, and what no part of the program may do."""

from __future__ import annotations

import ast
import io
import json
import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest

from buckia import connect, documents, journal, lockfile, planfile
from buckia.cli import papers
from buckia.errors import DocumentError, UnavailableError
from buckia.hygiene import CARELESS, HIDDEN, Hygiene
from buckia.lockfile import Held
from buckia.model import Entry, Listing, Outcome, Skipped
from buckia.stores import hashing
from buckia.stores.memory import MemoryStore
from tests.cli.console import buckia
from tests.helpers import ALL_DELETIONS, World

SECRET: Final = 'p4ss"w\\örd/0123'
CAREFUL: Final = Hygiene((SECRET, "short"), ("/srv/project", "/real/project"), ("/home/somebody",))

# -- pure ------------------------------------------------------------------------------------------


@pytest.mark.promise("HYG-1")
@pytest.mark.parametrize(
    "value",
    [
        {"message": f"token {SECRET} is wrong"},
        {"actions": [{"key": f"dir/{SECRET}"}]},
        {"entries": {f"{SECRET}": {}}},
        {"message": SECRET},
    ],
)
@pytest.mark.parametrize("plain", [True, False])
def test_a_document_with_a_secret_is_refused(value: Any, plain: bool) -> None:
    """Wherever it stands and however JSON spells it; the error does not repeat it."""
    data = json.dumps(value, ensure_ascii=plain).encode()
    with pytest.raises(DocumentError, match="a secret of the configuration") as refused:
        CAREFUL.demand_clean(data, "the plan")
    assert SECRET not in str(refused.value)
    assert CARELESS.demand_clean(data, "the plan") == data


@pytest.mark.promise("HYG-2")
@pytest.mark.parametrize(
    "place", ["/srv/project", "/real/project/a", "/home/somebody/x", "file:///srv/project"]
)
def test_a_document_with_a_path_of_this_machine_is_refused(place: str) -> None:
    """Except as the name of an object: that is the bucket's, and whoever may write there could
    otherwise stop every plan."""
    for field in ("message", "path", "bucket", "error"):
        with pytest.raises(DocumentError, match=f"absolute path of this machine in `{field}`"):
            CAREFUL.demand_clean(documents.render({field: f"at {place}"}, {}), "the plan")
    fine = documents.render({"key": place, "warnings": [{"key": place}]}, {})
    assert CAREFUL.demand_clean(fine, "the plan") == fine


@pytest.mark.parametrize(
    "fine", ["short", f"x{SECRET}", f"{SECRET}0", "/srv/projects", "srv/project", "project"]
)
def test_what_only_looks_alike_is_not_refused(fine: str) -> None:
    """A short secret, or one inside a longer word, would be found everywhere."""
    data = documents.render({"key": fine, "message": fine.replace("/srv/projects", "")}, {})
    assert CAREFUL.demand_clean(data, "the plan") == data


@pytest.mark.promise("HYG-2")
@pytest.mark.parametrize("path", ["backup/home/somebody/x", "a/srv/project/b", "b/real/project"])
def test_a_folder_that_is_named_like_one_of_this_machine_is_no_path_of_it(path: str) -> None:
    """A backup of a disk has the disk's folders in it."""
    data = documents.render({"path": path, "message": f"is one file with '{path}', or so"}, {})
    assert CAREFUL.demand_clean(data, "the plan") == data
    assert CAREFUL.scrub(path) == path


@pytest.mark.promise("HYG-1", "HYG-2")
def test_the_text_of_an_error_is_scrubbed() -> None:
    """Secrets are hidden, paths become relative, the rest stays."""
    assert CAREFUL.scrub(f"/srv/project/a/b: {SECRET}, key=/x") == f"a/b: {HIDDEN}, key=/x"
    assert CAREFUL.scrub("in /real/project and /home/somebody/.aws") == f"in . and {HIDDEN}/.aws"
    failed = Outcome("1", "upload", "main", "k", False, error=f"said {SECRET}")  # type: ignore[arg-type]
    (told,) = CAREFUL.scrubbed([failed])
    assert told.error == f"said {HIDDEN}"
    assert CAREFUL.scrub("unchanged") == "unchanged"


def test_the_innermost_place_goes_first() -> None:
    """A project in a home is told relative to the project; a root of the disk is no place."""
    nested = Hygiene((), ("/home/me/project", "/"), ("/home/me", "/"))
    assert nested.scrub("/home/me/project/a /home/me/b /c") == f"a {HIDDEN}/b /c"


# -- in a project ----------------------------------------------------------------------------------


def secret_world(root: Path, store: MemoryStore | None = None) -> World:
    """A world whose bucket has a password."""
    return World(root, {"main": store or MemoryStore()}, password="hunter2-correct-horse")


@pytest.mark.promise("HYG-1")
def test_a_plan_that_would_hold_a_secret_is_not_made(tmp_path: Path) -> None:
    """Also where the secret is the name of a file; nothing is written anywhere."""
    world = secret_world(tmp_path)
    world.write("notes/hunter2-correct-horse.txt", b"1")
    with pytest.raises(DocumentError, match="take it out of the name") as refused:
        world.plan()
    assert "hunter2" not in str(refused.value)


@pytest.mark.promise("HYG-1", "HYG-2")
def test_an_error_with_a_secret_and_a_path_leaves_neither_in_the_journal(tmp_path: Path) -> None:
    """What a provider says goes into the journal without them."""

    class Chatty(MemoryStore):
        def put(self, entry: Entry, body: Any, *, replacing: Entry | None) -> Entry:
            if entry.key == "a":
                raise UnavailableError(f"no hunter2-correct-horse at {tmp_path}/project/tree/a")
            return super().put(entry, body, replacing=replacing)

    world = secret_world(tmp_path, Chatty())
    world.write("a", b"1")
    world.apply(world.plan())
    (record,) = journal.records(world.root / ".buckia.d" / "journal")
    assert [item.error for item in record.outcomes] == [f"no {HIDDEN} at tree/a"]
    assert b"hunter2" not in record.path.read_bytes()


@pytest.mark.promise("HYG-2")
def test_what_could_not_be_read_is_named_without_its_whole_path(tmp_path: Path) -> None:
    """SQLite tells whole paths; a plan holds none."""
    world = World(tmp_path)
    with closing(sqlite3.connect(world.tree / "App")) as database, database:
        database.execute("CREATE TABLE t (x)")
    with (world.tree / "App").open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 3000)
    plan = world.plan()
    assert not plan.complete
    assert str(tmp_path).encode() not in planfile.write(plan)
    assert "tree/App" in plan.warnings[0].message


@pytest.mark.promise("HYG-1")
def test_a_lockfile_that_would_hold_a_secret_is_not_written(tmp_path: Path) -> None:
    """Whoever writes it, for whatever reason."""
    lock = lockfile.EMPTY.with_state(SECRET, lockfile.NEW)
    with pytest.raises(DocumentError, match="it was not written"):
        lockfile.save(MemoryStore(), lockfile.Held(lock, None), lock, "k", Hygiene((SECRET,)))


def test_a_secret_that_is_a_plain_word_is_not_looked_for() -> None:
    """The credentials of test servers are words, and a folder may well be called `testing`."""
    careful = Hygiene(("testing", "minioadmin"))
    data = b'{"key": "numpy/testing/utils.py", "message": "minioadmin"}'
    assert careful.demand_clean(data, "the plan") == data


@pytest.mark.promise("HYG-1")
@pytest.mark.parametrize(
    "words", [["plan", "--out", "p"], ["status", "--json"], ["verify", "--json"]]
)
def test_a_report_that_would_hold_a_secret_is_not_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    """Not to a file and not to a pipe."""
    (tmp_path / ".buckia").write_text(
        "main: {provider: local, bucket_name: bucket, paths: [tree/], password: hunter2-horse}\n"
    )
    (tmp_path / "bucket").mkdir()
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "hunter2-horse").write_bytes(b"1")
    monkeypatch.chdir(tmp_path)
    ended = buckia(*words)
    assert (ended.code, ended.out) == (65, "")
    assert "a secret of the configuration" in ended.err
    assert "hunter2" not in ended.err
    assert not (tmp_path / "p").exists()


@pytest.mark.promise("HYG-1")
def test_secrets_of_the_environment_count_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The provider packages take them from there by themselves."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "from the environment")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a name, no secret")
    monkeypatch.setenv("B2_APPLICATION_KEY", "another")
    assert {"from the environment", "another"} <= set(connect.secrets([]))
    assert "a name, no secret" not in connect.secrets([])


def test_a_listing_in_order_is_not_copied() -> None:
    """Only what was left alone has texts of errors."""
    whole = Listing({})
    assert CAREFUL.listing(whole) is whole
    told = CAREFUL.listing(Listing({}, (Skipped("k", "at /srv/project/x", unknown=True),)))
    assert told.skipped == (Skipped("k", "at x", unknown=True),)


# -- sizes -----------------------------------------------------------------------------------------


@pytest.mark.promise("HYG-3")
def test_a_plan_too_large_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file is told by its size, a stream after so many bytes."""
    monkeypatch.setattr(documents, "MAX_BYTES", 1000)
    big = tmp_path / "plan.json"
    big.write_bytes(b'{"format": "buckia.plan"}' + b" " * 1000)
    monkeypatch.setattr(Path, "read_bytes", lambda path: pytest.fail("it was read"))
    with pytest.raises(DocumentError, match="larger than"):
        papers.read(str(big))
    ended = buckia("show", "-", given=" " * 5000)
    assert (ended.code, ended.out) == (65, "")
    assert "larger than" in ended.err


@pytest.mark.promise("HYG-3")
def test_a_lockfile_too_large_is_refused_before_it_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In a bucket it is others who write it."""
    monkeypatch.setattr(documents, "MAX_BYTES", 100)
    store = MemoryStore()
    store.put(Entry("k", 101), io.BytesIO(b" " * 101), replacing=None)
    monkeypatch.setattr(MemoryStore, "open", lambda *given: pytest.fail("it was read"))
    with pytest.raises(DocumentError, match="k is larger than"):
        lockfile.load(store, "k")


@pytest.mark.promise("HYG-3")
def test_a_lockfile_too_large_to_be_read_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one before stays."""
    store = MemoryStore()
    held = lockfile.save(store, Held(lockfile.EMPTY, None), lockfile.EMPTY)
    monkeypatch.setattr(documents, "MAX_BYTES", 100)
    with pytest.raises(DocumentError, match="is larger than"):
        lockfile.save(store, held, lockfile.EMPTY.with_state("main", lockfile.NEW))
    assert store.head(lockfile.KEY) == held.entry


# -- permissions -----------------------------------------------------------------------------------


@pytest.mark.promise("HYG-4")
def test_what_buckia_keeps_is_for_its_owner_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the umask: journals, trash, cache, lock. What it downloads is as the umask says."""
    monkeypatch.setattr(hashing, "_FINE_SLACK", -(10**15))  # the cache takes fresh files too
    before = os.umask(0o002)
    try:
        world = World(tmp_path, **ALL_DELETIONS).settled({"a/x": b"1", "a/y": b"2", "b": b"3"})
        world.put("a/x", b"new")
        world.put("c", b"new")
        world.drop("a/y")
        world.sync()
    finally:
        os.umask(before)
    work = world.root / ".buckia.d"
    assert mode(work) == 0o700
    assert {mode(path) for path in work.rglob("*") if path.is_dir()} <= {0o700}
    kept = [path for path in work.rglob("[!.]*") if path.is_file() and "trash" not in path.parts]
    assert {path.name: mode(path) for path in kept} == {path.name: 0o600 for path in kept}
    assert {path.name for path in kept} >= {"lock", "cache.sqlite", "folders.json"}
    assert mode(world.tree / "c") == mode(world.root / ".buckia.lock") == 0o664


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# -- the source ------------------------------------------------------------------------------------

SOURCES: Final = sorted((Path(__file__).parent.parent / "buckia").rglob("*.py"))
PROGRAMS: Final = {
    *("os.system", "os.popen", "os.fork", "os.forkpty", "eval", "exec", "compile"),
    *(
        "pickle.loads",
        "pickle.load",
        "marshal.loads",
        "yaml.load",
        "yaml.unsafe_load",
        "__import__",
    ),
}
MODULES: Final = {"subprocess", "pty", "pickle", "marshal", "shelve", "ctypes", "multiprocessing"}
UNVERIFIED: Final = {
    *("CERT_NONE", "_create_unverified_context", "allow_invalid_certificates", "check_hostname"),
    *("disable_warnings", "allow_invalid_hostnames", "InsecureRequestWarning"),
}


@pytest.mark.promise("HYG-5")
@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_no_module_starts_a_program_or_trusts_a_certificate_unseen(path: Path) -> None:
    """No shell, no code from data, no switch that turns verification off."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            assert not MODULES & {name.name.partition(".")[0] for name in node.names}
        if isinstance(node, ast.ImportFrom):
            assert str(node.module).partition(".")[0] not in MODULES
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in PROGRAMS
            assert not called.startswith(("os.exec", "os.spawn", "os.posix_spawn"))
        if isinstance(node, ast.keyword) and node.arg in ("verify", "shell", "ssl_verify"):
            assert not (isinstance(node.value, ast.Constant) and node.value.value in (False, True))
        if isinstance(node, ast.Assign) and any(".verify" in ast.unparse(t) for t in node.targets):
            assert ast.unparse(node.value) != "False"
        if isinstance(node, ast.Name | ast.Attribute | ast.Constant):
            word = getattr(node, "id", getattr(node, "attr", getattr(node, "value", None)))
            assert not (isinstance(word, str) and word in UNVERIFIED)
