"""`show` and `plan-diff`: plan files for whoever reviews them. Need neither a configuration nor a
network."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

import typer

from buckia.cli import papers
from buckia.cli.options import complete_plan, unfold
from buckia.cli.planning import called, draw
from buckia.errors import UsageError

if TYPE_CHECKING:
    from buckia.planfile import Plan


_CHANGES: Final = 2


class Format(StrEnum):
    """What a plan is shown as."""

    TEXT = "text"
    MARKDOWN = "markdown"
    HTML = "html"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(unfold(show))
    app.command("plan-diff")(unfold(plan_diff))


Unfolded = Annotated[
    int, typer.Option("--verbose", "-v", count=True, show_default=False, help="Fold no list.")
]


def show(
    plan: Annotated[
        str,
        typer.Argument(
            metavar="PLAN", help="A plan file; `-` is stdin.", autocompletion=complete_plan
        ),
    ],
    format: Annotated[  # noqa: A002  (what the option is called)
        Format,
        typer.Option(help="For a terminal, as a comment in a pull request, or as a page."),
    ] = Format.TEXT,
    json: Annotated[
        bool, typer.Option("--json", help="Print the document instead of the view.")
    ] = False,
    verbose: Unfolded = 0,
) -> None:
    """Show a plan file. Needs neither the configuration nor the network.

    As Markdown it is one comment of at most 60,000 characters, in which what is routine is cut
    before what is dangerous. As HTML it is one file that loads nothing, to search and filter in.
    """
    if json and format is not Format.TEXT:
        raise UsageError("--json prints the document itself: give it no --format")
    data, made = _read(plan)
    if json:
        papers.write(data, papers.STREAM)
    elif format is Format.TEXT:
        from buckia.cli.show import view

        draw(view(made, everything=bool(verbose)))
    else:
        papers.write(_page(made, format), papers.STREAM)


def plan_diff(
    old: Annotated[str, typer.Argument(metavar="OLD", help="The plan that was reviewed.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The plan of now; `-` is stdin.")],
    json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit with 2 when anything differs.")
    ] = False,
    verbose: Unfolded = 0,
) -> None:
    """Tell what changed in a plan since it was reviewed.

    Actions that came, went, or expect or leave something else, the dangerous first; conflicts,
    limits, the configuration and the state it was made from. Needs nothing but the two files.
    """
    from buckia.report import changes

    if old == new == papers.STREAM:
        raise UsageError("stdin holds one plan: name a file for the other")
    found = changes.compare(_read(old)[1], _read(new)[1])
    if json:
        papers.write(changes.document(found), papers.STREAM)
    else:
        from buckia.cli import show_changes

        draw(show_changes.view(found, everything=bool(verbose)))
    if detailed_exitcode and not found.same:
        raise typer.Exit(_CHANGES)


def _page(made: Plan, format: Format) -> bytes:  # noqa: A002
    if format is Format.HTML:
        from buckia.report import html

        return html.page(made).encode()
    from buckia.report import markdown, page_of

    return markdown.comment(page_of(made)).encode()


def _read(name: str) -> tuple[bytes, Plan]:
    """The document of a plan file, and what it says."""
    from buckia import planfile

    data = papers.read(name)
    planfile.refuse_edited(data, called(name))
    return data, planfile.view(data, called(name))
