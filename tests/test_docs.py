"""The documentation is true: what it shows happens, what there is stands in it, its links lead on.

BUCKIA_WRITE=1 writes what happened into the pages, for review.
"""

from __future__ import annotations

import ast
import contextlib
import io
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import buckia.cli
from buckia.rules import BUILT_IN
from tests import commandline, reference
from tests.keyrings import InMemory, using
from tests.pages import PAGES, ROOT, blocks, clear_environment, play, same
from tests.servers.moto import serve_moto

WRITE = os.environ.get("BUCKIA_WRITE") == "1"
_CODE = re.compile(r"^```.*?^```$", re.M | re.S)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.M)


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder, and nothing from outside."""
    folder, home = tmp_path / "workspace", tmp_path / "home"
    folder.mkdir()
    home.mkdir()
    monkeypatch.chdir(folder)
    yield from (folder for _ in clear_environment(home))


@pytest.fixture
def services(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A keyring, and Amazon's S3 with the bucket that the pages about it have."""
    with serve_moto() as server, using(InMemory()):
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.endpoint)
        server.client.create_bucket(Bucket="acme-assets")
        yield


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


PLAYED = [
    name
    for name in (path.relative_to(ROOT).as_posix() for path in PAGES)
    if any(block.language == "console" for block in blocks(page(name)))
]
"""Pages that show commands with what they print."""


@pytest.mark.parametrize("name", PLAYED)
def test_console_blocks_show_what_happens(name: str, workspace: Path, services: None) -> None:
    """Every command of the page, run in order, prints what the page says it prints."""
    played = play(page(name), workspace)
    if WRITE:
        (ROOT / name).write_text(played, encoding="utf-8")
    assert played == page(name)


