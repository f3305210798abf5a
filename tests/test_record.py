"""The record of applies: what journals keep, how long, where else, and how it is told."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from buckia import journal, pipelines
from buckia.documents import schema
from buckia.errors import DocumentError
from buckia.journal import Origin
from buckia.lockfile import BucketState
from buckia.model import Entry, Op, Outcome
from buckia.records import audit, logbook
from buckia.stores.local import LocalStore
from tests.cli.conftest import workspace as workspace
from tests.cli.console import buckia
from tests.helpers import World

SECRET = "tok-4Jx8sWq2Vb7nRm5Kd9Yc"


@pytest.fixture
def folder(workspace: Path) -> Path:
    """A project with a bucket that keeps the audit log, and a configured secret."""
    (workspace / ".buckia").write_text(
        "files:\n  provider: local\n  bucket_name: bucket\n  paths: [assets/]\n  audit: true\n"
        f"other:\n  provider: bunny\n  bucket_name: zone\n  password: {SECRET}\n"
        "  paths: [more/]\n"
    )
    for name in ("assets", "bucket"):
        (workspace / name).mkdir()
    (workspace / "assets/a.txt").write_text("one")
    return workspace


def apply(*words: str) -> list[dict[str, Any]]:
    """The events of an apply of the bucket `files`, each held against the schema."""
    assert buckia("plan", "files", "--out", "plan.json", "-q").code == 0
    ended = buckia("apply", "plan.json", "--json", *words)
    events = [json.loads(line) for line in ended.out.splitlines()]
    for event in events:
        Draft202012Validator(schema("events")).validate(event)
    assert events[-1]["code"] == ended.code
    return events


def runs(*words: str) -> list[dict[str, Any]]:
    document = json.loads(buckia("log", "--json", *words).out)
    Draft202012Validator(schema("log")).validate(document)
    found: list[dict[str, Any]] = document["runs"]
    return found


# -- who -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "approver", "run"),
    [
        ({}, "", None),
        ({"GITHUB_ACTOR": "somebody's shell"}, "", None),
        (
            {
                "GITHUB_ACTIONS": "true",
                "GITHUB_ACTOR": "pusher",
                "GITHUB_TRIGGERING_ACTOR": "rerunner",
                "GITHUB_RUN_ID": "7",
                "GITHUB_REPOSITORY": "a/b",
            },
            "rerunner",
            "https://github.com/a/b/actions/runs/7",
        ),
        ({"GITHUB_ACTIONS": "true", "GITHUB_ACTOR": "pusher"}, "pusher", None),
        (
            {"GITLAB_CI": "true", "GITLAB_USER_LOGIN": "clicker", "CI_JOB_URL": "https://x/1"},
            "clicker",
            "https://x/1",
        ),
        (
            {"BUILDKITE": "true", "BUILDKITE_UNBLOCKER": "u", "BUILDKITE_BUILD_URL": "https://y"},
            "u",
            "https://y",
        ),
        ({"CIRCLECI": "true", "CIRCLE_USERNAME": "c"}, "c", None),
        ({"TF_BUILD": "True", "BUILD_REQUESTEDFOR": "z"}, "z", None),
        ({"JENKINS_URL": "j", "BUILD_USER_ID": "k", "BUILD_URL": "https://j"}, "k", "https://j"),
        ({"GITLAB_CI": "1", "GITLAB_USER_LOGIN": "a", "BUCKIA_APPROVER": "board"}, "board", None),
    ],
)
def test_build_services_tell_who_and_where(
    environ: dict[str, str], approver: str, run: str | None
) -> None:
    assert (pipelines.approver(environ), pipelines.run(environ)) == (approver, run)


def test_every_service_is_in_the_documentation() -> None:
    page = (Path(__file__).parent.parent / "docs/operating.md").read_text()
    for service in pipelines.SERVICES:
        named = " or ".join(f"`{name}`" for name in service.people)
        assert f"| {service.name} | {named} |" in page
    assert f"`{pipelines.APPROVER}`" in page


# -- what ------------------------------------------------------------------------------------------


def test_an_apply_keeps_who_where_when_and_what(folder: Path) -> None:
    os.environ["BUCKIA_APPROVER"] = "the board"
    apply()
    (run,) = runs("1")
    assert (run["ended"], run["approver"], run["serials"]) == ("done", "the board", {"files": 1})
    assert run["who"]
    assert run["host"]
    assert run["plan"] == json.loads(Path("plan.json").read_text())["digest"]
    assert (run["counts"], run["failed"], run["bytes"]) == ({"upload": 1}, 0, 3)
    assert run["seconds"] >= 0
    assert run["outcomes"] == [
        {"op": "upload", "bucket": "files", "key": "a.txt", "done": True, "size": 3}
    ]
    told = buckia("log", "1").out
    assert "  approver the board\n" in told
    assert "ok  upload  a.txt  3 bytes" in told
    assert re.search(r"files 1  \S+@\S+  done    1 uploaded, 3 bytes\n", buckia("log").out)


def test_what_failed_is_in_the_record(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "assets/b.txt").write_text("two")
    real = LocalStore.put

    def put(store: LocalStore, entry: Entry, *rest: Any, **more: Any) -> Entry:
        if entry.key == "b.txt":
            raise DocumentError(f"the service repeats the secret {SECRET}")
        return real(store, entry, *rest, **more)

    monkeypatch.setattr(LocalStore, "put", put)
    events = apply()
    assert [event["event"] for event in events] == ["start", "outcome", "outcome", "end"]
    assert (events[-1]["code"], events[-1]["done"], events[-1]["failed"]) == (5, 1, 1)
    (run,) = runs()
    assert (run["ended"], run["failed"]) == ("failed", 1)
    assert "not all was done" in buckia("log", "1").out


def test_an_apply_that_does_not_begin_ends_its_stream(folder: Path) -> None:
    assert buckia("plan", "files", "--out", "plan.json", "-q").code == 0
    (folder / "assets/a.txt").write_text("changed since")
    ended = buckia("apply", "plan.json", "--json")
    events = [json.loads(line) for line in ended.out.splitlines()]
    assert [event["event"] for event in events] == ["start", "end"]
    assert (events[-1]["code"], ended.code) == (4, 4)
    assert "stale" in events[-1]["error"]
    assert runs() == []


def test_no_secret_gets_into_any_of_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the events, nor the log in JSON, nor the record, nor its copy in the bucket."""

    real = LocalStore.put

    def put(store: LocalStore, entry: Entry, *rest: Any, **more: Any) -> Entry:
        if entry.key == "a.txt":
            raise DocumentError(f"refused: {SECRET}")
        return real(store, entry, *rest, **more)

    monkeypatch.setattr(LocalStore, "put", put)
    assert buckia("plan", "files", "--out", "plan.json", "-q").code == 0
    words = ("--json", "-vv", "--log-format", "json", "--log-file", "log.jsonl")
    ended = buckia("apply", "plan.json", *words)
    assert ended.code == 5
    assert SECRET not in ended.out
    told = [buckia("log").out, buckia("log", "--json").out]
    told += [path.read_text() for path in folder.glob(".buckia.d/journal/*")]
    told += [path.read_text() for path in folder.glob("bucket/.buckia/audit/*")]
    told += [Path("log.jsonl").read_text()]
    assert len(told) == 5
    assert not any(SECRET in text for text in told)


