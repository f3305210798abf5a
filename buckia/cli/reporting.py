"""`--html`: the page of a plan with what changes inside pictures, texts and databases."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from buckia.cli import papers
from buckia.errors import LocalError, UsageError

if TYPE_CHECKING:
    from buckia.cli.session import Session
    from buckia.planfile import Plan

_LOOKS: Final = b"<!doctype html>"
_MB: Final = 1024**2


@dataclass(frozen=True, kw_only=True)
class Page:
    """Where a page goes, and how much of the contents it may hold."""

    html: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Also write a page with what changes inside files, for a browser."
        ),
    ] = None
    preview_size: Annotated[
        int,
        typer.Option(metavar="MB", min=0, help="With --html: contents it may hold, in megabytes."),
    ] = 10

    def refuse(self) -> None:
        """Raise `UsageError` for a place where no page can go, or where something else is."""
        if self.html is None:
            return
        path = Path(self.html)
        if self.html == papers.STREAM:
            raise UsageError("--html is a page and stdout is for the plan; name a file")
        if not path.parent.is_dir():
            raise UsageError(f"--html {path}: there is no folder {path.parent}; make it first")
        if path.is_dir():
            raise UsageError(f"--html {path} is a directory; name a file in it")
        if path.is_file():
            with path.open("rb") as file:
                head = file.read(len(_LOOKS))
            if head not in (b"", _LOOKS):
                raise UsageError(f"--html {path} exists and is no page; name another file")

    def write(self, session: Session, made: Plan) -> None:
        """Read what changes and write the page, all of it or, on any problem, nothing."""
        if self.html is None:
            return
        from buckia.report import html

        found = session.previews(made, self.preview_size * _MB)
        data = html.page(made, found).encode()
        try:
            papers.replace(Path(self.html).resolve(), data)
        except OSError as problem:
            raise LocalError(
                f"--html {self.html} cannot be written: {problem.strerror}; name another file"
            ) from None
        session.note(f"Wrote the page {self.html}; open it in a browser.")
