"""Results as Markdown and JSON."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from tests.benchmarks.plot import draw
from tests.benchmarks.results import Figure, Result, Row, Standing

_INTRO: Final = """\
# Benchmarks

buckia and its peers on the same work, one after the other in turn, on one machine. Written by
`make bench`; `make bench SCENARIO=upload-small` measures one scenario anew, `make bench SMALL=1`
all of them for a short look, into `.bench/`. Figures are medians, with the least and the most in
brackets; a peer that is far behind has fewer runs. Each program has one run before that does not
count, through a proxy that counts what it asks of the service. Client CPU is user and system time
with all children; the peak is that of the largest process. The server runs on the same machine, so
where it has more to do than the client wall time is its wall time: its CPU is in the table, too. In
buckia's figures everything is on that always is: each body is checked, each file flushed, each
outcome in the journal.

{machine}

| program | version |
|---|---|
{versions}

![buckia's share of each peer's time](benchmarks.svg)
"""

_HEADS: Final = (
    "program",
    "settings",
    "runs",
    "wall s",
    "CPU s",
    "peak MB",
    "requests",
    "MB up",
    "MB down",
    "server CPU s",
)


class Document(msgspec.Struct, frozen=True):
    """What is kept of all results, whenever they were measured."""

    machine: str
    versions: dict[str, str]
    results: list[Result]

    @property
    def rows(self) -> list[Row]:
        """Every row of every scenario."""
        return [row for result in self.results for row in result.rows]


def machine(service: str) -> str:
    """This machine in a line."""
    return (
        f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, "
        f"CPython {platform.python_version()}; service: {service} on loopback."
    )


def merge(folder: Path, document: Document, order: Iterable[str]) -> Document:
    """With what a folder knows of the scenarios that were not measured now."""
    path = folder / "benchmarks.json"
    known: dict[str, Result] = {}
    if path.exists():
        data = msgspec.json.decode(path.read_bytes())
        known = {r.scenario: r for r in msgspec.convert(data["results"], list[Result])}
    known |= {result.scenario: result for result in document.results}
    return Document(
        document.machine, document.versions, [known[name] for name in order if name in known]
    )


def write(folder: Path, document: Document, names: Iterable[str]) -> None:
    """Markdown, JSON and the plot; which of all scenarios have not been measured is said."""
    folder.mkdir(parents=True, exist_ok=True)
    whole = {
        "machine": document.machine,
        "versions": document.versions,
        "rows": document.rows,
        "results": document.results,
    }
    text = msgspec.json.format(msgspec.json.encode(whole), indent=1)
    (folder / "benchmarks.json").write_bytes(text + b"\n")
    (folder / "README.md").write_text(_markdown(document, names), encoding="utf-8")
    (folder / "benchmarks.svg").write_text(draw(document.rows), encoding="utf-8")


def _markdown(document: Document, names: Iterable[str]) -> str:
    versions = "\n".join(f"| {name} | {text} |" for name, text in document.versions.items())
    text = _INTRO.format(machine=document.machine, versions=versions)
    text += "\n## What is to be reached\n\n" + _reached(document.rows)
    if missing := [name for name in names if name not in {r.scenario for r in document.results}]:
        text += f"\nNot measured on this machine yet: {', '.join(missing)}.\n"
    for result in document.results:
        text += f"\n## {result.scenario}\n\n{result.work[:1].upper()}{result.work[1:]}.\n\n"
        text += _table(_HEADS, (_standing(one) for one in result.standings))
        text += "\n" + _table(
            ("against", "measure", "ratio", "reach", ""),
            (_judged(row) for row in result.rows if row.peer),
        )
    return text


def _reached(rows: Iterable[Row]) -> str:
    """For each scenario and measure the peer that is hardest to beat."""
    hardest: dict[tuple[str, str, float], Row] = {}
    for row in rows:
        if row.reach is None:
            continue
        at = (row.scenario, row.measure, row.reach)
        if at not in hardest or row.ratio > hardest[at].ratio:
            hardest[at] = row
    return _table(
        ("scenario", "measure", "best peer", "ratio or figure", "reach", ""),
        (
            (row.scenario, row.measure, row.peer or "(a bound)", *_judged(row)[2:])
            for row in hardest.values()
        ),
    )


def _judged(row: Row) -> tuple[str, ...]:
    reach = "" if row.reach is None else f"{row.reach:g}"
    met = {None: "", True: "met", False: "**missed**"}[row.met]
    return row.peer, row.measure, f"{row.ratio:,.2f}", reach, met


def _standing(one: Standing) -> tuple[str, ...]:
    f = one.figures
    mega = [f"{f[way].median / 1e6:,.1f}" for way in ("up", "down")]
    return (
        one.name,
        one.settings,
        str(one.runs),
        _spread(f["wall"]),
        _spread(f["cpu"]),
        f"{f['peak'].median:,.0f}",
        f"{f['requests'].median:,.0f}",
        *mega,
        f"{f['server'].median:.1f}",
    )


def _spread(figure: Figure) -> str:
    return f"{figure.median:.2f} ({figure.least:.2f}–{figure.most:.2f})"


def _table(heads: Iterable[str], lines: Iterable[Iterable[str]]) -> str:
    heads = list(heads)
    rows = [heads, ["---"] * len(heads), *map(list, lines)]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def versions_told(told: Mapping[str, str]) -> dict[str, str]:
    """Versions in the order of the table."""
    return {name: told[name] for name in ("buckia", "s5cmd", "rclone", "aws")}
