"""What the commands promise as a whole: help, loading, interruption, failure, the tour."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess  # noqa: TID251 - a command is a process
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from buckia import __version__, documents
from buckia.cli import run, whole
from buckia.cli.commands import COMMANDS
from buckia.cli.progress import Display
from buckia.errors import UnavailableError
from buckia.model import Tick
from buckia.rules import RESERVED_PREFIX
from buckia.stores.local import LocalStore
from tests.cli.console import buckia as command
from tests.cli.transcript import tree
from tests.helpers import lock_up

COMMAND = typer.main.get_command(whole())
GROUP: dict[str, Any] = COMMAND.commands  # type: ignore[attr-defined]


@pytest.fixture
def project(workspace: Path) -> Path:
    """A project with two files that were never applied."""
    (workspace / "assets").mkdir()
    (workspace / "bucket").mkdir()
    for name in ("a.txt", "b.txt"):
        (workspace / "assets" / name).write_text(name)
    (workspace / ".buckia").write_text(
        "files:\n  provider: local\n  bucket_name: bucket\n  paths: [assets/]\n"
        "  delete_orphaned: true\n"
    )
    return workspace


# -- help ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", GROUP)
def test_every_command_and_option_is_explained(name: str) -> None:
    shown = command(name, "--help")
    assert shown.code == 0 and shown.err == ""
    assert GROUP[name].help
    for parameter in GROUP[name].params:
        assert parameter.help, f"{name} {parameter.name}"
        for option in (word for word in parameter.opts if word.startswith("-")):
            assert option in shown.out


def test_help_lists_the_commands_and_exit_codes() -> None:
    shown = command("--help")
    assert set(GROUP) == {
        "init", "validate", "plan", "show", "apply", "sync", "status", "verify", "trash",
        "unlock", "tour", "url", "auth", "purge", "doctor", "import", "promote", "gc",
        "id", "app", "pull", "why", "resolve", "log", "plan-diff", "help",
    }  # fmt: skip
    assert all(f"  {name} " in shown.out for name in GROUP)
    assert "..." not in shown.out.partition("Commands:")[2], "a first sentence is too long"
    assert re.search(r"^ +3 +conflicts", shown.out, re.MULTILINE)


def test_the_version() -> None:
    assert command("--version").out == f"buckia {__version__}\n"


HEAVY = [
    *("boto3", "botocore", "obstore", "b2sdk", "requests", "keyring"),
    *("jsonschema", "yaml", "jinja2", "sqlite3", "pathspec", "filelock", "rich", "pydantic"),
    *("buckia.project", "buckia.config", "buckia.stores", "msgspec", "hashlib"),
]

MUCH = [
    *("boto3", "botocore", "obstore", "b2sdk", "requests", "keyring"),
    *("jsonschema", "jinja2", "filelock", "rich", "pydantic"),
    *(
        "buckia.runs.doctor",
        "buckia.runs.promoting",
        "buckia.runs.pulling",
        "buckia.runs.importing",
    ),
]


def python(*words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run another Python, with these environment variables."""
    return subprocess.run(
        [sys.executable, *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **settings},
    )


