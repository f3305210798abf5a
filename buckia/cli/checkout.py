"""In CI no local file changes unless somebody says so: a checkout is nobody's folder."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Final

import typer

from buckia import text
from buckia.errors import BlockedError
from buckia.terms import Op

if TYPE_CHECKING:
    from buckia.planfile import Plan

AllowLocal = Annotated[
    bool,
    typer.Option(
        "--allow-local", help="In CI, where `CI` is set: local files may be changed, too."
    ),
]

_LOCAL: Final = (Op.DOWNLOAD, Op.DELETE_LOCAL)
_NOT_CI: Final = ("", "0", "false")
_HERE: Final = "and this is CI (`CI` is set); nothing was changed; add --allow-local if it may"


def is_ci() -> bool:
    """Whether this runs in a pipeline, as every service that has them says in `CI`."""
    return os.environ.get("CI", "").lower() not in _NOT_CI


def refuse_plan(made: Plan, otherwise: str = "") -> None:
    """Raise `BlockedError` in CI for a plan that would change files of the checkout; `otherwise`
    says what else can be done."""
    local = [action for action in made.actions if action.op in _LOCAL]
    if local and is_ci():
        count = text.count_of(len(local), "local file")
        raise BlockedError(
            f"the plan changes {count}, {text.name(local[0].key)} for one, {_HERE}{otherwise}"
        )


def refuse_folder(user: str) -> None:
    """Raise `BlockedError` in CI for what changes a user's local folder."""
    if is_ci():
        raise BlockedError(f"this changes the local folder of {text.name(user)}, {_HERE}")
