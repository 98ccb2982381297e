"""A headless Chromium for the tests of the page, and what they read from it. It talks to no network.

Debian's packages ``chromium`` and ``chromium-driver`` have what is needed; where they or selenium are missing, the
tests that ask for the browser skip.
"""

from __future__ import annotations

import shutil

import pytest

ARGUMENTS = """--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
--disable-component-update --disable-sync --disable-dev-shm-usage --hide-scrollbars --disable-extensions
--disable-default-apps --disable-client-side-phishing-detection --metrics-recording-only"""

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


class Browser:
    """One page at a time, in a window of any size, on light or dark ground."""

    def __init__(self, driver, folder):
        self.driver, self.folder, self.count = driver, folder, 0

    def open(self, page, width=1280, height=800, theme="light", motion="reduce"):
        """Show a page, and wait until it has drawn itself."""
        self.count += 1
        path = self.folder / f"{self.count}.html"
        path.write_text(page, encoding="utf-8")
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.command("Emulation.setDeviceMetricsOverride", **size)
        self.command("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": theme}, {"name": "prefers-reduced-motion", "value": motion},
        ])  # fmt: skip
        self.driver.get(path.as_uri())
        assert self.run("return document.body.dataset.ready") == "true", self.errors()
        return self

    def run(self, script, *arguments):
        """What a JavaScript function body returns."""
        return self.driver.execute_script(script, *arguments)

    def until(self, condition, *arguments):
        """Wait until a JavaScript expression is true: some events come later than what caused them."""
        self.driver.set_script_timeout(30)
        self.driver.execute_async_script(
            "const args = [...arguments], done = args.pop();"
            f"const look = () => ({condition}) ? done() : setTimeout(look, 20); look();", *arguments
        )  # fmt: skip

    def command(self, name, **arguments):
        return self.driver.execute_cdp_cmd(name, arguments)

    def find(self, selector):
        return self.driver.find_element("css selector", selector)

    def text(self, selector):
        """The text of an element, with plain minus signs."""
        return plain(self.run("return document.querySelector(arguments[0]).textContent", selector))

    def click(self, selector):
        self.find(selector).click()

    def press(self, *keys):
        """Keys, one after the other, where the focus is."""
        from selenium.webdriver.common.action_chains import ActionChains

        ActionChains(self.driver, duration=0).send_keys(*keys).perform()

    def errors(self):
        """What the page has complained about since the last time."""
        return [entry["message"] for entry in self.driver.get_log("browser")]


def plain(text):
    return text.replace("\u2212", "-").replace("\u2007", " ").strip()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """A browser for all tests of a module."""
    selenium = pytest.importorskip("selenium", reason="needs selenium (pip install 'gpugrad[browser]')")
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    driver = shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("needs Chromium and its driver (apt-get install chromium chromium-driver)")
    from selenium.webdriver.chrome.service import Service

    folder = tmp_path_factory.mktemp("browser")
    options = selenium.webdriver.ChromeOptions()
    options.binary_location = program
    for argument in [*ARGUMENTS.split(), f"--user-data-dir={folder / 'profile'}", "--window-size=1280,800"]:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    found = selenium.webdriver.Chrome(options=options, service=Service(driver))
    yield Browser(found, folder)
    found.quit()
