"""A run that ends by SIGKILL at its K-th operation: `python -m tests.crash.child ROOT PLAN K MODE`.

ROOT is the folder of a project, MODE `serial` (one action after the other) or `threads` (four at a
time). With K = 0 nothing ends early and the number of operations is printed.
"""

from __future__ import annotations

import dataclasses
import os
import sys
import traceback
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

import boto3
from botocore.loaders import JSONFileLoader

from buckia import planfile
from buckia.config import file as config_file
from buckia.project import Project
from buckia.stores import files, filling, s3_looks, s3_parts, s3_session
from buckia.stores.s3_session import S3Options, S3Session
from tests.crash.hooks import Steps, install

MODES: Final = {"serial": 1, "threads": 4}
"""How many workers a mode has."""

_SMALL: Final = 64 * 1024
"""Bytes of a piece of a file, wherever files go in pieces."""


class Serial(Executor):
    """An executor that is done when it returns: the order of operations is always the same."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as problem:
            future.set_exception(problem)
        return future


_STAGED: Final[dict[str, Any]] = {"service": "ceph", "conditions": ("create", "replace")}
"""A service that checks neither copies nor deletions: they go in stages."""


SHRUNK: Final = (
    (files, "CHUNK"),
    (filling, "CHUNK"),
    (filling, "_PIECE"),
    (s3_parts, "MIB"),
    (s3_session, "S3Options"),
    (s3_looks, "WORTH"),
    (s3_looks, "LASTING"),
)
"""What is other in a process once it has opened a project here."""


def open_project(root: Path, mode: str) -> Project:
    """The project in a folder, its files read and sent in small pieces: from then on, in all of
    this process."""
    vars(files)["CHUNK"] = vars(filling)["CHUNK"] = vars(filling)["_PIECE"] = _SMALL
    vars(s3_parts)["MIB"] = 1
    vars(s3_session)["S3Options"] = partial(S3Options, multipart_threshold=_SMALL, part_size=_SMALL)
    vars(s3_looks).update(WORTH=2, LASTING=600.0)  # a page for a few keys, on a slow machine too
    config = config_file.load(root / ".buckia")
    buckets = {
        name: dataclasses.replace(
            bucket, max_workers=MODES[mode], **(_STAGED if bucket.provider == "s3" else {})
        )
        for name, bucket in config.buckets.items()
    }
    return Project(dataclasses.replace(config, buckets=buckets))


def remember_models() -> None:
    """Let boto3 read its models once in all: each child would read them anew."""
    read = cache(partial(JSONFileLoader.load_file, JSONFileLoader()))
    JSONFileLoader.load_file = lambda self, file_path: read(file_path)  # type: ignore[method-assign]
    boto3.Session().client("s3", region_name="us-east-1")


def open_all(root: Path, mode: str) -> Project:
    """The project with its buckets opened, no request made: ready to be forked."""
    remember_models()
    project = open_project(root, mode)
    for name in project.names():
        store = project.remote(name)
        if isinstance(session := vars(store).get("_session"), S3Session):
            _ = session.client, session.reader
        project.config.bucket(name).rules.excludes("loads what reads patterns")
    return project


def apply(project: Project, plan: planfile.Plan, last: int, mode: str) -> int:
    """Apply a plan until the `last` step; how many steps there were, where it came to its end."""
    steps = Steps(last, project.root.parent / "trace")
    install(steps)
    with project:
        _carry_out(project, plan, mode)
    steps.note(f"steps {steps.count}")
    return steps.count


Planner = Callable[[Project], planfile.Plan]
"""What makes the plan that a world is about."""


def resume(
    project: Project, plan: planfile.Plan | None, mode: str, anew: Planner = Project.plan
) -> None:
    """Apply the plan again, or a new one, and see that nothing is left to do."""
    install(Steps(0, project.root.parent / "trace"))
    with project:
        _carry_out(project, plan or anew(project), mode)
        left = anew(project)
        assert not left.actions, [(str(action.op), action.key) for action in left.actions]


def _carry_out(project: Project, made: planfile.Plan, mode: str) -> None:
    assert not made.conflicts, made.conflicts
    applied = project.apply(made, executor=Serial() if mode == "serial" else None)
    assert not applied.failed, applied.failed


def forked(function: Callable[..., object], *args: object, told: Path) -> int:
    """Call a function in a child of this process, which must have no threads; its exit code.

    An exception is written to `told`.
    """
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            function(*args)
            code = 0
        except BaseException:
            told.write_text(traceback.format_exc())
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


if __name__ == "__main__":
    _, root, plan, last, mode = sys.argv
    made = planfile.read(Path(plan).read_bytes(), "the plan")
    print(apply(open_all(Path(root), mode), made, int(last), mode))
