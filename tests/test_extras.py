"""A package that is not installed: who needs it is told what to install, everybody else is not."""

from __future__ import annotations

import subprocess  # noqa: TID251  (another Python, from which packages are missing)
import sys
from pathlib import Path

import pytest

BLOCKER = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Blocker())
from buckia.cli import run
sys.exit(run({words!r}))
"""

EVERYTHING = ("boto3", "botocore", "httptools", "obstore", "b2sdk", "requests", "keyring")

OPTIONS = {
    "s3": "region: us-east-1, api_key: i, password: s",
    "linode": "region: us-east-1, api_key: i, password: s",
    "b2": "api_key: i, password: s",
    "bunny": "password: s",
    "keyring": "token: it",
}


def without(folder: Path, blocked: tuple[str, ...], *words: str) -> tuple[int, str]:
    """Run a command where these packages are not installed; its code and stderr."""
    done = subprocess.run(
        [sys.executable, "-c", BLOCKER.format(blocked=set(blocked), words=words)],
        cwd=folder,
        env={"HOME": str(folder), "PATH": "/usr/bin"},
        input="x",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stderr


def configure(folder: Path, provider: str, options: str) -> None:
    (folder / "tree").mkdir()
    (folder / ".buckia").write_text(
        f"main: {{provider: {provider}, bucket_name: x, paths: [tree/], {options}}}\n"
    )


@pytest.mark.parametrize(
    ("provider", "missing"),
    [
        ("s3", "botocore"),
        ("s3", "obstore"),
        ("s3", "httptools"),
        ("linode", "botocore"),
        ("b2", "b2sdk"),
        ("bunny", "requests"),
    ],
)
def test_a_provider_says_which_extra_brings_its_package(
    provider: str, missing: str, tmp_path: Path
) -> None:
    """In one line, when it is used; until then it is not missed."""
    configure(tmp_path, provider, OPTIONS[provider])
    code, told = without(tmp_path, (missing,), "plan")
    assert code == 78 and told.count("\n") == 1
    assert f"{provider}: the package " in told
    assert f'is missing; pip install "buckia[{provider}]"' in told
    assert without(tmp_path, EVERYTHING, "validate", "-q")[0] == 0


def test_the_keyring_is_an_extra(tmp_path: Path) -> None:
    """Whoever asks for it is told, and what does without it."""
    configure(tmp_path, "bunny", "token: it")
    install = 'the package keyring is missing: pip install "buckia[keyring]"'
    for words in (("auth", "set", "it"), ("auth", "remove", "it", "--yes")):
        code, told = without(tmp_path, ("keyring",), *words)
        assert code == 1 and install in told and "BUCKIA_TOKEN_IT" in told
    code, told = without(tmp_path, ("keyring",), "plan")
    assert (
        code == 8
        and f"`it` in the keyring (the system's keyring cannot be used: {install})" in told
    )


def test_a_directory_as_bucket_needs_nothing(tmp_path: Path) -> None:
    """Nor do the commands that everybody begins with."""
    (tmp_path / "bucket").mkdir()
    configure(tmp_path, "local", "checksum_algorithm: md5")
    (tmp_path / ".buckia").write_text((tmp_path / ".buckia").read_text().replace(": x", ": bucket"))
    for words in (("plan",), ("sync", "-q"), ("status",), ("auth", "list"), ("--help",)):
        code, told = without(tmp_path, EVERYTHING, *words)
        assert code == 0, told


def test_pulling_says_which_extra_brings_its_package(tmp_path: Path) -> None:
    """In one line; nothing is made."""
    code, told = without(tmp_path, ("requests",), "pull", "http://127.0.0.1:1/F/", "F")
    assert code == 78 and told.count("\n") == 1
    assert 'pull: the package requests is missing; pip install "buckia[pull]"' in told
    assert not (tmp_path / "F").exists()
