# SPDX-License-Identifier: MIT
"""A real browser for pages: Debian's chromium, without a window, that has no network."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
from pathlib import Path
from typing import Any, Iterator

CHROMIUM, DRIVER = "/usr/bin/chromium", "/usr/bin/chromedriver"

_ARGUMENTS = (
    "--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
    # Whatever a page asks for by name is not found, and is seen in the log all the same.
    "--host-resolver-rules=MAP * ~NOTFOUND", "--no-first-run", "--disable-background-networking")


def missing() -> str:
    """Why there is no browser; empty if there is one."""
    packages = [package for package, there in (
        ("chromium", os.access(CHROMIUM, os.X_OK)),
        ("chromium-driver", os.access(DRIVER, os.X_OK)),
        ("python3-selenium", importlib.util.find_spec("selenium") is not None)) if not there]
    return f"not installed: {', '.join(packages)}" if packages else ""


class Browser:
    """A page in a browser, and what the browser says of it."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(self, page: Path, width: int, height: int = 900) -> None:
        """Load a file in a window of that many pixels; what was logged before is forgotten."""
        self.errors(), self.requests()
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})
        self.driver.get(page.absolute().as_uri())

    def run(self, script: str, *arguments: Any) -> Any:
        """What a script in the page returns."""
        return self.driver.execute_script(script, *arguments)

    def overflow(self) -> int:
        """By how many pixels the page is wider than its window."""
        return int(self.run("return document.documentElement.scrollWidth - innerWidth"))

    def errors(self) -> list[str]:
        """What the console has, errors and warnings alike, since it was last read."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self) -> list[str]:
        """The addresses that pages asked for since this was last read; what an address holds in
        itself is no request."""
        messages = [json.loads(entry["message"])["message"]
                    for entry in self.driver.get_log("performance")]
        return [message["params"]["request"]["url"] for message in messages
                if message["method"] == "Network.requestWillBeSent"
                and not message["params"]["request"]["url"].startswith(("data:", "blob:"))]


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """A browser for as long as it is needed; the caller sees that there is one."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in (*_ARGUMENTS, *(("--no-sandbox",) if os.geteuid() == 0 else ())):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    driver.set_script_timeout(60)
    try:
        yield Browser(driver)
    finally:
        driver.quit()
