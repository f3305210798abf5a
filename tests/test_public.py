"""The public surface: what `buckia.__all__` names, all of it documented, and nothing else."""

from __future__ import annotations

import re
import subprocess  # noqa: TID251  (a fresh interpreter shows what an import brings along)
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import buckia
from buckia import errors

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs/python.md").read_text(encoding="utf-8")
ERRORS = {
    name
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, errors.BuckiaError)
}


def test_the_surface_is_this() -> None:
    """Client, configuration, results, every error, the version, a verb; sorted, each once."""
    names = {"BuckiaClient", "BucketConfig", "SyncResult", "Pulled", "pull", "__version__"}
    expected = ERRORS | names
    assert buckia.__all__ == sorted(expected)
    assert dir(buckia) == buckia.__all__


def test_nothing_else_is_public_at_the_top() -> None:
    """What buckia defines at its top without an underscore is in `__all__`."""
    for name in buckia.__all__:
        getattr(buckia, name)
    own = {
        name
        for name, value in vars(buckia).items()
        if not name.startswith("_") and getattr(value, "__module__", "").startswith("buckia")
    }
    assert own <= set(buckia.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'Bucket'"):
        _ = buckia.Bucket


@pytest.mark.parametrize("name", buckia.__all__)
def test_every_name_is_documented(name: str) -> None:
    """In docs/python.md, and in a docstring of its own."""
    assert f"`{name}`" in PAGE
    if name != "__version__":
        assert getattr(buckia, name).__doc__


def test_every_method_of_the_client_is_documented() -> None:
    """docs/python.md shows or names it."""
    for name in vars(buckia.BuckiaClient):
        if not name.startswith("_"):
            assert re.search(rf"\b{name}\b", PAGE), name


def test_versions_match() -> None:
    """The package, its metadata and the newest section of the changelog."""
    assert version("buckia") == buckia.__version__
    newest = re.search(r"^## (\S+?),? ", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert newest and newest[1] == buckia.__version__


def test_importing_buckia_is_cheap() -> None:
    """No configuration parser, no provider and no terminal library comes along."""
    code = "import buckia, sys; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    heavy = {"boto3", "obstore", "requests", "b2sdk", "typer", "rich", "yaml", "jsonschema"}
    assert heavy.isdisjoint(loaded)
