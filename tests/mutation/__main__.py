"""`make mutate`: break the code that decides, one change at a time, and see whether a test fails.

    python -m tests.mutation [MODULE ...]

The modules are those of the table below.

Works on a copy of the tree, two mutants at a time. A mutant that no test can tell from the original
stands in `equivalents.toml` with the reason. Exits with 1 below the least score.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess  # noqa: TID251  (each worker is a process of its own)
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from tests.mutation.mutants import mutants

ROOT: Final = Path(__file__).parent.parent.parent
LEAST: Final = 90
"""Percent of the mutants of each module that have to be killed."""
WORKERS: Final = 2
PATIENCE: Final = 10
"""How many times as long as the whole module a mutant may take: some run for ever."""
_SHORT: Final = 12

TESTS: Final = {
    "reconcile": (
        "test_reconcile",
        "test_reconcile_edges",
        "test_reconcile_many",
        "test_header_changes",
        "test_laws",
    ),
    "engine": (
        *("test_engine", "test_engine_edges", "crash/test_again", "test_stops"),
        *("test_flight", "test_portions", "test_stages", "test_configuring", "test_tee"),
        *("test_publications", "test_promotion", "test_configuring_runs"),
        *("test_publish_and_pull", "test_purges", "test_laws", "test_laws_runs"),
    ),
    "decisions/planner": (
        *("test_planner_edges", "test_planner", "test_moves", "test_planfile"),
        *("test_safeguards", "test_header_changes", "test_tee", "test_promotion"),
        *("test_resolving", "test_publications_edges", "test_configuring"),
        *("test_configuring_runs", "test_purges", "test_laws"),
    ),
    "decisions/assembly": (
        *("test_planner_edges", "test_planner", "test_planfile", "test_overrides"),
        *("test_safeguards", "test_promotion", "test_resolving", "test_configuring", "test_laws"),
    ),
    "decisions/preflight": (
        *("test_preflight", "test_preflight_between", "test_engine"),
        *("test_header_changes", "test_configuring", "test_promotion"),
        *("test_configuring_runs", "test_laws"),
    ),
    "decisions/safeguards": (
        *("test_safeguards_edges", "test_safeguards", "test_overrides", "test_planner"),
        *("test_promotion",),
    ),
    "execution/steps": (
        *("test_steps", "test_staged_uploads", "test_engine", "test_engine_edges"),
        *("test_stops", "test_header_changes", "test_configuring", "test_resolving"),
        *("test_promotion", "test_configuring_runs", "test_purges", "stores/test_staging"),
        *("test_laws",),
    ),
    "execution/stages": (
        *("test_stages", "test_steps", "test_engine", "test_engine_edges", "test_portions"),
        *("test_publications", "test_stops", "test_promotion", "stores/test_staging"),
        *("test_glances",),
    ),
    "execution/sparing": (
        *("test_steps", "test_stages", "test_engine", "test_engine_edges", "test_promotion"),
        *("test_resolving", "stores/test_staging", "test_glances"),
    ),
    "sides/sightings": ("test_sightings", "test_stale", "test_engine", "test_engine_edges"),
    "execution/portions": (
        "test_portions",
        "test_engine",
        "test_engine_edges",
        "test_stops",
        "test_glances",
    ),
    "execution/glances": ("test_stages", "test_engine", "stores/test_s3_looks", "test_glances"),
}
"""The tests that hold a module, the quickest first."""


@dataclass(frozen=True)
class Tried:
    """What became of one mutant."""

    module: str
    line: int
    code: str
    what: str
    result: str

    def __str__(self) -> str:
        return f"  buckia/{self.module}.py:{self.line}: {self.what}:  {self.code}"


def main(words: list[str]) -> int:
    """Try the mutants of some modules, or of all; an exit code."""
    modules = words or list(TESTS)
    if unknown := set(modules) - TESTS.keys():
        print(f"no such module: {', '.join(sorted(unknown))}; there is {', '.join(TESTS)}")
        return 64
    with tempfile.TemporaryDirectory() as folder:
        tree = _copy(Path(folder) / "tree")
        tried = list(_attempts(tree, modules))
    scores = [_report(module, [one for one in tried if one.module == module]) for module in modules]
    return 0 if min(scores) >= LEAST else 1


def _copy(tree: Path) -> Path:
    """The tree as it is now: nobody's edits meanwhile, and nothing of it is touched."""
    names = ("buckia", "tests", "schemas", "docs", "pyproject.toml")
    junk = shutil.ignore_patterns("__pycache__", "*.pyc", "transcripts")
    tree.mkdir()
    for name in names:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tree / name, ignore=junk)
        else:
            shutil.copy(ROOT / name, tree / name)
    return tree


