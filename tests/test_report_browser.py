"""The report in a real browser: nothing is loaded, nothing runs, it fits a phone and prints both states."""

import shutil
from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from run_folder_example import NAMES, build

from molehunt.report.page import write_report

pytestmark = pytest.mark.browser

HOSTILE = (
    "<img src=x onerror=alert(1)><svg onload=alert(3)></svg><script>alert(2)</script>\x1b[31m"
    + "A" * 1_000_000
)
PATIENCE = 300_000
"""Milliseconds: other work on the machine must not fail a test."""
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no Chromium on this system (looked for {', '.join(BROWSERS)})")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        opened = play.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The page of a stage, made once."""
    stages: dict[str, dict[str, Any]] = {
        "opened": {},
        "sealed": {"opened": False},
        "planted": {"judged": False},
        "hostile": {"reply": HOSTILE},
    }
    return cache(lambda stage: write_report(build(tmp_path_factory.mktemp(stage), **stages[stage])))


Pages = Callable[[str], Path]


class Visit:
    """One page, with all that it asked for and complained of."""

    def __init__(self, browser: Any, path: Path, width: int, scheme: str = "light") -> None:
        self.noise: list[str] = []
        self.page = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme
        ).new_page()
        self.page.set_default_timeout(PATIENCE)
        self.page.on("console", lambda m: self.noise.append(f"console: {m.text}"))
        self.page.on("pageerror", lambda e: self.noise.append(f"error: {e}"))
        self.page.on("dialog", lambda d: (self.noise.append(f"dialog: {d.message}"), d.dismiss()))
        self.page.on("request", lambda r: self._asked(r.url, path))
        self.page.goto(path.as_uri())

    def _asked(self, url: str, path: Path) -> None:
        if url not in (path.as_uri(), "data:,"):
            self.noise.append(f"request: {url}")

    def measure(self, script: str) -> Any:
        return self.page.evaluate(script)


@pytest.mark.parametrize("stage", ["opened", "sealed", "planted"])
def test_the_page_is_quiet_and_never_wider_than_its_window(browser: Any, pages: Pages, stage: str) -> None:
    visit = Visit(browser, pages(stage), 1200)
    visit.measure("for (const d of document.querySelectorAll('details')) d.open = true")
    for scheme in ("light", "dark"):
        visit.page.emulate_media(color_scheme=scheme)
        for width in (320, 390, 768, 1200):
            visit.page.set_viewport_size({"width": width, "height": 900})
            assert visit.measure("document.documentElement.scrollWidth") <= width, (scheme, width)
    assert visit.noise == []


def test_hostile_text_is_inert(browser: Any, pages: Pages) -> None:
    visit = Visit(browser, pages("hostile"), 390)
    visit.measure("for (const d of document.querySelectorAll('details')) d.open = true")
    visit.page.wait_for_timeout(200)
    assert visit.noise == []
    assert visit.measure("document.querySelectorAll('main img, script, [onerror], [onload]').length") == 0
    assert visit.measure("document.documentElement.scrollWidth") <= 390
    assert "<img src=x onerror=alert(1)>" in visit.page.inner_text("#guesses")


def test_the_policy_would_stop_a_script_and_a_style_that_slipped_in(
    browser: Any, pages: Pages, tmp_path: Path
) -> None:
    visit = Visit(browser, pages("opened"), 390)
    path = tmp_path / "report.html"
    inside = "<script>alert(1)</script><b id=slipped style='color: rgb(1, 2, 3)'>x</b></main>"
    clean = pages("opened").read_text(encoding="utf-8")
    path.write_text(clean.replace("</main>", inside), encoding="utf-8")
    visit.page.goto(path.as_uri())
    assert not [n for n in visit.noise if n.startswith("dialog")]
    assert visit.measure("getComputedStyle(document.getElementById('slipped')).color") != "rgb(1, 2, 3)"


def test_words_that_matter_are_marked_and_seen(browser: Any, pages: Pages) -> None:
    visit = Visit(browser, pages("opened"), 1200)
    marks = visit.page.locator("#guesses .reply mark:visible")
    assert "Zephyr" in marks.all_inner_texts()
    assert "underline" in visit.measure("getComputedStyle(document.querySelector('mark')).textDecorationLine")


