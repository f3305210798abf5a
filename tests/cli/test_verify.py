"""`verify` and `trash` as commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.console import buckia
from tests.cli.transcript import tree
from tests.helpers import lock_up


@pytest.fixture
def settled(workspace: Path) -> Path:
    """A project with three files on both sides."""
    (workspace / "assets" / "sub").mkdir(parents=True)
    (workspace / "bucket").mkdir()
    for name in ("a", "b", "sub/c"):
        (workspace / "assets" / name).write_text(name)
    (workspace / ".buckia").write_text(
        "files:\n  provider: local\n  bucket_name: bucket\n  paths: [assets/]\n"
        "  delete_orphaned: true\n"
    )
    assert buckia("sync", "-q").code == 0
    return workspace


# -- verify ----------------------------------------------------------------------------------------


def test_all_is_as_recorded(settled: Path) -> None:
    before = tree(settled)
    ended = buckia("verify")
    assert (ended.code, ended.err) == (0, "")
    assert "as recorded: 3 files here, 3 objects there\n" in ended.out
    assert tree(settled) == before


@pytest.mark.parametrize(
    ("words", "read"),
    [
        (["--deep"], 3),
        (["--deep", "all"], 3),
        (["--deep=all"], 3),
        (["--deep", "2"], 2),
        (["--deep", "1%"], 1),
        (["--deep", "files"], 3),
        (["files", "--deep"], 3),
        (["--deep", "--json"], 3),
    ],
)
def test_how_much_is_read_whole(settled: Path, words: list[str], read: int) -> None:
    """`--deep` alone is all; what follows it is a sample or a bucket."""
    ended = buckia("verify", *words)
    assert ended.code == 0
    said = f'"read":{read}' if "--json" in words else f"{read} and {read} read whole"
    assert said in ended.out


def test_what_differs_ends_with_two(settled: Path) -> None:
    """On the screen with what was and is, as JSON with everything."""
    (settled / "assets" / "a").write_text("longer")
    (settled / "bucket" / "b").unlink()
    (settled / "bucket" / "x\x1b").write_text("foreign")
    ended = buckia("verify")
    assert ended.code == 2
    assert "not as recorded" in ended.out
    for words in ("local changed", "6 bytes", ", was 1 byte ", "remote vanished", "x\\u001b"):
        assert words in ended.out or words == "x\\u001b"
    ended = buckia("verify", "--json")
    assert ended.code == 2
    found = json.loads(ended.out)["findings"]
    assert [(item["side"], item["kind"], item["key"]) for item in found][:2] == [
        ("local", "changed", "a"),
        ("remote", "vanished", "b"),
    ]
    assert buckia("verify", "-q").out == ""


@pytest.mark.parametrize(
    ("words", "code"), [(["--deep", "101%"], 64), (["--deep=some"], 64), (["nobody"], 78)]
)
def test_what_cannot_be_verified(settled: Path, words: list[str], code: int) -> None:
    ended = buckia("verify", *words)
    assert (ended.code, ended.out, ended.err.count("\n")) == (code, "", 1)


def test_a_folder_that_cannot_be_read(settled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is an error, whatever else was found."""
    lock_up(monkeypatch, "assets/sub")
    ended = buckia("verify")
    assert ended.code == 1
    assert "files/sub/" in ended.err and "verify again" in ended.err
    assert "local missing" not in ended.out


# -- trash -----------------------------------------------------------------------------------------


def test_deleted_listed_restored_and_emptied(settled: Path) -> None:
    (settled / "assets" / "a").unlink()
    (settled / "bucket" / "b").unlink()
    assert buckia("trash", "list").err == "The trash is empty.\n"
    assert buckia("sync", "-q").code == 0
    listed = buckia("trash", "list")
    assert listed.err == "In the trash: 2 files, 2 bytes.\n"
    assert "assets/b" in listed.out and "here" in listed.out and "files" in listed.out
    kept = json.loads(buckia("trash", "list", "--json").out)["kept"]
    assert {(item["bucket"], item["name"], item["size"]) for item in kept} == {
        ("files", "a", 1),
        (None, "assets/b", 1),
    }
    assert all(item["deleted"].endswith("Z") for item in kept)
    restored = buckia("trash", "restore", "assets/b")
    assert (restored.code, restored.err) == (0, "Restored assets/b, 1 byte.\n")
    assert buckia("trash", "restore", "a", "--to", "assets/back/").code == 0
    assert (settled / "assets" / "back" / "a").read_text() == "a"
    assert buckia("trash", "restore", "a", "--plan", "zzz").code == 64
    assert buckia("trash", "empty", "--older-than", "1d", "--yes").err == "Nothing to delete.\n"
    ended = buckia("trash", "empty", "-y")
    assert (ended.code, ended.err) == (0, "Deleted for good: 1 file, 1 byte.\n")
    assert buckia("trash", "list", "-q").err == ""


def test_a_folder_comes_back_under_another_name(settled: Path) -> None:
    (settled / "assets" / "sub" / "c").unlink()
    assert buckia("sync", "-q").code == 0
    assert buckia("trash", "restore", "sub", "--to", "assets/copy", "--bucket", "files").code == 0
    assert (settled / "assets" / "copy" / "c").read_text() == "sub/c"


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["restore", "none"], 64, "no none in the trash"),
        (["restore", "b", "--to", "../out"], 64, "below the configuration's folder"),
        (["restore", "b", "--to", "/out"], 64, "below the configuration's folder"),
        (["restore", "b", "--to", ".buckia.lock"], 64, "buckia's own"),
        (["empty"], 64, "no terminal"),
        (["empty", "--yes", "--older-than", "soon"], 64, "no duration"),
        (["empty", "nobody", "--yes"], 78, "no bucket"),
        (["list", "nobody"], 78, "no bucket"),
        (["unpack"], 64, "unpack"),
    ],
)
def test_refusals_of_the_trash(settled: Path, words: list[str], code: int, told: str) -> None:
    """One line, and nothing changed."""
    (settled / "bucket" / "b").unlink()
    assert buckia("sync", "-q").code == 0
    before = tree(settled)
    ended = buckia("trash", *words)
    assert (ended.code, ended.out, ended.err.count("\n")) == (code, "", 1)
    assert told in ended.err
    assert tree(settled) == before


def test_the_help_of_the_group() -> None:
    shown = buckia("trash", "--help")
    assert shown.code == 0
    assert all(f"  {name} " in shown.out for name in ("list", "restore", "empty"))
    for name in ("list", "restore", "empty"):
        assert "..." not in shown.out.partition("Commands:")[2]
        assert buckia("trash", name, "--help").code == 0


@pytest.mark.parametrize(("answer", "left"), [("y\n", 0), ("no\n", 1), ("", 1)])
def test_emptying_asks(
    settled: Path, monkeypatch: pytest.MonkeyPatch, answer: str, left: int
) -> None:
    """Anything but a yes leaves everything."""
    (settled / "bucket" / "b").unlink()
    assert buckia("sync", "-q").code == 0
    monkeypatch.setattr("buckia.cli.trashing.can_ask", lambda: True)
    ended = buckia("trash", "empty", given=answer)
    assert "Delete 1 file, 1 byte for good? [y/N]" in ended.err
    assert ended.code == (1 if left else 0)
    assert len(json.loads(buckia("trash", "list", "--json").out)["kept"]) == left
