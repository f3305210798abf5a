"""`buckia doctor` without a probe: this machine, the way to each bucket, and nothing changed."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from jsonschema import Draft202012Validator

from buckia.cli import show_doctor
from buckia.documents import schema
from buckia.errors import BuckiaError, Interrupted
from buckia.runs.doctor import Check, Report, State, there
from buckia.runs.doctor.findings import exit_code
from tests.cli.console import Ended, buckia
from tests.cli.transcript import tree
from tests.helpers import World
from tests.keyrings import InMemory, using
from tests.servers.bunny import Bunny, serve_bunny
from tests.servers.lying_s3 import serve_lies
from tests.servers.mannered_s3 import MannerlyS3

SECRET = "hunter2-K00xyz"


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a bucket that is a directory, and nothing from outside."""
    monkeypatch.chdir(tmp_path)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "BUCKIA_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    (tmp_path / "tree").mkdir()
    (tmp_path / "bucket").mkdir()
    configure("main: {provider: local, bucket_name: bucket, paths: [tree/]}")
    with using(InMemory()):
        yield tmp_path


def configure(text: str) -> None:
    Path(".buckia").write_text(text + "\n")


def s3(endpoint: str, *options: str) -> str:
    said = ("provider: s3", "bucket_name: b", f"domain: '{endpoint}'", "region: us-east-1")
    keys = ("api_key: access", f"password: {SECRET}", "paths: [tree/]")
    return f"main: {{{', '.join((*said, *keys, *options))}}}"


def told(*words: str) -> tuple[Ended, dict[tuple[str | None, str], dict[str, object]]]:
    """What doctor says, by bucket and check; its document fits the schema and holds no secret."""
    ended = buckia("doctor", "--json", *words)
    assert SECRET not in ended.out + ended.err
    read = json.loads(ended.out)
    Draft202012Validator(schema("doctor")).validate(read)
    return ended, {(item["bucket"], item["check"]): item for item in read["checks"]}


def test_all_is_well(machine: Path) -> None:
    """And nothing is changed by looking."""
    before = tree(machine)
    ended, found = told()
    assert (ended.code, ended.err) == (0, "All is well.\n")
    assert [name for _, name in found] == [
        *("configuration", "folder", "lockfile", "journal"),
        *("paths", "listing"),
    ]
    assert {item["state"] for item in found.values()} == {"ok"}
    assert tree(machine) == before and not (machine / ".buckia.d").exists()


def test_a_warning_of_the_configuration_is_a_note() -> None:
    """Which needs no exit code."""
    configure("main: {provider: local, bucket_name: bucket, paths: [tree/], folders: [abc]}")
    ended, found = told()
    assert ended.code == 0 and ended.err == "1 note.\n"
    assert found[None, "configuration"]["told"] == "valid, 1 bucket, 1 warning"


def test_an_invalid_configuration_is_the_usual_error() -> None:
    """There is nothing to examine then."""
    configure("main: {provider: local}")
    ended = buckia("doctor")
    assert (ended.code, ended.out, ended.err.count("\n")) == (78, "", 1)
    assert buckia("doctor", "nope").code == 78


def test_a_damaged_lockfile_is_told_with_its_code() -> None:
    """And everything else is looked at all the same."""
    Path(".buckia.lock").write_text("<<<<<<< ours\n")
    ended, found = told()
    assert ended.code == 65 and found[None, "lockfile"]["state"] == "bad"
    assert found["main", "listing"]["state"] == "ok"


def test_a_run_that_was_cut_short_is_told(tmp_path: Path) -> None:
    """With the way to go on."""
    world = World(tmp_path / "world", {"main": None})
    world.write("a", b"1")
    with world.open() as project:
        project.apply(project.plan())
        for path in (project.work / "journal").iterdir():
            lines = path.read_text().splitlines(keepends=True)
            path.write_text("".join(lines[:-1]))
        report = next(iter(project.examine()))
    (check,) = [check for check in report.checks if check.name == "journal"]
    assert (check.state, check.told) == (State.NOTE, "a run was cut short")
    lock = next(check for check in report.checks if check.name == "lockfile")
    assert lock.told == "in order: main at serial 1"


def test_what_cannot_be_written_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of the configuration, and local folders where something may arrive."""
    access = os.access

    def refuse(path: Path, mode: int) -> bool:
        return not mode & os.W_OK and access(path, mode)

    monkeypatch.setattr(os, "access", refuse)
    ended, found = told()
    assert ended.code == 1
    assert found[None, "folder"]["told"] == "the folder of the configuration is not writable"
    assert found["main", "paths"]["told"] == "tree/ cannot be written"
    monkeypatch.setattr(os, "access", lambda path, mode: mode == os.F_OK)
    assert told()[1]["main", "paths"]["told"] == "tree/ cannot be read"


def test_a_folder_that_is_not_there_yet_is_a_note() -> None:
    Path("tree").rmdir()
    assert told()[1]["main", "paths"]["state"] == "note"


def test_a_bucket_out_of_reach_ends_with_8() -> None:
    """What is beyond it is not tried; the other buckets are."""
    configure(
        s3("http://127.0.0.1:1") + "\nother: {provider: local, bucket_name: bucket, paths: [tree/]}"
    )
    ended, found = told("--probe")
    assert ended.code == 8
    assert found["main", "credentials"]["told"] == (
        "from `api_key` and `password` of the configuration"
    )
    assert found["main", "endpoint"]["state"] == "bad"
    assert "no connection; check `domain`" in str(found["main", "endpoint"]["told"])
    assert ("main", "listing") not in found and found["other", "delete"]["state"] == "ok"


@pytest.mark.parametrize(
    ("ours", "state", "way", "code"),
    [
        (1.0, "ok", "", 0),
        (-60.0, "note", "behind", 0),
        (3600.0, "bad", "ahead", 1),
    ],
)
def test_a_clock_that_is_wrong_is_told(
    ours: float, state: str, way: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the service's own time."""
    clock = SimpleNamespace(time=lambda: time.time() + ours, perf_counter=time.perf_counter)
    monkeypatch.setattr(there, "time", clock)
    monkeypatch.setattr(there, "_EXACT", 20.0)
    with serve_lies(MannerlyS3()) as server:
        configure(s3(server.endpoint))
        ended, found = told()
    clock_check = found["main", "clock"]
    assert (clock_check["state"], ended.code) == (state, code)
    seen = re.fullmatch(r"this computer is (\d+) s (\w+)", str(clock_check["told"]))
    assert seen if way else clock_check["told"] == "as the service's"
    if seen:
        assert seen[2] == way and abs(int(seen[1]) - abs(ours)) < 20