def test_on_stands_beside_off_on_a_desk_and_above_it_on_a_phone(browser: Any, pages: Pages) -> None:
    where = (
        "[...document.querySelectorAll('.pair')].find(p => p.offsetParent).querySelectorAll(':scope > div')"
    )
    for width, beside in ((1200, True), (390, False)):
        visit = Visit(browser, pages("opened"), width)
        left, right = visit.measure(f"[...{where}].map(d => d.getBoundingClientRect().top)")
        assert (left == right) == beside


def test_the_envelope_opens_and_closes_from_the_keyboard(browser: Any, pages: Pages) -> None:
    visit = Visit(browser, pages("opened"), 1200)
    before, after = visit.page.locator(".card .before:visible"), visit.page.locator(".card .after:visible")
    assert (before.count(), after.count()) == (0, len(NAMES))
    visit.page.focus("#show-opened")
    visit.page.keyboard.press("ArrowLeft")
    assert (before.count(), after.count()) == (len(NAMES), 0)


@pytest.mark.parametrize("choice", ["show-sealed", "show-opened"])
def test_print_shows_both_states_whatever_was_chosen(browser: Any, pages: Pages, choice: str) -> None:
    visit = Visit(browser, pages("opened"), 1200)
    visit.page.click(f"label[for={choice}]")
    visit.page.emulate_media(media="print")
    for state in ("before", "after"):
        assert visit.page.locator(f".card .{state}:visible").count() == len(NAMES)
    assert visit.page.locator("nav:visible, .switch:visible").count() == 0
    assert visit.page.pdf(format="A4").startswith(b"%PDF")


def test_plots_are_named_and_no_text_in_them_is_cut_off(browser: Any, pages: Pages) -> None:
    visit = Visit(browser, pages("opened"), 390)
    assert visit.measure("document.querySelectorAll('figure svg').length") > 3
    unnamed = (
        "[...document.querySelectorAll('figure svg')].filter(s => !s.querySelector('title').textContent)"
    )
    assert visit.measure(f"{unnamed}.length") == 0
    outside = """[...document.querySelectorAll('figure svg text')].filter(t => {
        const a = t.getBoundingClientRect(), b = t.ownerSVGElement.getBoundingClientRect();
        return a.left < b.left - 1 || a.right > b.right + 1 || a.bottom > b.bottom + 1;
    }).map(t => t.textContent)"""
    assert visit.measure(outside) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(browser: Any, pages: Pages, scheme: str) -> None:
    """WCAG 2.2 AA: contrast of at least 4.5 for every element with text of its own."""
    visit = Visit(browser, pages("opened"), 1200, scheme)
    faint = """() => {
        const part = v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
        const light = c => { const [r, g, b] = c.match(/[\\d.]+/g).map(Number).map(part);
                             return .2126 * r + .7152 * g + .0722 * b; };
        const ground = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
                              if (!/, 0\\)$|transparent/.test(c)) return c; } return 'rgb(255, 255, 255)'; };
        const own = e => [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
        const found = [];
        for (const e of document.querySelectorAll('body *')) {
            const svg = e.namespaceURI.endsWith('svg'), style = getComputedStyle(e);
            if (!own(e) || svg && e.localName !== 'text' || !e.checkVisibility()) continue;
            const a = light(svg ? style.fill : style.color), b = light(ground(e));
            const contrast = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
            if (contrast < 4.5) found.push(e.textContent.slice(0, 30) + ' ' + contrast.toFixed(2));
        }
        return found; }"""
    assert visit.measure(faint) == []


def test_landmarks_and_headings_are_in_order(browser: Any, pages: Pages) -> None:
    visit = Visit(browser, pages("opened"), 1200)
    for landmark in ("header", "nav", "main", "footer"):
        assert visit.measure(f"document.querySelectorAll('{landmark}').length") == 1
    levels = visit.measure("[...document.querySelectorAll('h1, h2, h3')].map(h => +h.tagName[1])")
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))
