"""The vectors for clients in other languages are what this repository says, and buckia's own reader
agrees with every one of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from buckia import BuckiaError, DocumentError, IncompleteError, manifest, pull
from buckia.manifest import NAME
from buckia.runs.pulling import pauses
from buckia.runs.pulling.differences import demand_sound
from tests.publishing import rows, trashed, tree
from tests.servers.folder import WebFolder, serve_folder
from tests.vectors.__main__ import FOLDER, main, pages
from tests.vectors.contents import generated


def load(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


PLANS = load("plans")
CONTENTS = {name: generated(rule) for name, rule in PLANS["contents"].items()}
DOCUMENTS = load("documents")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pauses, "FIRST", 0.001)


@pytest.fixture
def server() -> Iterator[WebFolder]:
    with serve_folder() as running:
        yield running


def test_the_vectors_are_up_to_date(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`python -m tests.vectors` would change nothing; `--check` names what it would."""
    for path, text in pages().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: python -m tests.vectors"
    assert main(["--check"]) == 0
    monkeypatch.setattr("tests.vectors.__main__.FOLDER", tmp_path)
    assert main(["--check"]) == 1 and "plans.json is out of date" in capsys.readouterr().out
    assert main([]) == 0 and main(["--check"]) == 0


def test_contents_follow_from_their_rules() -> None:
    """And are what the vectors say of them."""
    for rule in (*PLANS["contents"].values(), *load("blocks")["files"]):
        data = generated(rule)
        assert (len(data), hashlib.sha256(data).hexdigest()) == (rule["size"], rule["sha256"])


@pytest.mark.parametrize("case", load("blocks")["sizes"], ids=lambda case: str(case["size"]))
def test_block_sizes(case: Any) -> None:
    assert manifest.block_size(case["size"]) == case["block_size"]


@pytest.mark.parametrize("case", load("blocks")["files"], ids=lambda case: str(case["sha256"][:8]))
def test_block_digests(case: Any) -> None:
    found = manifest.blocks_of(BytesIO(generated(case)), case["size"])
    assert found and (found.size, found.digests) == (case["block_size"], case["blocks"])


@pytest.mark.parametrize("case", DOCUMENTS["accepted"], ids=lambda case: str(case["name"]))
def test_documents_that_are_accepted(case: Any) -> None:
    demand_sound(manifest.read(case["document"].encode()))


@pytest.mark.parametrize("case", DOCUMENTS["refused"], ids=lambda case: str(case["name"]))
def test_documents_that_are_refused(case: Any) -> None:
    with pytest.raises(DocumentError):
        demand_sound(manifest.read(case["document"].encode()))


def _give(server: WebFolder, document: Any, files: dict[str, str]) -> None:
    server.files = {path: CONTENTS[name] for path, name in files.items()}
    server.files[NAME] = json.dumps(document).encode()


def _names(document: Any) -> dict[str, str]:
    by_digest = {hashlib.sha256(data).hexdigest(): name for name, data in CONTENTS.items()}
    return {file["path"]: by_digest[file["sha256"]] for file in document["files"]}


def _read(folder: Path) -> dict[str, object]:
    """The files of a folder; a database by its rows, as its bytes may be others."""
    found: dict[str, object] = {}
    for path, data in tree(folder).items():
        found[path] = rows(folder / path) if data.startswith(b"SQLite") else data
    return found


@pytest.mark.parametrize("case", PLANS["cases"], ids=lambda case: str(case["name"]))
def test_plans(case: Any, server: WebFolder, tmp_path: Path) -> None:
    """Requests, what is kept and what is there at the end."""
    folder, expected = tmp_path / "F", tmp_path / "expected"
    if case["pulled"]:
        _give(server, case["pulled"], _names(case["pulled"]))
        pull(server.url, folder)
    _put(folder, case["local"])
    _give(server, case["manifest"], case["served"])
    server.forget()
    told: list[str] = []
    outcome = "done"
    try:
        done = pull(
            server.url,
            folder,
            wait=0,
            progress=lambda tick: told.append(tick.key) if tick.stage == "swap" else None,
        )
        outcome = "done" if done.older is None else "older"
        assert list(done.removed) == case["removed"] and list(done.kept) == case["kept"]
        assert sorted(trashed(folder)) == case["kept"]
    except IncompleteError:
        outcome = "incomplete"
    assert outcome == case["outcome"]
    asked = sorted((p, list(part) if part else None) for p, part in server.requests if p != NAME)
    wanted = [(one["path"], one["range"]) for one in case["requests"]]
    assert asked == wanted and server.requests[0] == (NAME, None)
    _put(expected, case["end"])
    assert _read(folder) == _read(expected)
    databases = [path for path in told if path.endswith(".sqlite")]
    plain = [path for path in told if path not in databases and path not in case["removed"]]
    coming = [path for path in told if path in (*databases, *plain)]
    assert coming == [*plain, *databases]


def _put(folder: Path, files: dict[str, str]) -> None:
    """Have a folder hold these files; one that is there and right is left alone."""
    for path in tree(folder).keys() - files.keys():
        (folder / path).unlink()
    for path, name in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.is_file() or target.read_bytes() != CONTENTS[name]:
            target.write_bytes(CONTENTS[name])


def test_refusing_is_an_error_for_people() -> None:
    """Every refusal is one line."""
    for case in DOCUMENTS["refused"]:
        with pytest.raises(BuckiaError) as caught:
            demand_sound(manifest.read(case["document"].encode()))
        assert "\n" not in str(caught.value)
