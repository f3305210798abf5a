"""`buckia gc`: shown first, asked about, then cleared."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from buckia.cli import clearing
from tests.cli.console import buckia
from tests.servers.lying_s3 import serve_lies
from tests.servers.mannered_s3 import Blob, MannerlyS3


@pytest.fixture
def service(workspace: Path) -> Iterator[MannerlyS3]:
    """A bucket with an upload that was never finished, a claim, and a file of a killed run here."""
    service = MannerlyS3()
    service.uploads["one"] = ("big\x1b.bin", {1: b"12345"})
    long_ago = time.time() - 3 * 86400
    service.objects[".buckia/claims/x"] = Blob(b"claim", modified=long_ago)
    service.objects["content"] = Blob(b"1")
    stray = workspace / ".buckia.d/tmp/0123"
    stray.parent.mkdir(parents=True)
    stray.write_text("123")
    os.utime(stray, (long_ago,) * 2)
    with serve_lies(service) as server:
        (workspace / ".buckia").write_text(
            f"main: {{provider: s3, bucket_name: b, domain: '{server.endpoint}', region: x, "
            "api_key: a, password: b, paths: [tree/]}\n"
        )
        yield service


FOUND = "1 claim, 1 temporary file, 1 unfinished upload, 13 bytes"


def test_a_dry_run_shows_and_stops(service: MannerlyS3) -> None:
    ended = buckia("gc", "--dry-run")
    assert (ended.code, ended.err) == (0, f"{FOUND}. Nothing was cleared: that was a dry run.\n")
    assert [line.split()[2:] for line in ended.out.splitlines()] == [
        [".buckia.d/tmp/0123", "temporary", "file", "3", "bytes", "here"],
        [".buckia/claims/x", "claim", "5", "bytes", "main"],
        ["big\\u001b.bin", "unfinished", "upload", "5", "bytes", "main"],
    ]
    assert service.uploads and len(service.objects) == 2


def test_all_of_it_is_cleared(service: MannerlyS3, workspace: Path) -> None:
    ended = buckia("gc", "--yes")
    assert (ended.code, ended.err) == (0, f"Cleared: {FOUND}.\n")
    assert service.uploads == {} and list(service.objects) == ["content"]
    assert not (workspace / ".buckia.d/tmp/0123").exists()
    again = buckia("gc", "--yes", "--older-than", "1h")
    assert (again.out, again.err) == ("", "Nothing is left that is older than 1h.\n")


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 1)])
def test_somebody_is_asked(
    answer: str, code: int, service: MannerlyS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clearing, "can_ask", lambda: True)
    ended = buckia("gc", given=f"{answer}\n")
    assert ended.code == code and f"{FOUND}. Clear all of it for good? [y/N]" in ended.err
    assert bool(service.uploads) == bool(code)


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        ((), 64, "there is no terminal to ask in: add --yes, or --dry-run"),
        (("--yes", "--older-than", "0h"), 64, "less than an hour could take"),
        (("--yes", "--older-than", "30m"), 64, "'30m' is no duration"),
        (("--yes", "nope"), 78, "there is no bucket `nope`"),
    ],
)
def test_what_cannot_be_is_said(
    service: MannerlyS3, words: tuple[str, ...], code: int, why: str
) -> None:
    ended = buckia("gc", *words)
    assert (ended.code, ended.out, ended.err.count("\n")) == (code, "", 1)
    assert why in ended.err and service.uploads


def test_a_bucket_that_refuses_ends_with_its_error(service: MannerlyS3) -> None:
    """After everything else was cleared."""
    service.denied = frozenset({"ListMultipartUploads"})
    ended = buckia("gc", "--yes")
    assert ended.code == 5
    assert ended.err.startswith("Cleared: 1 temporary file, 3 bytes.\nError: unfinished uploads of")
    assert ended.err.endswith("; the rest was looked at\n")
    ended = buckia("gc", "--yes")
    assert (ended.code, ended.out, ended.err.count("\n")) == (8, "", 1)