@pytest.mark.parametrize("name", ["README.md", "docs/python.md"])
def test_python_blocks_run(name: str, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every Python block runs, and prints what the text block after it holds."""
    for folder in ("assets", "project/images", "project/documents"):
        if name == "README.md":
            (workspace / folder).mkdir(parents=True)
            (workspace / folder / "dawn.jpg").write_bytes(folder.encode())
    with serve_moto() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.endpoint)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", server.access_key)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", server.secret_key)
        server.client.create_bucket(Bucket="my-bucket")
        names: dict[str, object] = {}
        found = [block for block in blocks(page(name)) if block.language in ("python", "text")]
        for block, following in zip(found, [*found[1:], None], strict=True):
            if block.language != "python":
                continue
            with contextlib.redirect_stdout(io.StringIO()) as printed:
                exec(compile(block.text, name, "exec"), names)
            if following and following.language == "text":
                assert printed.getvalue() == following.text
        if name == "README.md":
            objects = server.client.list_objects_v2(Bucket="my-bucket")["Contents"]
            assert {item["Key"] for item in objects} >= {"dawn.jpg", "images/dawn.jpg"}


def test_yaml_blocks_are_valid(workspace: Path) -> None:
    """Every configuration shown is one that `validate` accepts."""
    shown = [
        block.text
        for path in PAGES
        for block in blocks(path.read_text(encoding="utf-8"))
        if block.language == "yaml" and "provider:" in block.text
    ]
    assert len(shown) >= 3
    for text in shown:
        (workspace / ".buckia").write_text(text)
        assert buckia.cli.run(["validate", "--quiet"]) == 0, text


def test_generated_pages_are_up_to_date() -> None:
    """`make docs` would change nothing."""
    for path, text in reference.pages().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: run `make docs`"


def test_an_old_page_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--check` says which page it is and what to do; what no command has any more is removed."""
    monkeypatch.setattr(reference, "ROOT", tmp_path)
    monkeypatch.setattr(reference, "DOCS", tmp_path / "docs")
    (tmp_path / "man").mkdir()
    (tmp_path / "man/buckia-gone.1").touch()
    assert reference.main(["--check"]) == 1
    printed = capsys.readouterr().out
    for name in ("docs/commands.md", "man/buckia-plan.1", "man/buckia-gone.1"):
        assert f"{name} is out of date: run `make docs`" in printed
    assert reference.main([]) == 0
    assert reference.main(["--check"]) == 0


def test_every_option_command_and_exit_code_is_documented() -> None:
    """The pages name all there is."""
    configuration, commands = page("docs/configuration.md"), page("docs/commands.md")
    definitions = reference.SCHEMA["$defs"]
    for name in definitions["options"]["properties"]:
        assert f"\n### {name}\n" in configuration
    for name in definitions["buckia"]["properties"]:
        assert f"\n### `buckia.{name}`\n" in configuration
    for command, callback in commandline.registered():
        assert f"\n## `buckia {command}`\n" in commands
        for parameter in commandline.parameters(callback):
            assert parameter.written.replace("|", "\\|") in commands
            assert parameter.info.help, parameter.name
    for code in commandline.exit_codes():
        assert f"\n| {code} | " in commands


def test_the_help_names_every_exit_code() -> None:
    """`buckia --help` and the error classes agree."""
    told = {int(code) for code in re.findall(r"(?:^|  )(\d+) ", buckia.cli.EXIT_CODES, re.M)}
    assert told == set(commandline.exit_codes())


def test_each_pattern_of_what_is_never_content_has_an_example() -> None:
    """And each example is excluded."""
    for pattern, _ in BUILT_IN:
        assert any(pattern.search(name) for name in reference.NEVER)
    assert all(any(p.search(name) for p, _ in BUILT_IN) for name in reference.NEVER)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(path: Path) -> None:
    """Every link inside the repository has a file, and a heading, at its other end."""
    text = _CODE.sub("", path.read_text(encoding="utf-8"))
    for link in _LINK.findall(text):
        if link.startswith("https://"):
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        assert target.is_relative_to(ROOT), link
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


def anchors(path: Path) -> set[str]:
    """The headings of a page as GitHub links to them."""
    headings = _HEADING.findall(_CODE.sub("", path.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_modules_named_are_there() -> None:
    """A path written in the pages for developers exists."""
    for name in ("docs/architecture.md", "docs/decisions.md", "CONTRIBUTING.md", "SECURITY.md"):
        text = page(name)
        for path in re.findall(r"`((?:buckia|tests|schemas|docs|examples)/[\w./-]*)`", text):
            assert "NAME" in path or (ROOT / path).exists(), f"{name}: {path}"


def test_each_module_has_its_line_and_imports_none_above() -> None:
    """The layers of the architecture name everything that is at the top of `buckia/`, once."""
    lines = re.findall(r"^\| [\w ]+ \| (`buckia/.+?) \|", page("docs/architecture.md"), re.M)
    named = [(name, at) for at, line in enumerate(lines) for name in re.findall(r"/(\w+)", line)]
    line_of = dict(named)
    files = {path.relative_to(ROOT / "buckia") for path in (ROOT / "buckia").rglob("*.py")}
    files.remove(Path("__init__.py"))
    assert sorted(name for name, _ in named) == sorted(
        {path.parts[0].split(".")[0] for path in files}
    )
    for path in files:
        own = line_of[path.parts[0].split(".")[0]]
        above = {name for name in _imported(ROOT / "buckia" / path) if line_of.get(name, own) < own}
        assert not above, path


def _imported(path: Path) -> Iterator[str]:
    """What is at the top of `buckia/` and is imported by a file, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "buckia":
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and str(node.module).startswith("buckia."):
            yield str(node.module).split(".")[1]


def test_what_differs_each_time_is_the_same() -> None:
    """The comparison forgives digests, durations and dates, and nothing else."""
    assert same(f"sha256:{'a' * 64} in 1.2 s") == same(f"sha256:{'b' * 64} in 0.1 s")
    assert same("1 uploaded, 2 bytes") != same("1 uploaded, 3 bytes")
