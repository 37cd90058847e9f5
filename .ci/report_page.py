"""Looks at a page of the simulator in Chromium, as people see it: light, dark, on a phone, and with the keyboard alone.

    report_page.py CHROMIUM PAGE.html FOLDER

Leaves screenshots in FOLDER. Talks to the browser over a pipe; needs nothing but Python.
"""

import base64
import json
import os
import pathlib
import select
import struct
import subprocess
import sys
import tempfile
import time
import zlib

PATIENCE = 30


class Browser:
    """A browser without a window, and everything it has complained about or asked for."""

    def __init__(self, program, profile):
        to_child, self.out = os.pipe()
        self.inp, from_child = os.pipe()

        def wires():
            # The browser reads its file 3 and writes its file 4; neither may be in the other's way.
            spare_in, spare_out = os.dup(to_child), os.dup(from_child)
            os.dup2(spare_in, 3)
            os.dup2(spare_out, 4)

        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                 "--disable-extensions", "--disable-background-networking", "--hide-scrollbars",
                 "--remote-debugging-pipe", f"--user-data-dir={profile}", "about:blank"]
        self.process = subprocess.Popen([program, *flags], preexec_fn=wires, close_fds=False,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_child)
        os.close(from_child)
        self.rest, self.number, self.session = b"", 0, None
        self.requests, self.errors, self.loaded = [], [], 0
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ["Page", "Runtime", "Network", "Log"]:
            self.ask(f"{domain}.enable")

    def ask(self, method, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.hear()
            if answer.get("id") == self.number:
                if "error" in answer:
                    sys.exit(f"{method}: {answer['error']}")
                return answer["result"]

    def hear(self):
        while b"\0" not in self.rest:
            ready, _, _ = select.select([self.inp], [], [], PATIENCE)
            more = os.read(self.inp, 1 << 16) if ready else b""
            if not more:
                sys.exit("the browser has gone silent")
            self.rest += more
        one, self.rest = self.rest.split(b"\0", 1)
        message = json.loads(one)
        params = message.get("params", {})
        match message.get("method"):
            case "Network.requestWillBeSent":
                self.requests.append(params["request"]["url"])
            case "Page.loadEventFired":
                self.loaded += 1
            case "Runtime.exceptionThrown":
                self.errors.append(json.dumps(params["exceptionDetails"])[:500])
            case "Runtime.consoleAPICalled" if params["type"] in ("error", "warning", "assert"):
                self.errors.append(json.dumps(params["args"])[:500])
            case "Log.entryAdded" if params["entry"]["level"] in ("error", "warning"):
                self.errors.append(params["entry"]["text"])
        return message

    def open(self, url, width, height, scheme, mobile):
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)
        self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        before = self.loaded
        self.ask("Page.navigate", url=url)
        while self.loaded == before:
            self.hear()
        # The chart draws itself when its size is known.
        self.until("document.querySelectorAll('.chart svg path').length > 3", "no chart was drawn")

    def run(self, script):
        answer = self.ask("Runtime.evaluate", expression=script, returnByValue=True)
        if "exceptionDetails" in answer:
            sys.exit(f"{script}: {json.dumps(answer['exceptionDetails'])[:500]}")
        return answer["result"].get("value")

    def until(self, script, why):
        end = time.monotonic() + PATIENCE
        while not self.run(script):
            if time.monotonic() > end:
                sys.exit(f"{why}; console: {self.errors}; requests: {self.requests}")
            time.sleep(0.05)

    def press(self, key, code):
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            self.ask("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **text)

    def shoot(self, path, selector=None):
        clip = {}
        if selector:
            box = self.run(f"(() => {{ const b = document.querySelector('{selector}').getBoundingClientRect();"
                           "return [b.x + scrollX, b.y + scrollY, b.width, b.height]; })()")
            clip = {"clip": {"x": box[0], "y": box[1], "width": box[2], "height": box[3], "scale": 1},
                    "captureBeyondViewport": True}
        data = base64.b64decode(self.ask("Page.captureScreenshot", format="png", **clip)["data"])
        path.write_bytes(data)
        return data

    def close(self):
        self.session = None
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()


def pixels(data):
    """How often each colour is in a PNG of 8 bits a channel, without interlacing."""
    at, packed = 8, b""
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + length]
        if kind == b"IHDR":
            width, height, depth, colour, *_ = struct.unpack(">IIBBBBB", body)
            step = {2: 3, 6: 4}[colour]
            assert depth == 8
        elif kind == b"IDAT":
            packed += body
        at += 12 + length
    raw, size = zlib.decompress(packed), width * step
    counts, above = {}, bytearray(size)
    for row in range(height):
        start = row * (size + 1)
        kind, line = raw[start], bytearray(raw[start + 1:start + 1 + size])
        for i in range(size):
            left = line[i - step] if i >= step else 0
            corner = above[i - step] if i >= step else 0
            if kind == 1:
                line[i] = (line[i] + left) & 255
            elif kind == 2:
                line[i] = (line[i] + above[i]) & 255
            elif kind == 3:
                line[i] = (line[i] + (left + above[i]) // 2) & 255
            elif kind == 4:
                guess = left + above[i] - corner
                near = min((left, above[i], corner), key=lambda one: abs(guess - one))
                line[i] = (line[i] + near) & 255
        for i in range(0, size, step):
            colour = bytes(line[i:i + 3])
            counts[colour] = counts.get(colour, 0) + 1
        above = line
    return counts


def near(counts, colour):
    """How many pixels have about this colour."""
    wanted = bytes.fromhex(colour.strip().lstrip("#"))
    return sum(count for one, count in counts.items() if max(abs(a - b) for a, b in zip(one, wanted)) <= 12)


def expect(truth, what):
    if not truth:
        sys.exit(f"the page: {what}")


def look(browser, url, folder, name, width, height, scheme, mobile=False):
    """One view: nothing is wider than the screen, and the chart has its colours."""
    browser.open(url, width, height, scheme, mobile)
    browser.shoot(folder / f"{name}.png")
    counts = pixels(browser.shoot(folder / f"{name}-chart.png", ".chart"))
    colours = browser.run("Object.fromEntries(['paper', 'need', 'z0', 'cost'].map((one) => [one,"
                          "getComputedStyle(document.documentElement).getPropertyValue('--' + one)]))")
    found = {one: near(counts, colour) for one, colour in colours.items()}
    expect(len(counts) > 20, f"{name}: only {len(counts)} colours in the chart")
    expect(found["paper"] > 5000, f"{name}: the chart has not the background {colours['paper']}")
    expect(found["need"] > 100, f"{name}: {found['need']} pixels of the line of need")
    expect(found["cost"] > 60, f"{name}: {found['cost']} pixels of the line of cost")
    wide = browser.run("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    expect(wide[0] <= wide[1], f"{name}: {wide[0]} wide on a screen of {wide[1]}")
    print(f"    {name}: {width}x{height}, {len(counts)} colours, pixels {found}, {wide[0]} of {wide[1]} wide")


WHY = "document.querySelector('.why').textContent"
SEEN = """(() => {
    const list = document.querySelector('.list').getBoundingClientRect();
    const item = document.querySelector('.list [aria-selected=true]').getBoundingClientRect();
    return item.top >= list.top - 1 && item.bottom <= list.bottom + 1;
})()"""
ACTIVE = "document.activeElement.className"


def keyboard(browser):
    """Everything can be reached and opened without a pointer."""
    listed = browser.run("document.querySelectorAll('.list li').length")
    told = browser.run("runs.reduce((sum, run) => sum + run.decisions.length, 0)")
    expect(listed == told and listed > 10, f"{listed} decisions in the lists, {told} in the data")
    for place in ("chart", "list"):
        for _ in range(40):
            browser.press("Tab", 9)
            if browser.run(ACTIVE) == place:
                break
        expect(browser.run(ACTIVE) == place, f"the {place} cannot be reached with Tab")
        ring = browser.run("getComputedStyle(document.activeElement).outlineStyle")
        expect(ring == "solid", f"focus on the {place} cannot be seen: {ring}")
        for key, code in (("End", 35), ("Home", 36), ("ArrowRight", 39), ("ArrowDown", 40)):
            before = browser.run(WHY)
            browser.press(key, code)
            if key.startswith("Arrow"):
                expect(browser.run(WHY) != before, f"{key} on the {place} opens nothing else")
            browser.until(SEEN, f"{key} on the {place}: the decision is not in view")
        expect(browser.run("document.querySelector('.why pre').textContent === runs[0].decisions[2].text"),
               "the explanation is not that of the third decision")
        expect(browser.run("document.querySelector('.chart').getAttribute('aria-valuenow')") == "3", "not the third")
        expect(browser.run("document.querySelectorAll('.list')[0].querySelectorAll('[aria-selected=true]').length") == 1,
               "not exactly one decision is selected")
    for _ in range(20):
        browser.press("Tab", 9)
        if browser.run("document.activeElement.tagName") == "SUMMARY":
            break
    browser.press("Enter", 13)
    browser.until("document.querySelectorAll('td').length > 20", "the numbers cannot be opened with the keyboard")
    print(f"    {listed} decisions, each opened from the keyboard; the numbers too")


def themes(browser):
    paper = "getComputedStyle(document.body).backgroundColor"
    seen = []
    for _ in range(3):
        browser.run("document.getElementById('theme').click()")
        seen.append(browser.run(paper))
    expect(len(set(seen)) == 2, f"the button changes nothing: {seen}")


def main(program, page, folder):
    began = time.monotonic()
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    url = pathlib.Path(page).resolve().as_uri()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(program, profile)
        try:
            look(browser, url, folder, "light", 1280, 1600, "light")
            keyboard(browser)
            themes(browser)
            look(browser, url, folder, "dark", 1280, 1600, "dark")
            look(browser, url, folder, "phone", 390, 844, "light", mobile=True)
            whole = browser.run("document.documentElement.scrollHeight")
            browser.open(url, 390, whole, "dark", mobile=True)
            browser.shoot(folder / "phone-whole.png")
        finally:
            browser.close()
    asked = [one for one in browser.requests if one != url and not one.startswith("data:")]
    expect(not asked, f"it asked for {asked}")
    expect(browser.requests.count(url) == 4, f"requests: {browser.requests}")
    expect(not browser.errors, f"the console says {browser.errors}")
    print(f"    no request but for the page itself, nothing in the console, {time.monotonic() - began:.1f}s")


main(*sys.argv[1:])
