"""Asks a headless Chromium about a page in real time, over its debugging pipe.

`--dump-dom` answers either before scripts have finished or with a clock that skips idle times.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import shlex
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_END = b"\0"
_MESSAGES = {
    "Log.entryAdded": lambda told: told["entry"]["text"],
    "Runtime.exceptionThrown": lambda told: str(told["exceptionDetails"]),
    "Runtime.consoleAPICalled": lambda told: str(told["args"]),
}
"""The events that a developer sees in the console of a page, and their texts."""


class Browser:
    """A headless Chromium with a fresh profile, and a context that ends it."""

    def __init__(self, profile: Path) -> None:
        command = [
            *(str(BROWSER), "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
            *(f"--user-data-dir={profile}", "--remote-debugging-pipe", "about:blank"),
        ]
        its_read, self._write = os.pipe()
        self._read, its_write = os.pipe()
        # Chromium reads commands from descriptor 3 and answers on descriptor 4.
        redirected = f"exec {shlex.join(command)} 3<&{its_read} 4>&{its_write}"
        self._process = subprocess.Popen(
            ["bash", "-c", redirected], pass_fds=(its_read, its_write), stderr=subprocess.DEVNULL
        )
        os.close(its_read)
        os.close(its_write)
        self._numbers = itertools.count(1)
        self._arrived = b""
        self._messages: dict[str, list[str]] = {}

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(30)
        os.close(self._read)
        os.close(self._write)

    def value_of(self, expression: str, address: str, patience_s: float) -> Any:
        """Opens a page, and returns the value of a script's expression once it is not null."""
        return self.opened(address).value(expression, patience_s)

    def picture(
        self, address: str, ready: str, width: int, height: int, *, media: str, scheme: str, patience_s: float
    ) -> bytes:
        """Opens a page and returns a picture (WebP) of its beginning, once the value of `ready` is not null.

        Args:
            width: of the window, in CSS pixels.
            height: of the picture, in CSS pixels.
            media: "screen" or "print".
            scheme: "light" or "dark".
        """
        page = self.opened("about:blank")
        feature = {"name": "prefers-color-scheme", "value": scheme}
        page.ask("Emulation.setEmulatedMedia", {"media": media, "features": [feature]})
        window = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        page.ask("Emulation.setDeviceMetricsOverride", window)
        page.ask("Page.navigate", {"url": address})
        page.value(ready, patience_s)
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        asked = {"format": "webp", "quality": 80, "captureBeyondViewport": True, "clip": clip}
        return base64.b64decode(page.ask("Page.captureScreenshot", asked)["data"])

    def opened(self, address: str) -> Page:
        """Opens a page in a tab of its own."""
        target = self.ask("Target.createTarget", {"url": address})["targetId"]
        session = self.ask("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        return Page(self, session)

    def ask(self, method: str, params: dict[str, Any], session: str | None = None) -> dict[str, Any]:
        """Sends a command of the Chrome DevTools Protocol, and returns its result.

        Raises:
            RuntimeError: The browser refuses the command, or has ended.
        """
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": params}
        if session is not None:
            message["sessionId"] = session
        os.write(self._write, json.dumps(message).encode() + _END)
        while True:  # events come between answers
            answer = self._next()
            if (kind := answer.get("method")) in _MESSAGES:
                self.messages_of(answer["sessionId"]).append(_MESSAGES[kind](answer["params"]))
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                result: dict[str, Any] = answer["result"]
                return result

    def messages_of(self, session: str) -> list[str]:
        """Returns the messages of a tab that have come with answers so far; the list grows with them."""
        return self._messages.setdefault(session, [])

    def _next(self) -> dict[str, Any]:
        while _END not in self._arrived:
            piece = os.read(self._read, 1 << 16)
            if not piece:
                raise RuntimeError("the browser has ended")
            self._arrived += piece
        first, _, self._arrived = self._arrived.partition(_END)
        found: dict[str, Any] = json.loads(first)
        return found


class Page:
    """An open page of a `Browser`."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser, self._session = browser, session

    def ask(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """Sends a command about this page, as `Browser.ask` does."""
        return self._browser.ask(method, params or {}, self._session)

    def show(self, address: str) -> list[str]:
        """Goes to an address; returns the messages of the page's console, a list that grows as they come."""
        for domain in ("Log", "Runtime"):
            self.ask(f"{domain}.enable")
        self.ask("Page.navigate", {"url": address})
        return self._browser.messages_of(self._session)

    def close(self) -> None:
        """Closes the tab, whose page then takes no more time."""
        self.ask("Page.close")

    def run(self, expression: str) -> Any:
        """Evaluates a script's expression once, waits if it is a promise, and returns the value.

        Raises:
            RuntimeError: The script fails.
        """
        options = {"expression": expression, "awaitPromise": True, "returnByValue": True}
        found = self.ask("Runtime.evaluate", options)
        if "exceptionDetails" in found:
            raise RuntimeError(found["result"].get("description") or found["exceptionDetails"]["text"])
        return found["result"].get("value")

    def value(self, expression: str, patience_s: float) -> Any:
        """Returns the value of an expression once it is not null.

        Raises:
            TimeoutError: It still is after `patience_s`.
        """
        until = time.monotonic() + patience_s
        while time.monotonic() < until:
            found = self.ask("Runtime.evaluate", {"expression": expression})["result"].get("value")
            if found is not None:
                return found
            time.sleep(0.1)
        raise TimeoutError(f"{expression} has no value within {patience_s:g} s")
