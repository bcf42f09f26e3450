"""A browser without a window, driven by the WebDriver protocol (W3C, 2018) through Chromium's own chromedriver."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

KEYS = {"Tab": "\ue004", "Enter": "\ue007", "Left": "\ue012", "Right": "\ue014", "Space": " ", "Shift": "\ue008"}
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


class Browser:
    """Chromium with a fresh profile in `folder`; skips the test where there is none."""

    def __init__(self, folder: Path) -> None:
        driver, browser = shutil.which("chromedriver"), next(filter(None, map(shutil.which, BROWSERS)), None)
        if driver is None or browser is None:
            pytest.skip("no Chromium with chromedriver here")
        self.process = subprocess.Popen([driver, "--port=0"], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        port = next(match[1] for line in self.process.stdout if (match := re.search(r"on port (\d+)\.$", line.strip())))
        self.place = f"http://127.0.0.1:{port}/session"
        words = ["headless", "no-sandbox", "disable-gpu", "no-first-run", "disable-background-networking"]
        options = {"binary": browser, "args": [f"--{word}" for word in [*words, f"user-data-dir={folder}"]]}
        logs = {"browser": "ALL", "performance": "ALL"}
        wanted = {"alwaysMatch": {"goog:chromeOptions": options, "goog:loggingPrefs": logs}}
        try:
            self.place += "/" + self.send("", {"capabilities": wanted})["sessionId"]
        except urllib.error.HTTPError as error:
            self.process.kill()
            pytest.skip(f"Chromium does not start: {json.loads(error.read())['value']['message'][:200]}")

    def send(self, path: str, body: dict[str, Any] | None = None, method: str = "POST") -> Any:
        """One command of the protocol."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.place + path, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())["value"]

    def go(self, page: Path) -> None:
        self.send("/url", {"url": page.resolve().as_uri()})

    def run(self, script: str, *given: Any) -> Any:
        """What a function with this body returns on the page."""
        return self.send("/execute/sync", {"script": script, "args": list(given)})

    def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        steps = [{"type": kind, "value": KEYS[key]} for key in keys for kind in ("keyDown", "keyUp")]
        self.send("/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": steps}]})

    def tell(self, command: str, **given: Any) -> Any:
        """A command of Chromium's own protocol."""
        return self.send("/goog/cdp/execute", {"cmd": command, "params": given})

    def log(self, kind: str) -> list[dict[str, Any]]:
        """What has come into the log ``browser`` or ``performance`` since the last call."""
        return self.send("/se/log", {"type": kind})

    def close(self) -> None:
        try:
            self.send("", method="DELETE")
        finally:
            self.process.terminate()
            self.process.wait(30)
            if self.process.stdout is not None:
                self.process.stdout.close()