def test_the_bucket_without_its_secret_is_told() -> None:
    """Where it was looked for is, too."""
    configure(
        "a: {provider: bunny, bucket_name: x, password: '${NOWHERE}', paths: [tree/]}\n"
        "b: {provider: bunny, bucket_name: x, token: it, paths: [tree/]}"
    )
    ended, found = told()
    assert ended.code == 8
    assert "environment variable not set: NOWHERE" in str(found["a", "credentials"]["told"])
    assert "BUCKIA_TOKEN_IT, `it` in the keyring" in str(found["b", "credentials"]["told"])


@pytest.fixture
def bunny() -> Iterator[Bunny]:
    with serve_bunny() as server:
        yield server


def test_refused_is_not_out_of_reach(bunny: Bunny) -> None:
    """The endpoint answers; the password is wrong."""
    zone = bunny.make_zone()
    configure(
        f"main: {{provider: bunny, bucket_name: {zone.name}, password: {SECRET}, "
        f"domain: '{bunny.endpoint}', paths: [tree/]}}"
    )
    ended, found = told()
    assert ended.code == 8
    assert [found["main", name]["state"] for name in ("endpoint", "listing")] == ["ok", "bad"]


def test_auth_test_asks_once_and_says_what_works(
    bunny: Bunny, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a bucket or by the name of a credential; what fails ends with its error."""
    zone = bunny.make_zone()
    monkeypatch.setenv("BUCKIA_TOKEN_ZONE", zone.password)
    options = f"domain: '{bunny.endpoint}', paths: [tree/]"
    configure(
        f"one: {{provider: bunny, bucket_name: {zone.name}, token: zone, {options}}}\n"
        f"two: {{provider: bunny, bucket_name: nope, token: zone, {options}}}\n"
        "here: {provider: local, bucket_name: bucket, paths: [tree/]}"
    )
    done = buckia("auth", "test", "one")
    assert (done.code, done.out) == (0, "")
    assert done.err == "one: signed in from BUCKIA_TOKEN_ZONE; it may list\n"
    both = buckia("auth", "test", "zone")
    first, second, error = both.err.splitlines()
    assert both.code == 8 and first == done.err.rstrip() and second.startswith("two: ")
    assert error.startswith("Error: listing of bunny://nope/.buckia/probe/: refused (401)")
    assert "needs no credential" in buckia("auth", "test", "here").err
    assert buckia("auth", "test", "nothing").code == 64


def test_the_exit_code_is_that_of_the_worst() -> None:
    """Out of reach before all else."""

    def report(*codes: int) -> Report:
        return Report("a", checks=tuple(Check("x", State.BAD, "", code=code) for code in codes))

    assert [exit_code([report(*codes)]) for codes in ((), (0,), (1, 65), (65, 8, 1))] == [
        0,
        0,
        1,
        8,
    ]
    assert BuckiaError.exit_code == 1


def test_what_is_shown_can_be_read() -> None:
    """States in front, advice below; names cannot deceive."""
    checks = (
        Check("clock", State.BAD, "late\x1b[2J", "set it", code=1),
        Check("if create", State.NOTE, "ignored"),
    )
    found = [Report(None, checks=checks[1:]), Report("a", "s3", "s3://b", checks)]
    from io import StringIO

    from buckia.cli.planning import draw

    draw(show_doctor.view(found), page := StringIO())
    assert page.getvalue() == (
        "here\n  note  if create  ignored\n\na  s3 s3://b\n"
        "  bad   clock      late\\u001b[2J\n                   set it\n"
        "  note  if create  ignored\n"
    )
    assert show_doctor.line(found) == "1 thing to mend, 2 notes."


def test_what_is_told_is_scrubbed(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever an error says: no secret, no whole path."""

    def look(*_: object) -> Iterator[Check]:
        yield Check("x", State.NOTE, f"{SECRET} in {machine}/tree/a")

    configure(s3("http://127.0.0.1:1"))
    monkeypatch.setattr(there, "look", look)
    _, found = told()
    assert found["main", "x"]["told"] == "(hidden) in tree/a"


def test_a_signal_before_anything_was_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ends it as every look ends."""

    def interrupt(*_: object, **__: object) -> Iterator[Report]:
        raise Interrupted("interrupted; the scratch objects were deleted")

    monkeypatch.setattr("buckia.project.Project.examine", interrupt)
    assert buckia("doctor", "--probe").code == 130
