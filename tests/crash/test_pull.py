"""Law 3 for pulls: killed anywhere and run again, the folder is what is published, nothing of
somebody's is lost, and nothing of the pull's own is taken for somebody's."""

from __future__ import annotations

import json
import random
import subprocess  # noqa: TID251 - each sweep forks, which a process with threads should not
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from buckia import pull
from tests.crash.pulls import CHANGED, OWN
from tests.publishing import database, publish
from tests.servers.folder import serve_folder

SAMPLE = 37
"""Without being asked every so-many-th point is tried."""


@pytest.mark.promise("L3", "INV-23")
@pytest.mark.parametrize(
    "stride", [SAMPLE, pytest.param(1, marks=pytest.mark.crash)], ids=["some", "every"]
)
def test_a_pull_that_was_killed_ends_as_if_it_had_not_been(
    stride: int, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    big = random.Random(1).randbytes(1_300_000)
    before = {
        "a.jpg": b"a" * 10,
        "same.jpg": b"s" * 10,
        CHANGED: b"Notes.",
        "was/file": b"f",
        "big": big,
        "App.sqlite": database(tmp_path / "db", {1: "a.jpg", 2: "same.jpg"}, size=40_000),
    }
    after = {
        "b.jpg": b"b" * 10,
        "same.jpg": before["same.jpg"],
        CHANGED: b"New notes.",
        "was": b"f",
        "big": b"!" + big[1:-1] + b"!",
        "App.sqlite": database(tmp_path / "db", {1: "b.jpg", 2: "same.jpg"}, size=40_000),
    }
    folder = tmp_path / "base"
    with serve_folder() as server:
        publish(server, before)
        pull(server.url, folder)
        (folder / CHANGED).write_bytes(b"My notes.")
        (folder / OWN).write_bytes(b"mine")
        publish(server, after, 2)
        words = [sys.executable, "-m", "tests.crash.pulls", server.url, str(folder), str(stride)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    record_property("points", result["tried"])
    assert result["faults"] == [], done.stderr
    assert result["count"] > 100 and result["tried"] >= result["count"] // stride