def test_the_log_is_json_on_demand(folder: Path) -> None:
    (folder / "assets/b\nc.txt").write_text("odd name")
    words = ("-v", "--log-format", "json", "--log-file", "log.jsonl")
    ended = buckia("sync", "files", "-q", *words)
    assert ended.code == 0
    for text in (ended.err, Path("log.jsonl").read_text()):
        lines = [json.loads(line) for line in text.splitlines()]
        assert lines
        assert all(set(line) == {"at", "level", "logger", "message"} for line in lines)
        assert "upload files/a.txt: done" in [line["message"] for line in lines]


# -- how long, and where else ----------------------------------------------------------------------


def test_the_bucket_keeps_a_copy_of_each_journal(folder: Path) -> None:
    apply()
    (folder / "assets/a.txt").write_text("two")
    apply()
    copies = sorted((folder / "bucket/.buckia/audit").iterdir())
    journals = sorted((folder / ".buckia.d/journal").iterdir())
    assert [path.read_bytes() for path in copies] == [path.read_bytes() for path in journals]
    assert [path.name[:7] for path in copies] == ["000001-", "000002-"]
    assert buckia("plan", "files", "--detailed-exitcode", "-q", "--out", "p.json").code == 0


def test_a_copy_is_never_written_over(tmp_path: Path) -> None:
    from buckia.hygiene import CARELESS

    store = LocalStore(tmp_path)
    for number in (1, 2, 3):
        (tmp_path / "j.jsonl").write_text(f"{number}\n")
        audit.copy(tmp_path / "j.jsonl", 7, "sha256:abc", [store], CARELESS)
    found = sorted((tmp_path / ".buckia/audit").iterdir(), key=lambda path: path.read_text())
    assert [path.name for path in found] == [
        "000007-abc.jsonl",
        "000007-abc-2.jsonl",
        "000007-abc-3.jsonl",
    ]


