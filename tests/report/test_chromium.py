"""The page of a plan in a real browser; `chromium` and `chromium-driver` are Debian packages.

Pictures of what it looks like are left in build/screenshots.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Keys
from selenium.webdriver.common.by import By

from buckia.model import replace
from buckia.planfile import Plan
from buckia.report import html
from buckia.report.previews import NOT_AT_HAND, Database, Picture, Preview, Previews, Sample, Table
from tests.report.browser import Browser
from tests.report.pictures import png
from tests.report.plans import MANY, PLANS, hostile, many, ordinary

pytestmark = pytest.mark.chromium


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    made = Browser()
    yield made
    made.driver.quit()


@pytest.fixture
def browser(chromium: Browser) -> Iterator[Browser]:
    """A browser that asks for nothing, complains of nothing, and is light again afterwards."""
    chromium.asked_for()
    chromium.complaints()
    chromium.wear("light")
    yield chromium
    assert chromium.asked_for() <= {"file", "data"}
    assert chromium.complaints() == []


def page(folder: Path, made: Plan, previews: Previews = NOT_AT_HAND) -> Path:
    path = folder / "report.html"
    path.write_text(html.page(made, previews), encoding="utf-8")
    return path


def with_previews(made: Plan) -> Previews:
    """Pictures, a text and a database for the actions that are about such."""
    ids = {item.key: item.id for item in made.actions}
    rows = (
        Sample("+", ("7", "'Lamp'", "12.5")),
        Sample("-", ("9", "'Stool'", "31")),
        Sample("~", ("3", "'Table'", "99"), (None, None, "89")),
    )
    table = Table("items", 1, 1, 1, ("id", "title", "price"), rows)
    schema = ("-CREATE TABLE items (id, title)", "+CREATE TABLE items (id, title, price)")
    before, after = (Picture("image/png", png(160, 90, red)) for red in (40, 220))
    return Previews({
        ids["demo/pictures/00.webp"]: Preview(after=after),
        ids["demo/pictures/01.webp"]: Preview(before, after),
        ids["demo/readme.txt"]: Preview(lines=("@@ -1,2 +1,2 @@", " one", "-two", "+three")),
        ids["demo/App.sqlite"]: Preview(database=Database((table,), schema)),
        ids["demo/old.webp"]: Preview(before=before),
    })  # fmt: skip


@pytest.mark.parametrize("name", [name for name in PLANS if name not in ("many", "empty")])
def test_every_sort_of_plan_is_a_page(name: str, browser: Browser, tmp_path: Path) -> None:
    made = PLANS[name]()
    browser.open(page(tmp_path, made))
    assert browser.texts("#actions .count") == [f"{len(made.actions):,}"]
    assert browser.run("return document.documentElement.scrollWidth <= innerWidth")
    browser.picture(f"plan-{name}")


@pytest.mark.promise("HYG-7")
def test_no_name_is_run_or_shown_as_markup(browser: Browser, tmp_path: Path) -> None:
    """In the page and in what the script writes into it."""
    browser.open(page(tmp_path, hostile()))
    assert browser.run("return document.scripts.length") == 1
    for _ in range(5):
        browser.find("#list").click()
        browser.keys(Keys.ARROW_DOWN, Keys.PAGE_DOWN)
    browser.run("document.querySelector('#search').value = '<'")
    browser.find("#search").send_keys("s")
    assert "<script>alert(1)</script><img src=x onerror=alert(1)>.png" in browser.texts(
        "#list code"
    )
    assert browser.run("return document.querySelectorAll('#list img, #detail img').length") == 0
    assert browser.run("return document.scripts.length") == 1


def test_search_and_filters_narrow_the_list(browser: Browser, tmp_path: Path) -> None:
    browser.open(page(tmp_path, ordinary()))
    assert browser.texts("#found") == ["29 of 29 actions, 97.6 MB"]
    browser.find("#search").send_keys("PICTURES/0")
    assert browser.texts("#found")[0].startswith("10 of 29 actions")
    assert set(browser.texts("#list mark")) == {"pictures/0"}
    browser.find("#reset").click()
    browser.find("input[data-word='delete remote']").click()
    assert browser.texts("#list code") == ["demo/old.webp"]
    browser.find("input[data-word='delete local']").click()
    assert browser.texts("#list code") == ["demo/old.webp", "inbox/spam.txt"]
    browser.find("#reset").click()
    browser.run("const e = document.querySelector('#order'); e.value = 'size';"
                "e.dispatchEvent(new Event('change', {bubbles: true}))")  # fmt: skip
    assert browser.texts("#list code")[0] == "demo/new-name.mp4"
    browser.find("#reset").click()
    browser.find("#irreversible-only").click()
    assert browser.texts("#found")[0].startswith("0 of 29")


def test_folders_can_be_entered_by_their_bytes(browser: Browser, tmp_path: Path) -> None:
    browser.open(page(tmp_path, ordinary()))
    assert browser.texts("#treemap b")[0] == "demo/"
    browser.run("document.querySelector('#treemap button').focus()")
    browser.keys(Keys.ENTER)
    assert " in demo/" in browser.texts("#found")[0]
    assert browser.texts("#crumbs button") == ["all folders", "demo/"]
    browser.picture("treemap", "#bytes")
    browser.find("#crumbs button").click()
    assert browser.texts("#found") == ["29 of 29 actions, 97.6 MB"]


def test_pictures_texts_and_rows_are_shown_on_both_sides(browser: Browser, tmp_path: Path) -> None:
    made = ordinary()
    browser.open(page(tmp_path, made, with_previews(made)))
    widths = browser.run(
        "return [...document.querySelectorAll('figure img')].map(i => i.naturalWidth)"
    )
    assert widths == [160, 160, 160, 160]
    assert browser.texts("#changes figure span:last-child") == ["160 × 90"] * 4
    assert browser.texts("#changes ins") == ["99"] and browser.texts("#changes del") == ["89"]
    browser.picture("inside", "#changes")
    browser.find("#search").send_keys("01.webp", Keys.ENTER)
    assert len(browser.driver.find_elements(By.CSS_SELECTOR, "#detail img")) == 2
    browser.picture("chosen", "#actions")


def test_everything_can_be_reached_by_keys(browser: Browser, tmp_path: Path) -> None:
    browser.open(page(tmp_path, ordinary()))
    browser.keys("/")
    assert browser.focused() == "search"
    browser.keys("demo", Keys.ARROW_DOWN)
    assert browser.focused() == "list"
    chosen = browser.texts("[aria-selected='true'] code")
    browser.keys(Keys.ARROW_DOWN)
    assert browser.texts("[aria-selected='true'] code") != chosen
    active = browser.find("#list").get_attribute("aria-activedescendant")
    assert browser.find(f"#{active}").get_attribute("aria-selected") == "true"
    browser.keys(Keys.END)
    assert browser.texts("#detail h3") == browser.texts("[aria-selected='true'] code")
    browser.keys(Keys.ENTER)
    assert browser.focused() == "detail"
    browser.keys(Keys.ESCAPE)
    assert browser.focused() == "list"
    browser.keys("/", Keys.ESCAPE)
    assert browser.texts("#found")[0].startswith("29 of 29")
    reached = set()
    for _ in range(60):
        browser.keys(Keys.TAB)
        reached.add(browser.focused())
    assert {"search", "bucket", "order", "irreversible-only", "reset", "list"} <= reached


def test_it_is_light_or_dark_as_the_system_is(browser: Browser, tmp_path: Path) -> None:
    """With enough contrast for text either way (WCAG 2.2, 1.4.3)."""
    made = ordinary()
    browser.open(page(tmp_path, made, with_previews(made)))
    backgrounds = []
    for scheme in ("light", "dark"):
        browser.wear(scheme)
        colours = browser.run(
            "return ['body', '.dim', 'header h1', '.sign', '.state', '.row .word']"
            ".map(p => getComputedStyle(document.querySelector(p)))"
            ".map(s => s.color).concat(getComputedStyle(document.body).backgroundColor)"
        )
        *inks, ground = map(_luminance, colours)
        backgrounds.append(ground)
        assert [ink for ink in inks if _contrast(ink, ground) < 4.5] == []
        browser.picture(f"{scheme}")
        browser.picture(f"{scheme}-actions", "#actions")
    assert backgrounds[0] > 0.8 and backgrounds[1] < 0.02


def _luminance(colour: str) -> float:
    """The relative luminance of a colour as a browser tells it (WCAG 2.2)."""
    parts = [float(part) / 255 for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: float, other: float) -> float:
    dark, light = sorted((one, other))
    return (light + 0.05) / (dark + 0.05)


def test_it_fits_a_telephone(browser: Browser, tmp_path: Path) -> None:
    made = ordinary()
    metrics = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
    browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        browser.open(page(tmp_path, made, with_previews(made)))
        assert browser.run("return document.documentElement.scrollWidth <= innerWidth")
        browser.picture("telephone")
    finally:
        browser.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_a_hundred_thousand_actions_stay_usable(
    browser: Browser, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only what is in sight is drawn, and the last of them can be reached."""
    browser.driver.execute_cdp_cmd("Performance.enable", {"timeDomain": "threadTicks"})
    took = browser.open(page(tmp_path, many()))
    metrics = browser.driver.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
    busy = next(item["value"] for item in metrics if item["name"] == "ThreadTime")
    assert browser.texts("#actions .count") == [f"{MANY:,}"]
    assert browser.run("return document.querySelectorAll('#list .row').length") < 60
    browser.picture("many", "#actions")
    shown = browser.texts("#list code")
    began = time.monotonic()
    browser.run("document.querySelector('#list').scrollTop = 1e9")
    browser.until(f"return !!document.querySelector('#row-{MANY - 1}')")
    scrolled = time.monotonic() - began
    assert browser.texts("#list code")[-1] == many().actions[-1].key
    assert browser.texts("#list code") != shown
    began = time.monotonic()
    browser.find("#search").send_keys("file-099999")
    browser.until("return document.querySelector('#found').textContent.startsWith('1 of 100,000')")
    searched = time.monotonic() - began
    browser.find("#reset").click()
    browser.find("#list").click()
    browser.keys(Keys.END)
    assert browser.texts("#detail h3") == [many().actions[-1].key]
    with capsys.disabled():
        print(f"\n100,000 actions: loaded in {took:.2f} s, {busy:.2f} s of it busy; ", end="")
        print(f"at the end in {scrolled:.2f} s, searched in {searched:.2f} s")


def test_a_page_made_by_somebody_else_runs_nothing_of_theirs(
    browser: Browser, tmp_path: Path
) -> None:
    """What is put into a page afterwards is not let in by its policy."""
    made = page(tmp_path, replace(ordinary(), kind="sync"))
    text = made.read_text().replace("</main>", "<img src='https://127.0.0.1:9/x.png'></main>", 1)
    text = text.replace("</body>", "<script>document.title = 'taken'</script></body>", 1)
    made.write_text(text)
    browser.open(made)
    assert browser.driver.title == "buckia plan: can be applied"
    assert browser.asked_for() <= {"file", "data", "https"}  # asked for by the page, and kept in
    kept_out = browser.complaints()
    assert len(kept_out) >= 2 and all("Content Security Policy" in words for words in kept_out)
