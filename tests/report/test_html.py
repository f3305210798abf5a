"""One file that loads nothing, in which no name is more than text."""

from __future__ import annotations

import hashlib
import json
import re
from base64 import b64decode, b64encode
from html.parser import HTMLParser
from typing import Any, Final

import pytest

from buckia import text
from buckia.model import Op
from buckia.planfile import Plan
from buckia.report import html
from buckia.report.previews import Database, Picture, Preview, Previews, Sample, Table
from tests.report.plans import DECEIT, PLANS, act, hostile, many, ordinary, plan

OURS: Final = {
    *("html", "head", "meta", "title", "style", "body", "a", "main", "header", "p", "h1", "h2"),
    *("h3", "h4", "span", "section", "ul", "li", "code", "small", "pre", "dl", "div", "dt", "dd"),
    *("br", "em", "details", "summary", "b", "table", "tr", "th", "td", "footer", "script", "nav"),
    *("input", "select", "option", "label", "button", "aside", "kbd", "noscript", "thead", "tbody"),
    *("del", "ins", "figure", "img", "figcaption"),
}
"""The elements of a page."""
_ADDRESSES: Final = ("src", "href", "action", "data", "srcset", "poster", "background", "style")


class Elements(HTMLParser):
    """The elements of a page with their attributes, its text, and what is in its scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self._parts: list[str] = []
        self.inside: dict[str, list[str]] = {"script": [], "style": []}
        self._open = ""
        self.feed(page)
        self.text = "".join(self._parts)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self._open = tag

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open in self.inside:
            self.inside[self._open].append(data)
        else:
            self._parts.append(data)

    def policy(self) -> str:
        """The content security policy."""
        (found,) = [about for _, about in self.found if about.get("http-equiv")]
        assert found["http-equiv"] == "Content-Security-Policy"
        return str(found["content"])

    def data(self) -> Any:
        """The actions, as the script reads them."""
        return json.loads(self.inside["script"][0])


def page(made: Plan, previews: Previews | None = None) -> Elements:
    return Elements(html.page(made, previews) if previews else html.page(made))


@pytest.mark.parametrize("name", [name for name in PLANS if name != "many"])
def test_it_loads_nothing(name: str) -> None:
    """No address leads out of it, no element has a handler, and the policy lets nothing in."""
    shown = page(PLANS[name]())
    assert {tag for tag, _ in shown.found} <= OURS
    for tag, about in shown.found:
        assert not [name for name in about if name.startswith("on")], (tag, about)
        for address in _ADDRESSES:
            value = about.get(address)
            assert value is None or value.startswith(("#", "data:image/")), (tag, about)


def test_the_policy_lets_in_one_style_and_one_script() -> None:
    """By what they are, so that one that came in by a name is not run."""
    shown = page(hostile())

    def hashed(inline: str) -> str:
        return f"'sha256-{b64encode(hashlib.sha256(inline.encode()).digest()).decode()}'"

    (style,) = shown.inside["style"]
    _, script = shown.inside["script"]
    assert shown.policy() == (
        f"default-src 'none'; style-src {hashed(style)}; script-src {hashed(script)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


@pytest.mark.promise("HYG-7")
def test_no_name_is_markup() -> None:
    """In the page it is text, in the data it is a string, and neither has a hidden character."""
    names = tuple(map(text.name, DECEIT.values()))
    table = Table(names[0], 1, 1, 1, names, (Sample("+", names),))
    picture = Preview(
        Picture("image/png", b"x"), None, names, Database((table,), names, names), names[0]
    )
    made = hostile()
    shown = page(made, Previews({item.id: picture for item in made.actions}, notes=names))
    assert {tag for tag, _ in shown.found} <= OURS
    assert len(shown.inside["script"]) == 2
    assert [name for name in names if name not in shown.text] == []
    told = {item[2] for item in shown.data()["actions"]}
    assert told == set(names)
    assert all(char.isprintable() for name in told for char in name)


def test_the_script_writes_text_only() -> None:
    """There is no way from a name to markup or code in it."""
    script = page(ordinary()).inside["script"][1]
    for way in ("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval", "Function("):
        assert way not in script
    for way in ("fetch", "XMLHttp", "import(", "http:", "https:", "WebSocket", "sendBeacon"):
        assert way not in script


def test_the_data_has_every_action() -> None:
    made = ordinary()
    data = page(made).data()
    assert [item[11] for item in data["actions"]] == [item.id for item in made.actions]
    sizes = {item[2]: (item[4], item[5]) for item in data["actions"]}
    assert sizes["demo/readme.txt"] == (120, 100)
    assert sizes["demo/old.webp"] == (900, -1)
    assert sizes["cors"] == (0, -1), "a setting weighs nothing"


def test_equal_plans_give_equal_pages_and_100_000_actions_one_of_bounded_size() -> None:
    one, other = html.page(ordinary()), html.page(ordinary())
    assert hash(one) == hash(other)
    assert len(html.page(many())) < 150 * len(many().actions)


def test_it_says_that_no_bytes_are_at_hand() -> None:
    words = "The bytes are not at hand"
    shown = page(ordinary()), page(ordinary(), Previews({})), page(PLANS["empty"]())
    assert [words in item.text for item in shown] == [True, False, False]


def test_what_a_plan_tells_of_a_database_is_there_without_the_bytes() -> None:
    assert page(ordinary()).text.count("items: 2 rows added, 1 changed") == 1


def test_previews_show_both_sides() -> None:
    changed = act(Op.UPLOAD, "a.png", was=5)
    rows = (Sample("~", ("1", "'new'"), (None, "'old'")), Sample("-", ("2", "'gone'")))
    database = Database((Table("items", 0, 1, 1, ("id", "title"), rows),), ("-CREATE", "+CREATE"))
    before, after = Picture("image/png", b"old"), Picture("image/gif", b"new")
    seen = Preview(before, after, ("-a", "+b"), database)
    shown = page(plan([changed]), Previews({changed.id: seen}, notes=("1 more is not shown",)))
    pictures = [str(about["src"]) for tag, about in shown.found if tag == "img"]
    assert [uri.partition(",")[0] for uri in pictures] == [
        "data:image/png;base64",
        "data:image/gif;base64",
    ]
    assert [b64decode(uri.partition(",")[2]) for uri in pictures] == [b"old", b"new"]
    words = re.sub(r"\s+", " ", shown.text)
    for told in ("'old' 'new'", "'gone'", "-a", "+b", "Schema", "1 removed", "1 more is not shown"):
        assert told in words
