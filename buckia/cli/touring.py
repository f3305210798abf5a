"""`tour`: the real commands, one after another, in a workspace made for it."""

from __future__ import annotations

import itertools
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer

from buckia.errors import BuckiaError

_USUAL: Final = "buckia-tour"

_NEXT: Final = """
# That was the main job. The workspace stays in {folder}/. What to try next:
#
#   cd {folder}
#   {buckia} status
#
# Change the same file below assets/ and below buckets/, differently, and see the conflict:
#
#   {buckia} plan
#
# Or begin in a folder of your own; `{buckia} init --help` lists the providers:
#
#   {buckia} init --provider s3
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(tour)


def tour(
    folder: Annotated[
        str | None,
        typer.Argument(metavar="[FOLDER]", help="A new folder for it.", show_default=_USUAL),
    ] = None,
) -> None:
    """See buckia do its main job in a new folder.

    Makes a small workspace with two buckets that are directories, and runs the real commands in
    it, each printed before it runs.
    """
    from buckia.cli.tour import Workspace

    folder = folder or _free()
    workspace = Workspace(Path(folder))
    workspace.build()
    _tell(f"# In {folder}/: pictures, a text, a database, and two directories that are buckets.")
    with chdir(folder), _own_surroundings():
        _run("validate")
        _run("plan", "--out", "plan.json")
        _run("show", "plan.json")
        _run("apply", "plan.json")
        _tell("\n# Once more: both sides are equal, so there is nothing to do.")
        _run("plan", "--detailed-exitcode", "--out", "plan.json")
        workspace.edit_here()
        workspace.edit_there()
        _tell("\n# You change the text and the database, rename a picture and delete another.")
        _tell("# Meanwhile a colleague puts a picture into the premium bucket.")
        _run("plan", "--out", "plan.json")
        _run("show", "plan.json")
        _run("apply", "plan.json")
        _run("status")
    _tell(_NEXT.format(folder=folder, buckia=_command(Path(folder))), end="")


def _free() -> str:
    """The usual name, numbered when an earlier tour has it."""
    names = itertools.chain([_USUAL], (f"{_USUAL}-{n}" for n in itertools.count(2)))
    return next(name for name in names if not Path(name).exists())


def _command(folder: Path) -> str:
    """How to call buckia from the workspace: by its name, or by its path where that is needed."""
    own = Path(sys.argv[0])
    if shutil.which("buckia") or own.name != "buckia":
        return "buckia"
    return os.path.relpath(own.resolve(), folder.resolve())


@contextmanager
def _own_surroundings() -> Iterator[None]:
    """Keep out of the tour what the environment says: a configuration of its own, and that this is
    a pipeline, which would not change local files. The tour plays an admin's computer."""
    from buckia.config.file import VARIABLE

    held = {name: os.environ.pop(name) for name in (VARIABLE, "CI") if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(held)


def _run(*words: str) -> None:
    from buckia.cli import run

    line = f"buckia {' '.join(words)}"
    _tell(f"\n$ {line}")
    if code := run(words):
        raise BuckiaError(
            f"the tour ends here: `{line}` ended with {code}; see `buckia tour --help`"
        )


def _tell(words: str, end: str = "\n") -> None:
    sys.stdout.write(words + end)
    sys.stdout.flush()
