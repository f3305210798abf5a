"""The pipelines of examples/ci: their shell steps, run against moto and a server that answers as
GitHub's and GitLab's do."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess  # noqa: TID251  (the shell steps of a pipeline)
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl

import pytest
import yaml

from tests.servers.moto import serve_moto
from tests.servers.s3 import S3Server

EXAMPLE: Final = Path(__file__).parent.parent / "examples" / "ci"
PIPELINES: Final = (".github/workflows/buckia.yml", ".gitlab-ci.yml")
FOLDER: Final = "0A4QEZFCJoP7qjOZH1JEHi"
OTHER: Final = f"sha256:{'0' * 64}"


class Forge(ThreadingHTTPServer):
    """One pull request with its comments; a whole page is somebody's who plays the pipeline."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        forged = f"<!-- buckia plan {OTHER} -->"
        self.comments: list[dict[str, Any]] = [
            {"id": number, "body": forged, "user": {"login": "mallory"}, "author": {"id": 1}}
            for number in range(100, 200)
        ]
        self.writes: list[str] = []

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    """What the scripts ask of either service."""

    server: Forge

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        if path.endswith("/user"):
            self._say({"id": 7})
        elif path.endswith(("/commits/abc/pulls", "/commits/abc/merge_requests")):
            self._say([{"number": 5, "iid": 5}])
        elif path in ("/repos/o/r/issues/5/comments", "/projects/3/merge_requests/5/notes"):
            asked = {name: int(value) for name, value in parse_qsl(query)}
            end = asked["per_page"] * asked["page"]
            self._say(self.server.comments[end - asked["per_page"] : end])
        else:
            self.send_error(404)

    def do_POST(self) -> None:
        mine = {"user": {"login": "github-actions[bot]"}, "author": {"id": 7}}
        self.server.comments.append({"id": 2, "body": self._body(), **mine})
        self._written()

    def do_PATCH(self) -> None:
        number = int(self.path.rpartition("/")[2])
        (found,) = [item for item in self.server.comments if item["id"] == number]
        found["body"] = self._body()
        self._written()

    do_PUT = do_PATCH  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""

    def _body(self) -> str:
        length = int(self.headers["Content-Length"])
        return str(json.loads(self.rfile.read(length))["body"])

    def _written(self) -> None:
        self.server.writes.append(self.command)
        self._say({})

    def _say(self, value: object) -> None:
        data = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@dataclass
class Runner:
    """A checkout, and what is in its environment."""

    folder: Path
    env: dict[str, str]

    def run(self, *words: str, code: int = 0, **env: str) -> str:
        """Run a command here, and say what it printed."""
        done = subprocess.run(
            words,
            cwd=self.folder,
            env={**self.env, **env},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, (words, done)
        return done.stdout + done.stderr


@pytest.fixture
def forge() -> Iterator[Forge]:
    with Forge() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def cloud(tmp_path: Path, forge: Forge) -> Iterator[tuple[S3Server, dict[str, str]]]:
    """A server, and the environment of a runner."""
    with serve_moto() as server:
        yield (
            server,
            {
                "AWS_ACCESS_KEY_ID": server.access_key,
                "AWS_SECRET_ACCESS_KEY": server.secret_key,
                "AWS_ENDPOINT_URL_S3": server.endpoint,
                "AWS_EC2_METADATA_DISABLED": "true",
                "HOME": str(tmp_path),
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                "GITHUB_API_URL": forge.url,
                "GITHUB_REPOSITORY": "o/r",
                "GITHUB_TOKEN": "t",
                "GITHUB_SHA": "abc",
                "PULL_REQUEST": "5",
                "CI_API_V4_URL": forge.url,
                "CI_PROJECT_ID": "3",
                "CI_MERGE_REQUEST_IID": "5",
                "CI_COMMIT_SHA": "abc",
                "GITLAB_TOKEN": "t",
            },
        )


def keys(server: S3Server, bucket: str) -> list[str]:
    """What a bucket holds, without what buckia keeps for itself."""
    found = server.client.list_objects_v2(Bucket=bucket).get("Contents", [])
    return [item["Key"] for item in found if not item["Key"].startswith(".buckia/")]


@pytest.mark.parametrize("service", ["github", "gitlab"])
def test_the_steps_do_what_they_say(
    service: str, tmp_path: Path, forge: Forge, cloud: tuple[S3Server, dict[str, str]]
) -> None:
    """Planned and staged where the files are; checked, commented on once, applied as reviewed and
    promoted in a checkout without them."""
    server, env = cloud
    common, premium = server.make_bucket(), server.make_bucket()
    desk = Runner(tmp_path / "desk", env)
    shutil.copytree(EXAMPLE, desk.folder)
    config = desk.folder / ".buckia"
    text = config.read_text().replace("acme-common", common).replace("acme-premium", premium)
    config.write_text(text)
    path = desk.folder / "assets/common" / FOLDER
    path.mkdir(parents=True)
    (path / "welcome.txt").write_text("hello")
    desk.run("buckia", "plan", "common", "--stage", "--out", "plan.json")
    runner = Runner(tmp_path / "runner", {**env, "CI": "true"})
    without = shutil.ignore_patterns("assets", ".buckia.d")
    shutil.copytree(desk.folder, runner.folder, ignore=without)

    runner.run("ci/check.sh")
    for _ in range(2):
        runner.run(f"ci/comment-{service}.sh")
    assert forge.writes == ["POST", "PATCH" if service == "github" else "PUT"]
    assert "welcome.txt" in forge.comments[-1]["body"]
    reviewed = runner.run(f"ci/reviewed-{service}.sh").strip()
    assert reviewed == digest(runner.folder / "plan.json")

    runner.run("ci/apply.sh", code=65, REVIEWED_DIGEST=OTHER)
    assert keys(server, common) == []
    runner.run("ci/apply.sh", REVIEWED_DIGEST=reviewed)
    assert keys(server, common) == [f"{FOLDER}/welcome.txt"]

    runner.run("ci/promote-plan.sh", "demo", "common", "premium")
    approved = digest(runner.folder / "promotion.json")
    runner.run("ci/promote.sh", APPROVED_DIGEST=approved)
    assert keys(server, premium) == [f"{FOLDER}/welcome.txt"]


def digest(path: Path) -> str:
    return str(json.loads(path.read_text())["digest"])


@pytest.mark.parametrize("name", PIPELINES)
def test_a_pipeline_can_be_read_and_calls_scripts_that_are_there(name: str) -> None:
    """And every script is called, or is a part of one that is."""
    text = (EXAMPLE / name).read_text()
    assert yaml.safe_load(text)
    called = set(re.findall(r"ci/[a-z-]+\.sh", text))
    service = "github" if "github" in name else "gitlab"
    other = "gitlab" if service == "github" else "github"
    here = {f"ci/{path.name}" for path in (EXAMPLE / "ci").iterdir() if other not in path.name}
    assert here - called == {f"ci/{service}.sh"}
    assert called <= here
    assert all(os.access(EXAMPLE / script, os.X_OK) for script in called)


def test_signals_reach_buckia() -> None:
    """The steps that change something replace their shell by it, and the pipelines theirs."""
    for script in ("apply.sh", "promote.sh"):
        assert re.search(r"^exec buckia apply ", (EXAMPLE / "ci" / script).read_text(), re.M)
        for name in PIPELINES:
            assert f"exec ci/{script}" in (EXAMPLE / name).read_text()