def test_help_loads_next_to_nothing() -> None:
    code = (
        "import sys; from buckia.cli import run; run(['--help']); "
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert loaded.stdout.splitlines()[-1] == "[]"


def test_a_list_of_commands_is_what_their_modules_register() -> None:
    registered = {n: c.get_short_help_str(80) for n, c in GROUP.items()}
    assert [(name, COMMANDS[name].line) for name in COMMANDS] == list(registered.items())


def test_status_of_a_folder_loads_little(project: Path) -> None:
    """Neither what other providers need, nor what draws, nor what explains mistakes."""
    code = (
        "import sys; from buckia.cli import run; run(['status']); "
        f"print([name for name in {MUCH!r} if name in sys.modules])"
    )
    loaded = python("-c", code)
    assert loaded.stdout.splitlines()[-1] == "[]", loaded.stderr
    assert "2 new" in loaded.stdout


def test_it_runs_as_a_module() -> None:
    assert python("-m", "buckia", "--version").stdout == f"buckia {__version__}\n"


def complete(words: str, position: int) -> str:
    asked = {"COMP_WORDS": words, "COMP_CWORD": str(position), "_BUCKIA_COMPLETE": "complete_bash"}
    ended = python("-m", "buckia", **asked)
    assert ended.stderr == ""
    return ended.stdout


def test_shells_complete_commands_and_buckets(project: Path) -> None:
    assert "validate" in complete("buckia val", 1)
    assert "files" in complete("buckia plan f", 2)
    assert "files" in complete("buckia sync --bucket ", 3)
    (project / ".buckia").write_text("{broken")
    assert complete("buckia plan f", 2).strip() == ""


# -- plans for programs -------------------------------------------------------------------------


def test_a_piped_plan_is_the_document_itself(project: Path) -> None:
    piped = command("plan")
    assert json.loads(piped.out)["format"] == "buckia.plan"
    assert piped.err == "Plan: 2 to upload (10 bytes).\n"
    command("plan", "--out", "plan.json")
    assert (project / "plan.json").read_text() == piped.out
    assert command("apply", "-", given=piped.out).code == 0


def test_out_keeps_the_old_plan_when_planning_fails(project: Path) -> None:
    command("plan", "--out", "plan.json")
    before = (project / "plan.json").read_bytes()
    (project / "bucket").rmdir()
    assert command("plan", "--out", "plan.json").code == 8
    assert (project / "plan.json").read_bytes() == before
    assert [path.name for path in project.glob(".plan*")] == []


def test_out_follows_links_and_keeps_the_mode(project: Path) -> None:
    (project / "real.json").touch(mode=0o640)
    (project / "plan.json").symlink_to("real.json")
    assert command("plan", "--out", "plan.json", "-q").code == 0
    assert (project / "plan.json").is_symlink()
    assert (project / "real.json").stat().st_mode & 0o777 == 0o640


def test_out_writes_into_what_is_no_file(project: Path) -> None:
    assert command("plan", "--out", os.devnull, "-q").code == 0
    assert not Path(os.devnull).is_file()


def test_a_plan_of_a_later_version_can_be_shown_but_not_applied(project: Path) -> None:
    value = json.loads(command("plan").out)
    value["weather"] = "fine"
    del value["digest"]
    value["digest"] = documents.digest(value)
    (project / "plan.json").write_text(json.dumps(value))
    assert "2 to upload" in command("show", "plan.json").out
    refused = command("apply", "plan.json")
    assert (refused.code, refused.out) == (65, "") and "weather" in refused.err


# -- doubt, failure, interruption ---------------------------------------------------------------


def test_a_place_that_cannot_be_read_is_named(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert command("sync", "-q").code == 0
    (project / "assets/secret").mkdir()
    (project / "assets/a.txt").unlink()
    lock_up(monkeypatch, "assets/secret")
    ended = command("plan", "--detailed-exitcode")
    assert ended.code == 1
    assert json.loads(ended.out)["complete"] is False
    line = ended.err.splitlines()[-1]
    assert line.startswith(
        "Error: 1 place could not be read: files/secret/ (cannot be read: Permission denied); "
        "nothing is deleted"
    )
    assert command("sync", "-q").code == 1
    assert (project / "bucket/a.txt").exists()


def test_failed_actions_are_named_and_the_same_plan_resumes(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(12):
        (project / f"assets/{number:02}.txt").write_text("x")
    command("plan", "--out", "plan.json", "-q")

    def put(store: LocalStore, *args: Any, **named: Any) -> Any:
        if store.root.name == "bucket" and not args[0].key.startswith(RESERVED_PREFIX):
            raise UnavailableError("the disk is\nfull")
        return real(store, *args, **named)

    real = LocalStore.put

    with monkeypatch.context() as patch:
        patch.setattr(LocalStore, "put", put)
        failed = command("apply", "plan.json", "-q")
    lines = failed.err.splitlines()
    assert failed.code == 5 and failed.out == ""
    assert lines[0] == "  upload files/00.txt: the disk is\\u000afull"
    assert len(lines) == 12 and lines[10] == "  and 4 more"
    assert lines[11] == (
        "Error: 14 actions failed, 0 of 14 are done; run the same plan again to resume"
    )
    resumed = command("apply", "plan.json")
    assert resumed.code == 0 and resumed.err.startswith("Applied: 14 uploaded, 22 bytes in ")


@pytest.fixture
def on_tick(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Callable[[Tick], None]]]:
    """What is called with every tick instead of drawing it."""
    calls: list[Callable[[Tick], None]] = []

    def show(display: Display, tick: Tick) -> None:
        for call in calls:
            call(tick)

    monkeypatch.setattr(Display, "show", show)
    yield calls


def interrupt(number: signal.Signals, stage: str) -> Callable[[Tick], None]:
    def call(tick: Tick) -> None:
        if tick.stage == stage:
            calls.append(tick)
            if len(calls) == 1:
                os.kill(os.getpid(), number)

    calls: list[Tick] = []
    return call


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_an_apply_saved(
    project: Path, on_tick: list[Callable[[Tick], None]], number: signal.Signals
) -> None:
    command("plan", "--out", "plan.json", "-q")
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    on_tick.append(interrupt(number, "apply"))
    ended = command("apply", "plan.json")
    assert ended.code == 130
    assert "what was done is saved; run the same plan again to resume" in ended.err
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == handlers
    assert command("apply", "plan.json", "-q").code == 0
    assert command("plan", "--detailed-exitcode", "-q", "--out", "plan.json").code == 0


@pytest.mark.parametrize("stage", ["list", "hash"])
def test_a_signal_ends_a_plan_at_once(
    project: Path, on_tick: list[Callable[[Tick], None]], stage: str
) -> None:
    before = tree(project)
    on_tick.append(interrupt(signal.SIGINT, stage))
    ended = command("plan")
    assert (ended.code, ended.out) == (130, "")
    assert ended.err == "Error: interrupted; nothing was changed\n"
    assert tree(project) == before


def test_a_signal_while_the_plan_is_checked_changes_nothing(
    project: Path, on_tick: list[Callable[[Tick], None]]
) -> None:
    before = tree(project)
    on_tick.append(interrupt(signal.SIGTERM, "preflight"))
    ended = command("sync", "-q")
    assert ended.code == 130
    made = tree(project).keys() - before.keys() - {".buckia.lock"}
    assert all(f"{name}/".startswith("bucket/.buckia/") for name in made)  # the lease's own
    assert command("sync", "-q").code == 0


def test_a_signal_ends_the_wait_for_a_server_that_does_not_answer(project: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        (project / ".buckia").write_text(
            "files: {provider: s3, bucket_name: silent-bucket, region: us-east-1, api_key: key,\n"
            f"  password: secret, domain: 'http://127.0.0.1:{port}', paths: [assets/]}}\n"
        )
        words = [sys.executable, "-m", "buckia", "plan"]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            connection, _ = server.accept()
            with connection:
                process.send_signal(signal.SIGINT)
                out, err = process.communicate()
    assert (process.returncode, out) == (130, b"")
    assert err.strip().endswith(b"Error: interrupted; nothing was changed")


def test_a_second_signal_leaves_at_once() -> None:
    code = (
        "import os, signal\n"
        "from buckia.cli.signals import Stop\n"
        "stop = Stop()\n"
        "with stop.heard(), stop.changing():\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    print('still here', flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    print('still here', flush=True)\n"
    )
    ended = python("-c", code)
    assert (ended.returncode, ended.stdout) == (130, "still here\n")
    assert "Again to leave at once" in ended.stderr


def test_nobody_reading_is_no_error(project: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(
        [sys.executable, "-m", "buckia", "plan", "-q"],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (1, "")


# -- the log ------------------------------------------------------------------------------------


def test_the_log_goes_where_it_is_wanted(project: Path) -> None:
    (project / "assets/two\nlines").write_text("skipped")
    told = command("sync", "-v", "--log-file", "log.txt")
    assert "configuration: .buckia" in told.err
    assert "upload files/a.txt: done" in told.err
    lines = (project / "log.txt").read_text().splitlines()
    stamp = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (INFO|DEBUG) buckia[.\w]*: "
    assert lines and all(re.match(stamp, line) for line in lines)
    assert "configuration" not in command("sync").err


def test_quiet_is_quiet(project: Path) -> None:
    ended = command("sync", "--quiet")
    assert (ended.code, ended.out, ended.err) == (0, "", "")


# -- the tour -----------------------------------------------------------------------------------


def test_the_tour(workspace: Path) -> None:
    toured = command("tour")
    assert toured.code == 0
    ran = [line for line in toured.out.splitlines() if line.startswith("$ ")]
    assert [line.split()[2] for line in ran] == (
        ["validate", "plan", "show", "apply", "plan", "plan", "show", "apply", "status"]
    )
    pictures = {
        path: data
        for path, data in tree(workspace / "buckia-tour").items()
        if data is not None and path.endswith(".png") and "/.buckia/" not in path
    }
    assert len(pictures) == 2 * 4
    assert all(data.startswith(b"\x89PNG") for data in pictures.values())
    folders = {path.split("/")[2] for path in pictures}
    assert len(folders) == 2 and all(re.fullmatch(r"[0-9A-Za-z]{22,}", it) for it in folders)
    assert "nothing to do, 6 files unchanged" in toured.err
    assert "1 to move" in toured.err and "1 to download" in toured.err
    assert "buckia-tour/" in toured.out.rpartition("$ ")[2]
    assert Path.cwd() == workspace


def test_the_tour_in_a_pipeline(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It plays an admin's computer wherever it runs, and leaves the environment as it is."""
    monkeypatch.setenv("CI", "true")
    assert command("tour").code == 0
    assert os.environ["CI"] == "true"


def test_the_tour_keeps_out_of_folders_with_content(workspace: Path) -> None:
    (workspace / "mine").mkdir()
    (workspace / "mine/thing").touch()
    before = tree(workspace)
    ended = command("tour", "mine")
    assert (ended.code, ended.out, tree(workspace)) == (64, "", before)
    assert ended.err.startswith("Error: mine is not empty")
    (workspace / "empty").mkdir()
    assert command("tour", "empty").code == 0


def test_the_tour_minds_its_own_configuration(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUCKIA_CONFIG", str(project / ".buckia"))
    assert run(["tour", "there"]) == 0
    assert os.environ["BUCKIA_CONFIG"] == str(project / ".buckia")
    assert list((project / "bucket").iterdir()) == []