def _attempts(tree: Path, modules: Iterable[str]) -> Iterator[Tried]:
    workers = [_Worker(tree) for _ in range(WORKERS)]
    idle = list(workers)

    def attempt(job: dict[str, Any]) -> str:
        worker = idle.pop()
        try:
            return worker.ask(job)
        finally:
            idle.append(worker)

    try:
        limits = {module: PATIENCE * _time(workers[0], tree, module) for module in modules}
        jobs = [job for module in modules for job in _jobs(tree, module, limits[module])]
        with ThreadPoolExecutor(WORKERS) as threads:
            for job, result in zip(jobs, threads.map(attempt, jobs), strict=True):
                yield Tried(job["module"], job["line"], job["code"], job["what"], result)
    finally:
        for worker in workers:
            worker.close()


def _time(worker: _Worker, tree: Path, module: str) -> float:
    """Seconds that the tests of a module take without a mutant."""
    began = time.monotonic()
    if worker.ask(_job(tree, module, None, 600)) != "survived":
        raise SystemExit(f"the tests of {module} fail without a mutant; mend them first")
    return time.monotonic() - began


def _jobs(tree: Path, module: str, timeout: float) -> Iterator[dict[str, Any]]:
    source = (tree / "buckia" / f"{module}.py").read_text(encoding="utf-8")
    lines = source.splitlines()
    known = _equivalents(module)
    for number, mutant in enumerate(mutants(source)):
        code = _code(lines, mutant.line)
        if (code, mutant.what) not in known:
            told = {"line": mutant.line, "code": code, "what": mutant.what}
            yield {**_job(tree, module, number, timeout), **told}


def _code(lines: list[str], number: int) -> str:
    """A line of code; a short one with the line before it, or it would be one of many."""
    code = lines[number - 1].strip()
    return code if len(code) > _SHORT else f"{lines[number - 2].strip()} {code}"


def _job(tree: Path, module: str, number: int | None, timeout: float) -> dict[str, Any]:
    paths = [f"tests/{name}.py" for name in TESTS[module]]
    found = [path for path in paths if (tree / path).exists()]
    shown = bool(os.environ.get("SHOW"))
    return {
        "module": module,
        "number": number,
        "tests": found,
        "timeout": timeout,
        "shown": shown,
    }


def _equivalents(module: str) -> dict[tuple[str, str], str]:
    """Mutants that are the same program, by the line of code and the change, with the reason."""
    text = Path(__file__).with_name("equivalents.toml").read_text(encoding="utf-8")
    listed = tomllib.loads(text).get(module, [])
    return {(item["code"], item["what"]): item["why"] for item in listed}


class _Worker:
    """A process that tries one mutant after the other."""

    def __init__(self, tree: Path) -> None:
        words = [sys.executable, "-B", "-m", "tests.mutation.worker"]
        env = {**os.environ, "HYPOTHESIS_PROFILE": "mutation", "PYTHONPATH": str(tree)}
        self._process = subprocess.Popen(
            words, cwd=tree, env=env, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def ask(self, job: dict[str, Any]) -> str:
        """Try one mutant: `killed`, `late` or `survived`."""
        self._to.write(json.dumps(job) + "\n")
        self._to.flush()
        for line in self._from:
            if line.startswith("{"):
                return str(json.loads(line)["result"])
            print(line, end="")
        raise SystemExit("a worker of the mutation run ended by itself")

    @property
    def _to(self) -> IO[str]:
        assert self._process.stdin
        return self._process.stdin

    @property
    def _from(self) -> IO[str]:
        assert self._process.stdout
        return self._process.stdout

    def close(self) -> None:
        """End it."""
        self._to.close()
        self._process.wait()
        self._from.close()


def _report(module: str, tried: list[Tried]) -> float:
    survived = [one for one in tried if one.result == "survived"]
    late = sum(one.result == "late" for one in tried)
    killed = len(tried) - len(survived)
    score = 100 * killed / len(tried)
    known = len(_equivalents(module))
    print(f"buckia/{module}.py: {killed} of {len(tried)} killed, {score:.1f} %", end="")
    print(f" ({late} by running too long)" if late else "", end="")
    print(f" ({known} equivalents left out)" if known else "")
    for one in survived:
        print(one)
    return score


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
