"""Policies that live in files of their own: `policy: policies/public.json`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import buckia.config.schema as judge
from buckia import documents
from buckia.config.schema import dotted
from buckia.errors import ConfigError, DocumentError
from buckia.settings import ABSENT

_MOST: Final = 1024 * 1024
"""Bytes; Amazon takes 20 KB."""


def path_of(said: Mapping[str, Any]) -> str | None:
    """The file that declared settings take their policy from; None where there is none."""
    policy = said.get("policy")
    return policy if isinstance(policy, str) and policy != ABSENT else None


def resolve(said: Mapping[str, Any], root: Path) -> Mapping[str, Any]:
    """Declared settings with the policy itself in the place of its file, which lies below `root`.

    Raises `ConfigError` for a file that is missing or holds no policy.
    """
    path = path_of(said)
    return said if path is None else {**said, "policy": _read(root, path)}


def _read(root: Path, path: str) -> dict[str, Any]:
    try:
        with (root / path).open("rb") as file:
            data = file.read(_MOST + 1)
    except OSError as problem:
        raise ConfigError(
            f"the policy {path} cannot be read: {problem.strerror}; check its path and permissions"
        ) from None
    if len(data) > _MOST:
        raise ConfigError(f"the policy {path} is larger than any service takes; make it shorter")
    try:
        policy = documents.parse(data, f"the policy {path}")
    except DocumentError as problem:
        raise ConfigError(str(problem)) from None
    for found in judge.problems({"policy": policy}, "s3_settings"):
        where = f"{dotted(found.path[1:])}: " if found.path[1:] else ""
        raise ConfigError(f"the policy {path}: {where}{found.message}; correct it")
    return policy
