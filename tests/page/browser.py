#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Looks at pages of examples/page in a headless browser: on a phone and on a desktop, light and dark.

usage: browser.py [--screenshots FOLDER] PAGE.html...

For each page: nothing is fetched, nothing goes wrong in its console, nothing is wider than the screen but what scrolls by
itself, all text can be told from what is behind it, each figure shows something, and each column of each table sorts.
Exit code 77 where there is no Chromium. It is spoken to through a pipe; nothing but Python's library is needed.
"""
import base64
import contextlib
import json
import os
import pathlib
import select
import shutil
import subprocess
import sys
import tempfile
import time

PROGRAMS = ["chromium", "chromium-browser", "google-chrome", "chrome"]
SIZES = {"phone": (390, 844), "desktop": (1280, 800)}
TIMEOUT = 60  # seconds for one answer

# Runs in the page -> a list of what is wrong.
CHECKS = r"""
(() => {
  const wrong = [];
  const shown = (element) => element.getClientRects().length > 0;
  const name = (element) => element.tagName + " " + JSON.stringify(element.textContent.trim().slice(0, 40));
  if (document.documentElement.scrollWidth > innerWidth)
    wrong.push(`the page is ${document.documentElement.scrollWidth} wide, the screen ${innerWidth}`);

  const channels = (color) => (color.match(/[\d.]+/g) || []).map(Number);
  const luminance = (color) => {
    const [r, g, b] = channels(color).map((c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a, b) => {
    const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
    return (high + 0.05) / (low + 0.05);
  };
  const isClear = (color) => color === "none" || (channels(color).length === 4 && channels(color)[3] === 0);
  const background = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor;
      if (!isClear(color)) return color;
    }
    return "rgb(255, 255, 255)";
  };
  // Of a drawing: the last box before the text that holds its middle.
  const behind = (text) => {
    const box = text.getBoundingClientRect(), x = (box.left + box.right) / 2, y = (box.top + box.bottom) / 2;
    let color = background(text);
    for (const rect of text.ownerSVGElement.querySelectorAll("rect")) {
      if (!(rect.compareDocumentPosition(text) & Node.DOCUMENT_POSITION_FOLLOWING)) break;
      const r = rect.getBoundingClientRect(), fill = getComputedStyle(rect).fill;
      if (r.left <= x && x <= r.right && r.top <= y && y <= r.bottom && !isClear(fill)) color = fill;
    }
    return color;
  };
  for (const element of document.querySelectorAll("h1, h2, h3, p, pre, td, th, button, a, summary, figcaption, b, svg text")) {
    if (!shown(element) || element.textContent.trim() === "") continue;
    const inside = element.ownerSVGElement;
    const color = getComputedStyle(element)[inside ? "fill" : "color"];
    const ratio = contrast(color, inside ? behind(element) : background(element));
    if (ratio < 4.5) wrong.push(`${name(element)} has a contrast of ${ratio.toFixed(2)}`);
    const height = element.getBoundingClientRect().height;
    if (height < 8) wrong.push(`${name(element)} is ${height.toFixed(1)} pixels high`);
  }

  for (const figure of document.querySelectorAll("figure")) {
    const svg = figure.querySelector("svg"), box = svg && svg.getBoundingClientRect();
    if (figure.querySelector(".empty")) continue;
    if (!svg || box.width < 250 || box.height < 60) { wrong.push(`${name(figure)} has no room`); continue; }
    const marks = [...svg.querySelectorAll("path, .bar")];
    if (marks.length === 0) wrong.push(`${name(figure)} shows nothing`);
    for (const mark of marks) {
      const style = getComputedStyle(mark), paint = mark.tagName === "path" ? style.stroke : style.fill;
      if (contrast(paint, background(svg)) < 2.5) wrong.push(`${name(figure)} has a mark that nobody sees`);
    }
    const texts = [...svg.querySelectorAll("text")].map((text) => text.getBoundingClientRect());
    if (texts.some((text) => text.left < box.left - 1 || text.right > box.right + 1))
      wrong.push(`${name(figure)} has text beyond its edge`);
  }

  for (const table of document.querySelectorAll("table")) {
    const keys = (column) => [...table.tBodies[0].rows].map((row) => row.cells[column].dataset.key);
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      for (const sign of [1, -1]) {
        head.querySelector("button").click();
        const all = keys(column), known = all.filter((key) => key !== undefined).map(Number);
        if (known.some((key, i) => i > 0 && sign * (key - known[i - 1]) < 0) ||
            all.slice(0, known.length).includes(undefined))
          wrong.push(`${name(head)} does not sort`);
      }
    });
  }
  for (const link of document.querySelectorAll("a[href^='#']"))
    if (!document.getElementById(link.getAttribute("href").slice(1))) wrong.push(`${name(link)} leads nowhere`);
  return wrong;
})()
"""


def find():
    """The path of a browser, or None. MLGRAPH_BROWSER names another."""
    for name in [os.environ["MLGRAPH_BROWSER"]] if "MLGRAPH_BROWSER" in os.environ else PROGRAMS:
        if path := shutil.which(name):
            return path
    return None


class Browser:
    """A Chromium with one tab."""

    def __init__(self, program):
        self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        from_us, self.to_browser = os.pipe()
        self.from_browser, to_us = os.pipe()

        def place():  # the browser reads from 3 and writes to 4
            first, second = os.dup(from_us), os.dup(to_us)
            os.dup2(first, 3)
            os.dup2(second, 4)

        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                 "--disable-extensions", "--disable-background-networking", "--remote-debugging-pipe",
                 "--user-data-dir=" + self.folder.name]
        self.process = subprocess.Popen([program, *flags], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, preexec_fn=place, close_fds=False)
        os.close(from_us)
        os.close(to_us)
        self.number, self.session, self.rest, self.events = 0, None, b"", []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(domain + ".enable")

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.to_browser)
        os.close(self.from_browser)
        self.folder.cleanup()

    def message(self):
        """The next message."""
        end = time.monotonic() + TIMEOUT
        while b"\0" not in self.rest:
            if not select.select([self.from_browser], [], [], max(0, end - time.monotonic()))[0]:
                raise TimeoutError("the browser does not answer")
            some = os.read(self.from_browser, 1 << 16)
            if not some:
                raise EOFError("the browser has ended")
            self.rest += some
        one, self.rest = self.rest.split(b"\0", 1)
        return json.loads(one)

    def ask(self, method, **params):
        self.number += 1
        question = {"id": self.number, "method": method, "params": params}
        if self.session:
            question["sessionId"] = self.session
        os.write(self.to_browser, json.dumps(question).encode() + b"\0")
        while True:
            answer = self.message()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError("%s: %s" % (method, answer["error"]["message"]))
                return answer["result"]
            self.events.append(answer)

    def open(self, path, size, scheme):
        width, height = size
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                 mobile=width < 600)
        self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.events = []
        error = self.ask("Page.navigate", url=pathlib.Path(path).resolve().as_uri()).get("errorText")
        if error:
            raise OSError("%s: %s" % (path, error))
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self.message())

    def evaluate(self, script):
        answer = self.ask("Runtime.evaluate", expression=script, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"]["exception"]["description"])
        return answer["result"].get("value")

    def complaints(self):
        """What went wrong in the console, and what was fetched from elsewhere."""
        said = []
        for event in self.events:
            method, params = event.get("method"), event.get("params", {})
            if method == "Runtime.exceptionThrown":
                said.append(params["exceptionDetails"]["exception"]["description"])
            elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
                said.append("console: %s" % params["args"])
            elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
                said.append(params["entry"]["text"])
            elif method == "Network.requestWillBeSent" and not params["request"]["url"].startswith(("file:", "data:")):
                said.append("fetches " + params["request"]["url"])
        return said

    def screenshot(self, path):
        size = self.ask("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], 8000), "scale": 1}
        data = self.ask("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)["data"]
        pathlib.Path(path).write_bytes(base64.b64decode(data))


def look_at(browser, path, screenshots=None):
    """What is wrong with a page, as sentences."""
    wrong = []
    for device, size in SIZES.items():
        for scheme in ("light", "dark"):
            browser.open(path, size, scheme)
            if screenshots:
                browser.screenshot(pathlib.Path(screenshots) / ("%s_%s_%s.png" % (pathlib.Path(path).stem, device, scheme)))
            found = browser.evaluate(CHECKS)
            wrong += ["%s, %s: %s" % (device, scheme, what) for what in found + browser.complaints()]
    return wrong


def main(arguments):
    screenshots = None
    if arguments[:1] == ["--screenshots"]:
        screenshots, arguments = arguments[1], arguments[2:]
    if not arguments:
        sys.exit(__doc__)
    program = find()
    if not program:
        print("skipped: there is no Chromium (Debian: chromium)")
        return 77
    wrong = []
    with contextlib.closing(Browser(program)) as browser:
        for path in arguments:
            found = look_at(browser, path, screenshots)
            figures = browser.evaluate("document.querySelectorAll('figure svg').length")
            print("%s: %d figures, %d things wrong" % (path, figures, len(found)))
            wrong += found
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
