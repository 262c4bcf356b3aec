"""What a person would notice, asked of a page by script."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver

_FAINT = """
const parse = (c) => c.match(/[\\d.]+/g).map(Number);
const over = (top, under) => {
  const a = top[3] === undefined ? 1 : top[3];
  return [0, 1, 2].map((i) => top[i] * a + under[i] * (1 - a));
};
const backOf = (node) => {
  const layers = [];
  for (let n = node; n instanceof Element; n = n.parentElement) {
    const c = parse(getComputedStyle(n).backgroundColor);
    layers.push(c);
    if (c[3] === undefined || c[3] === 1) break;
  }
  const canvas = matchMedia("(prefers-color-scheme: dark)").matches ? [0, 0, 0] : [255, 255, 255];
  return layers.reverse().reduce((under, top) => over(top, under), canvas);
};
const light = (c) => {
  const [r, g, b] = c.map((v) => v / 255)
    .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const faint = new Set();
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const parent = walker.currentNode.parentElement, words = walker.currentNode.textContent.trim();
  if (!words || parent.closest("script, style, title, .unseen, noscript, option")) continue;
  if (!parent.getClientRects().length) continue;
  const style = getComputedStyle(parent), svg = parent instanceof SVGElement;
  const box = svg && parent.matches(".sr-graph text") && parent.closest("g");
  const rect = box && box.querySelector("rect");
  const back = rect ? parse(getComputedStyle(rect).fill) : backOf(parent);
  const front = over(parse(svg ? style.fill : style.color), back);
  const [a, b] = [light(front), light(back)].sort((x, y) => y - x);
  const ratio = (a + 0.05) / (b + 0.05);
  if (ratio < 4.5) faint.add(`${ratio.toFixed(2)}: ${words.slice(0, 40)}`);
}
return [...faint];
"""

_NAMELESS = """
const named = (n) => (n.getAttribute("aria-label") || n.getAttribute("aria-labelledby")
  || (n.labels && n.labels.length) || n.textContent.trim());
const wrong = [];
for (const n of document.querySelectorAll("a, button, input:not([type=hidden]), select, summary,"
    + "[role=region], [role=img], nav, section"))
  if (!named(n)) wrong.push(n.outerHTML.slice(0, 80));
for (const t of document.querySelectorAll("table"))
  if (!t.caption || !t.caption.textContent.trim()) wrong.push("table without caption");
for (const h of document.querySelectorAll("th"))
  if (!h.scope) wrong.push(`th without scope: ${h.textContent}`);
const ids = [...document.querySelectorAll("[id]")].map((n) => n.id);
for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) wrong.push(`twice: ${id}`);
for (const tag of ["main", "header", "h1"])
  if (document.querySelectorAll(tag).length !== 1) wrong.push(`not exactly one ${tag}`);
if (!document.documentElement.lang || !document.title) wrong.push("no language or no title");
return wrong;
"""


def in_dark(browser: WebDriver, *, dark: bool) -> None:
    value = "dark" if dark else "light"
    features = [{"name": "prefers-color-scheme", "value": value}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def faint(browser: WebDriver) -> Any:
    """Texts whose contrast against what is behind them is below 4.5 (WCAG 2.2, 1.4.3)."""
    return browser.execute_script(_FAINT)


def nameless(browser: WebDriver) -> Any:
    """Whatever a screen reader could not name, or not find its way through."""
    return browser.execute_script(_NAMELESS)


def complaints(browser: WebDriver) -> list[str]:
    """What the browser itself complained about since it was last asked."""
    return [entry["message"] for entry in browser.get_log("browser")]  # type: ignore[no-untyped-call]


def wider_than_the_window(browser: WebDriver) -> bool:
    script = "return document.documentElement.scrollWidth > window.innerWidth"
    return bool(browser.execute_script(script))
