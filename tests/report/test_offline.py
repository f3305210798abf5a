"""A reviewer needs the file and nothing else: no configuration, no credentials, no packages."""

from __future__ import annotations

import os
import subprocess  # noqa: TID251  (what a process has loaded is asked of one)
import sys
from pathlib import Path
from typing import Final

import pytest

from buckia import planfile
from tests.cli.console import buckia
from tests.report.plans import ordinary

FORBIDDEN: Final = (
    *("boto3", "botocore", "obstore", "b2sdk", "requests", "keyring"),
    *("buckia.config", "buckia.credentials", "buckia.project"),
)
"""Packages of providers, of credentials and of the configuration."""
_ASK: Final = (
    "import sys, socket; from buckia.cli import run; "
    "socket.socket.connect = None; code = run(sys.argv[1:]); "
    f"print([name for name in {FORBIDDEN!r} if name in sys.modules], code, file=sys.stderr)"
)


@pytest.mark.parametrize("words", [
    ("show", "plan.json"),
    ("show", "plan.json", "--format", "markdown"),
    ("show", "plan.json", "--format", "html"),
    ("show", "plan.json", "--json"),
    ("plan-diff", "plan.json", "plan.json"),
])  # fmt: skip
def test_reading_a_plan_loads_no_provider(words: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_bytes(planfile.write(ordinary()))
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    done = subprocess.run(
        [sys.executable, "-c", _ASK, *words],
        cwd=tmp_path, env=env, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stderr == "[] 0\n"
    assert done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["plan.json"]


def test_the_document_is_printed_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    data = planfile.write(ordinary())
    (tmp_path / "plan.json").write_bytes(data)
    assert buckia("show", "plan.json", "--json").out.encode() == data
    both = buckia("show", "plan.json", "--json", "--format", "html")
    assert (both.code, both.out) == (64, "") and "--json" in both.err
