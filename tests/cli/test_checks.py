"""Plans checked before they are applied: `plan --check`, `--expect-digest`, `--preflight-only`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from buckia import planfile
from buckia.config import file as config_file
from buckia.model import Policy
from buckia.project import Project
from tests.cli.console import buckia
from tests.cli.transcript import tree

CONFIG = """\
{name}:
  provider: local
  bucket_name: {name}-bucket
  paths: [assets/]
  delete_orphaned: true
  limits: {{max_delete: 0, min: 1}}
"""


@pytest.fixture
def planned(workspace: Path) -> Path:
    """A project with a settled bucket, one new file, and `plan.json` that uploads it."""
    (workspace / "assets").mkdir()
    (workspace / "media-bucket").mkdir()
    (workspace / ".buckia").write_text(CONFIG.format(name="media"))
    for name in ("a", "b", "c"):
        (workspace / "assets" / name).write_text(name)
    assert buckia("sync", "-q").code == 0
    (workspace / "assets" / "new").write_text("new")
    assert buckia("plan", "-q", "--out", "plan.json").code == 0
    return workspace


def digest(folder: Path) -> str:
    """The digest of `plan.json`."""
    return str(json.loads((folder / "plan.json").read_text())["digest"])


def test_a_plan_that_would_be_made_again(planned: Path) -> None:
    """Exit code 0, nothing on stdout, nothing changed; from stdin too."""
    before = tree(planned)
    ended = buckia("plan", "--check", "plan.json")
    assert (ended.code, ended.out) == (0, "")
    assert ended.err == "Planned now, it is the same plan.\n"
    ended = buckia("plan", "-q", "--check", "-", given=(planned / "plan.json").read_text())
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    assert tree(planned) == before


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("assets/more", "1", "1 action added (upload more)"),
        ("assets/new", "other", "1 action changed (upload new)"),
        ("media-bucket/new", "other", "1 action removed (upload new); `applyable` differs"),
        ("media-bucket/there", "1", "1 action added (download there)"),
    ],
)
def test_a_plan_that_would_be_another_now(planned: Path, name: str, data: str, told: str) -> None:
    """Exit code 4 and one line with what differs."""
    (planned / name).write_text(data)
    ended = buckia("plan", "--check", "plan.json")
    assert (ended.code, ended.out, ended.err.count("\n")) == (4, "", 1)
    assert f"plan.json is not what would be planned now: {told}" in ended.err


def test_a_plan_that_was_applied_is_another_now(planned: Path) -> None:
    """Its base has moved."""
    assert buckia("apply", "-q", "plan.json").code == 0
    ended = buckia("plan", "--check", "plan.json")
    assert ended.code == 4
    assert "1 action removed (upload new); the base of `media` moved, from serial 1 to 2" in (
        ended.err
    )


def test_the_scope_and_the_overrides_of_a_plan_are_its_own(planned: Path) -> None:
    """Planning anew asks for the same paths, direction, buckets and lifted limits."""
    for name in ("b", "c"):
        (planned / "assets" / name).unlink()
    lifted = ("--paths", "b", "c", "--direction", "upload", "--allow-deletes", "2")
    assert buckia("plan", "media", "-q", "--out", "plan.json", *lifted).code == 0
    (planned / ".buckia").write_text(CONFIG.format(name="media") + CONFIG.format(name="other"))
    (planned / "other-bucket").mkdir()
    (planned / "assets" / "elsewhere").write_text("not asked about")
    assert buckia("plan", "--check", "plan.json").code == 0


def test_a_blocked_plan_and_one_without_its_conflicts_can_be_checked(planned: Path) -> None:
    """What was true of the plan is still true."""
    (planned / "assets" / "a").write_text("here")
    (planned / "media-bucket" / "a").write_text("there")
    assert buckia("plan", "-q", "--out", "plan.json").code == 3
    assert buckia("plan", "--check", "plan.json").code == 0
    assert buckia("plan", "-q", "--out", "plan.json", "--skip-conflicts").code == 0
    assert buckia("plan", "--check", "plan.json").code == 0
    for name in ("b", "c"):
        (planned / "assets" / name).unlink()
    assert buckia("plan", "-q", "--out", "plan.json", "--skip-conflicts").code == 6
    assert buckia("plan", "--check", "plan.json").code == 0


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--check", "plan.json", "media"], 64, "give it no other options"),
        (["--check", "plan.json", "--out", "other.json"], 64, "give it no other options"),
        (["--check", "plan.json", "--detailed-exitcode"], 64, "give it no other options"),
        (["--check", "plan.json", "--allow-deletes", "1"], 64, "give it no other options"),
        (["--check", "none.json"], 64, "there is no plan file"),
        (["--check", ".buckia"], 65, ".buckia is not"),
        (["--check", "edited.json"], 65, "edited"),
        (["--check", "plan.json", "-c", "renamed"], 4, "the bucket 'media'"),
    ],
)
def test_what_cannot_be_checked(planned: Path, words: list[str], code: int, told: str) -> None:
    """One line, and nothing changed."""
    (planned / "renamed").write_text(CONFIG.format(name="renamed"))
    plan = (planned / "plan.json").read_text()
    (planned / "edited.json").write_text(plan.replace('"upload"', '"adopt"'))
    before = tree(planned)
    ended = buckia("plan", *words)
    assert (ended.code, ended.out, ended.err.count("\n")) == (code, "", 1)
    assert told in ended.err
    assert tree(planned) == before


# -- before an apply -------------------------------------------------------------------------------


def test_only_the_plan_that_was_approved_is_applied(planned: Path) -> None:
    """By its digest; any other is refused before anything is looked at."""
    approved = digest(planned)
    (planned / "assets" / "more").write_text("1")
    assert buckia("plan", "-q", "--out", "plan.json").code == 0
    ended = buckia("apply", "plan.json", "--expect-digest", approved)
    assert (ended.code, ended.out, ended.err.count("\n")) == (65, "", 1)
    assert f"its digest is {digest(planned)}" in ended.err
    assert buckia("apply", "-q", "plan.json", "--expect-digest", digest(planned)).code == 0
    assert (planned / "media-bucket" / "more").exists()


@pytest.mark.parametrize("wrong", ["", "sha256:", "sha256:" + "A" * 64, "md5:" + "0" * 64])
def test_what_is_no_digest_is_no_approval(planned: Path, wrong: str) -> None:
    assert buckia("apply", "plan.json", "--expect-digest", wrong).code == 64


def test_an_approval_needs_a_plan(planned: Path) -> None:
    assert buckia("apply", "--yes", "--expect-digest", digest(planned)).code == 64


def test_a_preflight_looks_and_changes_nothing(planned: Path) -> None:
    """It says how much could be done, that a plan is stale, or that it is done."""
    before = tree(planned)
    ended = buckia("apply", "plan.json", "--preflight-only")
    assert ended.err == "The plan still fits: 1 action could be done. Nothing was changed.\n"
    assert (ended.code, tree(planned)) == (0, before)
    (planned / "assets" / "new").write_text("other")
    ended = buckia("apply", "plan.json", "--preflight-only")
    assert (ended.code, ended.err.count("\n")) == (4, 1)
    assert "new: the local file has changed since the plan" in ended.err
    (planned / "assets" / "new").write_text("new")
    assert buckia("apply", "-q", "plan.json").code == 0
    assert buckia("apply", "-q", "plan.json", "--preflight-only").code == 0
    ended = buckia("apply", "--preflight-only")
    assert ended.err == "The plan still fits: 0 actions could be done. Nothing was changed.\n"


def test_a_plan_holds_the_answers_it_was_given(planned: Path) -> None:
    """Conflicts that a person settled are settled the same way when it is made again."""
    for name in ("a", "b", "c"):
        (planned / "assets" / name).write_text("here")
        (planned / "media-bucket" / name).write_text("there")
    answers = {"a": Policy.LOCAL_WINS, "b": Policy.REMOTE_WINS}
    with Project(config_file.load(Path(".buckia"))) as project:
        made = project.plan(ask=lambda bucket, conflicts: answers, skip_conflicts=True)
    (planned / "plan.json").write_bytes(planfile.write(made))
    assert buckia("plan", "--check", "plan.json").code == 0
    (planned / "media-bucket" / "b").write_text("there anew")
    assert "1 action changed (download b)" in buckia("plan", "--check", "plan.json").err
