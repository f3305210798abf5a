"""Every transcript, played. BUCKIA_WRITE=1 writes what happened into the files, for review."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.transcript import play
from tests.servers.folder import serve_folder

WRITE = os.environ.get("BUCKIA_WRITE") == "1"
TRANSCRIPTS = sorted((Path(__file__).parent / "transcripts").glob("*.txt"))


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_transcript(path: Path, workspace: Path) -> None:
    page = path.read_text()
    with serve_folder() as web:
        played = play(page, workspace, web)
    if WRITE:
        path.write_text(played)
    assert played == page
