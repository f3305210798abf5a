"""A workspace that knows nothing of the machine it is on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.keyrings import InMemory, using

_FOREIGN = (
    "AWS_",
    "B2_",
    "BUNNY_",
    "BUCKIA_",
    "CI",
    "LINODE_",
    "S3_",
    "NO_COLOR",
    "FORCE_COLOR",
    "COLUMNS",
    "LINES",
    "TTY_",
)


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder to work in, without credentials, settings or colours from outside."""
    folder, home = tmp_path / "workspace", tmp_path / "home"
    folder.mkdir()
    home.mkdir()
    before = dict(os.environ)
    for name in before:
        if name.startswith(_FOREIGN):
            del os.environ[name]
    os.environ.update(HOME=str(home), AWS_EC2_METADATA_DISABLED="true", TERM="xterm")
    monkeypatch.chdir(folder)
    with using(InMemory()):
        yield folder
    os.environ.clear()
    os.environ.update(before)
