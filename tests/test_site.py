"""The documentation as a site: built strictly, every link leads on, nothing comes from outside."""

from __future__ import annotations

import os
import subprocess  # noqa: TID251  (the site is built as `make docs` does it)
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.pages import ROOT
from tests.site import for_site

REPOSITORY = "https://github.com/thepian/buckia"
_LOADED = {"script": "src", "img": "src", "iframe": "src", "link": "href", "source": "src"}


def build(config: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "-f", str(config), "-d", str(folder)],
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


class Page(HTMLParser):
    """What a page of the site links to, what it loads, and the places in it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.loads: set[str] = set()
        self.places: set[str] = {""}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.places |= {found[name] for name in ("id", "name") if name in found}
        if tag == "a" and "href" in found:
            self.links.add(found["href"])
        if tag in _LOADED and _LOADED[tag] in found:
            self.loads.add(found[_LOADED[tag]])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Path, Page]]:
    """Every page of the site, by its file."""
    folder = tmp_path_factory.mktemp("site").resolve()
    done = build(ROOT / "mkdocs.yml", folder)
    assert done.returncode == 0, done.stderr
    yield {path: Page(path) for path in folder.rglob("*.html") if path.name != "404.html"}


def test_every_page_of_the_documentation_is_a_page_of_the_site(site: dict[Path, Page]) -> None:
    (start,) = (path.parent for path in site if path.name == "tutorial.html")
    made = {path.relative_to(start).with_suffix("").as_posix() for path in site}
    docs = ROOT / "docs"
    names = {path.relative_to(docs).with_suffix("").as_posix() for path in docs.rglob("*.md")}
    assert made == {name.replace("README", "index") for name in names}


def test_every_link_leads_somewhere(site: dict[Path, Page]) -> None:
    """To a place in a page of the site, or to a file of the repository."""
    for path, page in site.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme:
                inside = link.removeprefix(f"{REPOSITORY}/blob/main/")
                assert parts.scheme == "https", (path, link)
                assert inside == link or (ROOT / inside.partition("#")[0]).exists(), (path, link)
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target in site, (path, link)
            assert unquote(parts.fragment) in site[target].places, (path, link)


def test_nothing_is_loaded_from_outside(site: dict[Path, Page]) -> None:
    """No font, script, style or picture; all there is lies in the folder."""
    for path, page in site.items():
        for link in page.loads:
            parts = urlsplit(link)
            assert not parts.scheme and not parts.netloc, (path, link)
            assert (path.parent / parts.path).exists(), (path, link)


def test_a_broken_page_is_no_site(tmp_path: Path) -> None:
    """A link to nothing, a place that is not there and a page that nothing leads to are errors."""
    pages = tmp_path / "pages"
    pages.mkdir()
    (pages / "README.md").write_text("# One\n\n[gone](gone.md), [nowhere](two.md#nowhere)\n")
    (pages / "two.md").write_text("# Two\n")
    (pages / "lost.md").write_text("# Lost\n")
    config = tmp_path / "mkdocs.yml"
    config.write_text(
        f"INHERIT: {ROOT / 'mkdocs.yml'}\ndocs_dir: pages\nhooks: []\nextra_css: []\n"
        "nav: [README.md, two.md]\n"
    )
    done = build(config, tmp_path / "site")
    assert done.returncode != 0
    for fault in ("- lost.md", "'gone.md'", "'two.md#nowhere'", "3 warnings in strict mode"):
        assert fault in done.stderr + done.stdout


def test_a_page_is_changed_for_the_site_where_it_must_be() -> None:
    """Links out of docs/ lead into the repository, named blocks have titles, code stays."""
    page = "[a](../../examples/ci) [b](../ci.md#x) [c](x.md)\n```yaml .buckia\n[a](../../x)\n```\n"
    assert for_site(page, "howto/one.md", "https://r/blob/main") == (
        "[a](https://r/blob/main/examples/ci) [b](../ci.md#x) [c](x.md)\n"
        '```yaml title=".buckia"\n[a](../../x)\n```\n'
    )
