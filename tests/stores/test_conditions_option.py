"""`conditions` in the configuration: what is relied on is what it says, on every machine alike."""

from __future__ import annotations

import io
import os
import signal
import subprocess  # noqa: TID251  (a process to interrupt)
import sys
from pathlib import Path

import pytest

from buckia import BucketConfig
from buckia.config import Config, InvalidConfig
from buckia.config import file as config_file
from buckia.connect import open_remote
from buckia.errors import PreconditionError
from buckia.model import Entry
from buckia.project import Project
from buckia.stores.hashing import HashCache
from buckia.stores.probe import Verdict
from tests.servers.lying_s3 import Answer, Request, serve_lies
from tests.servers.mannered_s3 import MannerlyS3


def bucket(endpoint: str, conditions: list[str] | None, **options: object) -> BucketConfig:
    given: dict[str, object] = {"region": "us-east-1", "api_key": "a", "password": "b", **options}
    return BucketConfig(
        provider="s3",
        bucket_name="b",
        name="main",
        domain=endpoint,
        conditions=conditions,
        **given,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("said", [None, [], ["create"], ["delete", "create", "replace"]])
def test_what_is_said_is_relied_on(said: list[str] | None, tmp_path: Path) -> None:
    """By the store, and for whoever reads the plan; where nothing is said, by what is known."""
    (tmp_path / "a").write_text("1")
    with serve_lies(MannerlyS3()) as server:
        config = Config(tmp_path, None, {"main": bucket(server.endpoint, said)})
        with Project(config) as project:
            plan = project.plan()
            told = project.remote("main").capabilities
    names = set(said or ())
    assert told.create_if_absent == ("create" in names)
    assert told.replace_if_match == ("replace" in names)
    assert told.delete_if_match == ("delete" in names)
    guards = plan.buckets["main"].guards
    assert (guards.create, guards.replace) == tuple(
        "atomic" if name in names else "checked" for name in ("create", "replace")
    )


def test_a_plan_made_under_another_word_is_not_applied(tmp_path: Path) -> None:
    """What a plan promises of a service is part of what was reviewed."""
    one, same = bucket("http://x", ["replace", "create"]), bucket("http://x", ["create", "replace"])
    assert one.identity() == same.identity()
    others = [bucket("http://x", said).identity() for said in (None, [], ["create"])]
    assert one.identity() not in others and others[0] != others[1]
    assert "conditions" not in others[0]


LAX = {"replace": Verdict.IGNORED}


@pytest.mark.parametrize(
    ("manners", "said", "proved"),
    [
        ({}, None, (True, True)),
        ({}, ["create"], (True, False)),
        ({}, ["replace"], (False, True)),
        ({}, [], (False, False)),
        (LAX, None, (True, False)),
        (LAX, ["replace"], (False, False)),
    ],
)
def test_what_a_probe_finds_adds_nothing_to_what_is_said(
    manners: dict[str, Verdict], said: list[str] | None, proved: tuple[bool, bool], tmp_path: Path
) -> None:
    """A lease tries what a service does; a word against it stays a word against it."""
    with serve_lies(MannerlyS3(manners=manners)) as server:
        store = open_remote(bucket(server.endpoint, said), tmp_path, HashCache())
        found = store.prove()  # type: ignore[attr-defined]
        assert (found.create_if_absent, found.replace_if_match) == proved
        store.close()


def test_who_relies_on_a_condition_sends_it(tmp_path: Path) -> None:
    """And does not look first."""
    service = MannerlyS3()
    with serve_lies(service) as server:
        store = open_remote(bucket(server.endpoint, ["create"]), tmp_path, HashCache())
        store.put(Entry("k", 1), io.BytesIO(b"1"), replacing=None)
        assert service.calls["HeadObject"] == 0
        with pytest.raises(PreconditionError):
            store.put(Entry("k", 1), io.BytesIO(b"2"), replacing=None)
        store.close()


def test_the_option_is_judged_as_every_other(tmp_path: Path) -> None:
    """In a file and from Python."""
    path = tmp_path / ".buckia"
    path.write_text("main: {provider: s3, bucket_name: b, conditions: [create, cerate]}\n")
    (finding,) = config_file.check(path)
    assert "allowed: create, replace, delete" in finding.message
    path.write_text("main: {provider: s3, bucket_name: b, conditions: []}\n")
    assert config_file.load(path).buckets["main"].conditions == ()
    path.write_text("main: {provider: s3, bucket_name: b}\n")
    assert config_file.load(path).buckets["main"].conditions is None
    with pytest.raises(InvalidConfig):
        bucket("http://x", ["create", "create"])


def test_doctor_is_interrupted_and_leaves_nothing(tmp_path: Path) -> None:
    """Ctrl-C in the midst of a copy: the scratch objects go, and then the command."""
    service = MannerlyS3()
    child: list[subprocess.Popen[str]] = []

    def script(request: Request) -> Answer:
        if "x-amz-copy-source" in request.headers and child:
            os.kill(child[0].pid, signal.SIGINT)
        return service(request)

    with serve_lies(script) as server:
        (tmp_path / ".buckia").write_text(
            f"main: {{provider: s3, bucket_name: b, domain: '{server.endpoint}', region: x, "
            "api_key: a, password: b}\n"
        )
        started = subprocess.Popen(
            [sys.executable, "-c", _HELD, "doctor", "--probe", "--json"],
            cwd=tmp_path,
            env={"HOME": str(tmp_path), "PATH": "/usr/bin"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        child.append(started)
        out, err = started.communicate("go\n", timeout=60)
    assert (started.returncode, out) == (130, "")
    assert "Error: interrupted; the scratch objects were deleted" in err
    assert service.calls["PutObject"] and (service.objects, service.uploads) == ({}, {})


_HELD = "import sys; input(); from buckia.cli import main; main()"
"""Begins once its process id is known."""
