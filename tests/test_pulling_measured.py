"""What a pull costs, counted by the server: one request where nothing is new, and of a database
with one page changed less than a twentieth."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from buckia import pull
from buckia.manifest import NAME
from tests.publishing import publish, tree
from tests.servers.folder import serve_folder

FILES = 1000
MIB = 1024 * 1024


def test_a_thousand_files_unchanged_are_one_request(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And no byte but the headers."""
    files = {f"images/{n // 100}/{n:04}.jpg": random.Random(n).randbytes(500) for n in range(FILES)}
    with serve_folder() as server:
        publish(server, files)
        first = pull(server.url, tmp_path / "F")
        assert tree(tmp_path / "F") == files and first.requests == FILES + 1
        server.forget()
        done = pull(server.url, tmp_path / "F")
        with capsys.disabled():
            print(
                f"\n{FILES:,} files: first {first.requests:,} requests, {first.received:,} bytes; "
                f"unchanged {len(server.requests)} request, {server.sent} bytes"
            )
    assert server.requests == [(NAME, None)] and server.sent == 0
    assert (done.unchanged, done.requests, done.received) == (FILES, 1, 0)


@pytest.mark.parametrize("size", [8 * MIB, pytest.param(64 * MIB, marks=pytest.mark.full)])
def test_one_changed_page_of_a_database_is_less_than_a_twentieth(
    size: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Counted with the manifest, twice: also after the database was replaced through SQLite."""
    path = tmp_path / "App.sqlite"
    with closing(sqlite3.connect(path)) as made, made:
        made.execute("CREATE TABLE page (id INTEGER PRIMARY KEY, body BLOB)")
        chance = random.Random(0)
        made.executemany(
            "INSERT INTO page VALUES (?, ?)",
            ((n, chance.randbytes(3500)) for n in range(size // 4096)),
        )
    with serve_folder() as server:
        publish(server, {"App.sqlite": path.read_bytes()})
        pull(server.url, tmp_path / "F")
        for generation, row in ((2, size // 8192), (3, size // 5000)):
            with closing(sqlite3.connect(path)) as made, made:
                made.execute("UPDATE page SET body = zeroblob(3500) WHERE id = ?", (row,))
            data = path.read_bytes()
            publish(server, {"App.sqlite": data}, generation)
            server.forget()
            pull(server.url, tmp_path / "F")
            share = server.sent / len(data)
            with capsys.disabled():
                print(
                    f"\none page of {len(data):,} bytes changed: {server.sent:,} bytes fetched, "
                    f"{share:.2%}, in {len(server.requests)} requests"
                )
            assert share < 0.05
            with closing(sqlite3.connect(tmp_path / "F/App.sqlite")) as got:
                query = "SELECT body = zeroblob(3500) FROM page WHERE id = ?"
                assert got.execute(query, (row,)).fetchone() == (1,)
