"""The pages of the lessons in Chromium: errors, requests, contrast as computed there, the keyboard, a phone, paper."""

from __future__ import annotations

import base64
import json

import pytest
from webdriver import Browser

pytest.importorskip("markdown_it", reason="the pages need it: pip install '.[site]'")
pytest.importorskip("pygments", reason="the pages need it: pip install '.[site]'")

from site_of_lessons import site_of_all  # noqa: E402

CONTRAST = """
const part = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
const numbers = (color) => color.match(/[\\d.]+/g).map(Number);
const light = (color) => {
  const [red, green, blue] = numbers(color).map((value) => part(value / 255));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
};
const ground = (element) => {
  for (; element; element = element.parentElement) {
    const color = getComputedStyle(element).backgroundColor;
    if (numbers(color)[3] !== 0) return color;
  }
  return "rgb(255, 255, 255)";
};
document.querySelectorAll("details").forEach((one) => (one.open = true));
const words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
const found = [];
let count = 0;
while (words.nextNode()) {
  const element = words.currentNode.parentElement;
  if (!words.currentNode.data.trim() || !element.checkVisibility()) continue;
  count++;
  const [low, high] = [light(getComputedStyle(element).color), light(ground(element))].sort((a, b) => a - b);
  if ((high + 0.05) / (low + 0.05) < 4.5) found.push(words.currentNode.data.trim().slice(0, 40));
}
return [count, found];
"""

REACHABLE = """
const boxes = [...document.querySelectorAll("pre, .scroll")];
return boxes.every((box) => box.scrollWidth <= box.clientWidth || box.tabIndex === 0);
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    opened = Browser(tmp_path_factory.mktemp("profile"))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    return site_of_all(tmp_path_factory.mktemp("all"))


def focused(browser):
    return browser.run("const it = document.activeElement; return (it.id || it.textContent).trim().slice(0, 40)")


def file_name(browser):
    return browser.run("return location.pathname.split('/').pop()")


def test_no_page_has_errors_or_asks_for_anything_elsewhere(browser, site):
    for page in sorted(site.glob("*.html")):
        browser.go(page)
    assert [entry["message"] for entry in browser.log("browser")] == []
    messages = [json.loads(entry["message"])["message"] for entry in browser.log("performance")]
    requests = [one["params"] for one in messages if one["method"] == "Network.requestWillBeSent"]
    asked = [one["request"]["url"] for one in requests if not one["documentURL"].startswith("chrome:")]  # its own pages
    assert len(asked) > 20
    assert [url for url in asked if not url.startswith((site.as_uri(), "data:"))] == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_all_words_can_be_read(browser, site, theme):
    browser.tell("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])
    for name in ("index", "01_scalar", "04_convolution"):
        browser.go(site / f"{name}.html")
        count, found = browser.run(CONTRAST)
        assert count > 30 and found == []
    background = browser.run("return getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") == (theme == "light")


def test_the_switch_holds_on_the_next_page(browser, site):
    browser.tell("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "light"}])
    browser.go(site / "index.html")
    assert browser.run("return localStorage.length") == 0
    pressed = "return document.getElementById('theme').getAttribute('aria-pressed')"
    assert browser.run(pressed) == "false"
    browser.run("document.getElementById('theme').click()")
    browser.go(site / "01_scalar.html")
    assert browser.run(pressed) == "true"
    assert browser.run(CONTRAST)[1] == []
    assert browser.run("return getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
    assert browser.run("return [localStorage.length, sessionStorage.length, document.cookie]") == [1, 0, ""]
    browser.run("localStorage.clear()")


def test_the_keyboard_reaches_everything_and_is_nowhere_trapped(browser, site):
    browser.go(site / "04_convolution.html")
    browser.press("Tab")
    assert focused(browser) == "Skip to the text"
    assert browser.run("return document.activeElement.getBoundingClientRect().left") >= 0
    browser.press("Tab", "Tab")
    assert focused(browser) == "theme"
    wanted = browser.run("return document.querySelectorAll('a, button, summary, [tabindex=\"0\"]').length")
    seen = 3
    outlines = set()
    while browser.run("return document.activeElement !== document.body") and seen <= wanted:
        outlines.add(browser.run("return getComputedStyle(document.activeElement).outlineStyle"))
        browser.press("Tab")
        seen += 1
    hidden = browser.run("return [...document.querySelectorAll('details:not([open]) a')].length")
    assert seen - 1 == wanted - hidden
    assert outlines == {"solid"}


def test_keys_skip_open_hints_and_turn_pages(browser, site):
    browser.go(site / "04_convolution.html")
    browser.press("Tab", "Enter")
    assert focused(browser) == "main"
    browser.run("document.querySelector('.hints summary').focus()")
    browser.press("Enter")
    assert browser.run("return document.querySelector('.hints details').open")
    browser.press("Right")
    assert file_name(browser) == "05_im2col.html"
    browser.press("Left")
    assert file_name(browser) == "04_convolution.html"
    browser.run("const it = document.querySelector('pre'); it.tabIndex = 0; it.focus()")
    browser.press("Right")
    assert file_name(browser) == "04_convolution.html"


def test_a_phone_scrolls_in_one_direction(browser, site):
    browser.tell("Emulation.setDeviceMetricsOverride", width=320, height=640, deviceScaleFactor=1, mobile=True)
    try:
        for page in sorted(site.glob("*.html")):
            browser.go(page)
            assert browser.run("return document.documentElement.scrollWidth") == 320, page.name
            assert browser.run(REACHABLE), page.name
    finally:
        browser.tell("Emulation.clearDeviceMetricsOverride")


def test_without_scripts_all_is_there_but_the_switch(browser, site):
    browser.tell("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.go(site / "04_convolution.html")
        tree = browser.tell("Accessibility.getFullAXTree")["nodes"]
    finally:
        browser.tell("Emulation.setScriptExecutionDisabled", value=False)
    roles = [node["role"]["value"] for node in tree if not node["ignored"]]
    assert {"banner", "main", "navigation", "contentinfo", "heading", "image"} <= set(roles)
    assert "button" not in roles and roles.count("DisclosureTriangle") > 5


def test_paper_is_light_and_has_no_menus(browser, site):
    browser.tell(
        "Emulation.setEmulatedMedia", media="print", features=[{"name": "prefers-color-scheme", "value": "dark"}]
    )
    browser.go(site / "04_convolution.html")
    shown = "return document.querySelector(arguments[0]).checkVisibility()"
    assert not any(browser.run(shown, name) for name in ("header", "nav", "footer", ".hints", "details"))
    assert all(browser.run(shown, name) for name in ("main", "pre", "img"))
    assert browser.run("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    pdf = base64.b64decode(browser.tell("Page.printToPDF")["data"])
    browser.tell("Emulation.setEmulatedMedia", media="")
    assert pdf.startswith(b"%PDF") and 3 <= pdf.count(b"/Type /Page\n") <= 15
