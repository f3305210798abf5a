"""Chromium, driven as a person would."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any, Final

from selenium import webdriver
from selenium.webdriver import ActionChains
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

SCREENSHOTS: Final = Path(__file__).parent.parent.parent / "build" / "screenshots"
SOON: Final = 120
"""Seconds that a browser may take on a machine that does much else; nothing is measured by it."""


class Browser:
    """Chromium without a window."""

    def __init__(self) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium") or "chromium"
        for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1280,1600"):
            options.add_argument(word)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        service = Service(shutil.which("chromedriver"))
        self.driver = webdriver.Chrome(options=options, service=service)
        self.driver.set_page_load_timeout(SOON)

    def open(self, path: Path) -> float:
        """Load a page and wait until its script is done; how many seconds that took."""
        began = time.monotonic()
        self.driver.get(path.as_uri())
        self.until("return document.documentElement.dataset.ready === 'yes'")
        return time.monotonic() - began

    def until(self, script: str) -> None:
        """Wait until a script says so."""
        WebDriverWait(self.driver, SOON, 0.05).until(lambda driver: driver.execute_script(script))

    def run(self, script: str, *given: Any) -> Any:
        """What a script gives."""
        return self.driver.execute_script(script, *given)

    def find(self, place: str) -> WebElement:
        """The element of a CSS selector."""
        return self.driver.find_element(By.CSS_SELECTOR, place)

    def texts(self, place: str) -> list[str]:
        """The text of each element of a CSS selector."""
        found = self.run(
            "return [...document.querySelectorAll(arguments[0])].map(e => e.textContent)", place
        )
        return [str(words) for words in found]

    def keys(self, *keys: str) -> None:
        """Press keys, wherever the focus is."""
        ActionChains(self.driver).send_keys(*keys).perform()

    def focused(self) -> str:
        """The id of what has the focus."""
        return str(self.run("return document.activeElement.id"))

    def wear(self, scheme: str) -> None:
        """Prefer light or dark."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def picture(self, name: str, place: str = "body") -> None:
        """Leave a picture of the page from an element on."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.run("document.querySelector(arguments[0]).scrollIntoView()", place)
        assert self.driver.save_screenshot(str(SCREENSHOTS / f"{name}.png"))

    def asked_for(self) -> set[str]:
        """The addresses of everything that was requested since the last time, by scheme."""
        messages = (json.loads(item["message"])["message"] for item in self._log("performance"))
        sent = (m["params"] for m in messages if m["method"] == "Network.requestWillBeSent")
        return {str(item["request"]["url"]).partition(":")[0] for item in sent}

    def complaints(self) -> list[str]:
        """What the console says: errors of the script, and what the policy kept out."""
        return [str(item["message"]) for item in self._log("browser")]

    def _log(self, kind: str) -> list[dict[str, Any]]:
        return list(self.driver.get_log(kind))  # type: ignore[no-untyped-call]