def test_a_copy_that_fails_is_no_failure(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = LocalStore.put

    def put(store: LocalStore, entry: Entry, *rest: Any, **more: Any) -> Entry:
        if entry.key.startswith(audit.PREFIX):
            raise DocumentError("no")
        return real(store, entry, *rest, **more)

    monkeypatch.setattr(LocalStore, "put", put)
    assert buckia("plan", "files", "--out", "plan.json", "-q").code == 0
    ended = buckia("apply", "plan.json")
    assert ended.code == 0
    assert "the audit log was not copied there: no" in ended.err


def _written(folder: Path, number: int, *, finished: bool) -> Path:
    state = BucketState("lineage", number, "sha256:0", None, False, {})
    log = journal.start(folder, f"sha256:{number:012}", {"main": Origin(state.ref, "lineage")})
    entry = Entry("a", 1, sha256="0" * 64)
    log.record([Outcome("id", Op.UPLOAD, "main", "a", True, entry)])
    if finished:
        log.finish(serials={"main": number + 1})
    log.close()
    return log.path


def test_old_journals_go_by_count_and_age(tmp_path: Path) -> None:
    """The one that no lockfile holds stays, and so does the newest, however old."""
    paths = [_written(tmp_path, number, finished=number != 2) for number in range(1, 7)]
    for path in paths:
        os.utime(path, (1_000_000, 1_000_000))
    now = 1_000_100.0
    assert journal.rotate(tmp_path, 10, 101, now) == []
    assert journal.rotate(tmp_path, 4, None, now) == [paths[0].name]
    assert journal.rotate(tmp_path, 4, 99, now) == [path.name for path in paths[2:5]]
    assert sorted(tmp_path.iterdir()) == [paths[1], paths[5]]
    assert int(_written(tmp_path, 7, finished=True).name[:6]) == 7


def test_an_apply_lets_old_journals_go(tmp_path: Path) -> None:
    world = World(tmp_path)
    config = world.config
    object.__setattr__(config.settings, "journal_count", 2)
    try:
        for number in range(4):
            world.write("a", b"%d" % number)
            world.apply(world.plan())
        left = sorted(path.name[:6] for path in (world.root / ".buckia.d/journal").iterdir())
        assert left == ["000003", "000004"]
    finally:
        object.__setattr__(config.settings, "journal_count", 1000)


def test_runs_that_were_cut_are_told_apart(tmp_path: Path) -> None:
    whole = _written(tmp_path, 1, finished=True)
    cut = _written(tmp_path, 2, finished=False)
    journal.finish([journal.read(cut)])
    under_way = _written(tmp_path, 3, finished=False)
    found = list(logbook.runs(map(journal.read, (whole, cut, under_way))))
    assert [run.ended for run in found] == ["done", "cut", "open"]
    assert [run.serials for run in found] == [{"main": 2}, {"main": 2}, {"main": 3}]
    assert [run.number for run in logbook.of_serial(found, 2, "main")] == [1, 2]
    assert logbook.about(found, "other") == []


def test_a_serial_that_nobody_left_is_a_mistake(folder: Path) -> None:
    apply()
    ended = buckia("log", "7")
    assert (ended.code, ended.out) == (64, "")
    assert "`buckia log` lists" in ended.err
    assert buckia("log", "--bucket", "nope").code == 78
    assert buckia("log", "1", "--bucket", "files").code == 0
