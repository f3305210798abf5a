"""Tries mutants, one process each, forked from one that has everything but buckia loaded.

Runs in a copy of the tree. Reads jobs from stdin, one JSON line each, and answers one line each.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
import traceback
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.mutation.mutants import mutants

LOADED = ("boto3", "filelock", "jsonschema", "moto.server", "msgspec", "pathspec", "rich.console")
PROFILE = "mutation"


class Broken(MetaPathFinder, Loader):
    """Gives one module from other code than its file holds."""

    def __init__(self, name: str, code: CodeType, file: Path) -> None:
        self._name, self._code, self._file = name, code, file

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        """The module that is broken, and no other."""
        return spec_from_loader(fullname, self) if fullname == self._name else None

    def exec_module(self, module: ModuleType) -> None:
        """Run the broken code."""
        module.__file__ = str(self._file)
        exec(self._code, module.__dict__)


def attempt(job: dict[str, Any]) -> int:
    """Run the tests against one mutant, in this process: pytest's exit code."""
    file = Path("buckia", f"{job['module']}.py").absolute()
    if job["number"] is not None:
        mutant = mutants(file.read_text(encoding="utf-8"))[job["number"]]
        code = compile(mutant.tree, str(file), "exec")
        name = f"buckia.{job['module'].replace('/', '.')}"
        sys.meta_path.insert(0, Broken(name, code, file))
    base = f"--basetemp={Path.cwd().parent / str(os.getpid())}"
    quiet = ("-x", "-q", "--assert=plain", "-p", "no:cacheprovider", "-p", "no:xdist", base)
    return int(pytest.main([*quiet, *job["tests"]]))


def _run(job: dict[str, Any]) -> str:
    """`killed`, `survived`, or `late`: killed by running too long."""
    sys.stdout.flush()
    child = os.fork()
    if not child:
        _become_child(job)
    end = time.monotonic() + job["timeout"]
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return "survived" if status == 0 else "killed"
        time.sleep(0.02)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "late"


def _become_child(job: dict[str, Any]) -> None:
    code = 70
    try:
        os.setsid()
        if not job["shown"]:
            nowhere = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(nowhere, stream)
        code = attempt(job)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


def main() -> None:
    """Answer jobs until stdin ends."""
    sys.dont_write_bytecode = True
    for name in LOADED:
        __import__(name)
    settings.register_profile(
        PROFILE,
        max_examples=12,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large),
    )
    for line in sys.stdin:
        job = json.loads(line)
        print(json.dumps({**job, "result": _run(job)}), flush=True)


if __name__ == "__main__":
    main()
