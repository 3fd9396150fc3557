"""Pages of features in a real browser: quiet, inert, searchable, and no wider than a phone."""

import json
from pathlib import Path
from typing import Any

import pytest
from test_report_browser import PATIENCE, browser  # noqa: F401

from molehunt.report.page import HERE as REPORT
from molehunt.report.sheet import Grid, Section, Sheet, write_sheet
from molehunt.report.site import FeaturePage, Instance, Row, Run, histogram, render_feature, render_index

pytestmark = pytest.mark.browser
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\u2028\x1b[2J'\"&lt;"
MANY = 10_000


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of ten thousand features, and one page."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "feature").mkdir()
    rows = [
        Row(
            i,
            i * 7 % 1000,
            f"{i / MANY:.3%}",
            i / 3,
            f"{HOSTILE} label {i}",
            i % 100 / 100 if i % 3 else None,
        )
        for i in range(MANY)
    ]
    (folder / "index.html").write_text(render_index("Features", HOSTILE, rows, ("nothing",)), "utf-8")
    runs = (Run(f"silent {HOSTILE} "), Run(HOSTILE, 10, "3.2", True), Run(" x" * 400), Run("low", 1, "0.1"))
    page = FeaturePage(
        *(9_999, 9_998, None, HOSTILE, (HOSTILE,), HOSTILE),
        histogram([5, 0, 1000, 12], [0.1, 0.2, 0.3, 0.4, 0.5], "f"),
        ((HOSTILE, "+1"),),
        ((HOSTILE, "-1"),),
        ((3, "0.5", HOSTILE),),
        "2 of 2 places.",
        (Instance("3.2", runs), Instance("0.1", runs[3:])),
    )
    (folder / "feature" / "9999.html").write_text(render_feature(page), "utf-8")
    return folder


def visit(browser: Any, path: Path, width: int = 1200) -> tuple[Any, list[str]]:  # noqa: F811
    """A page, and all that it asked for or complained of."""
    noise: list[str] = []
    page = browser.new_context(viewport={"width": width, "height": 900}).new_page()
    page.set_default_timeout(PATIENCE)
    page.on("console", lambda m: noise.append(f"console: {m.text}"))
    page.on("pageerror", lambda e: noise.append(f"error: {e}"))
    page.on("dialog", lambda d: (noise.append(f"dialog: {d.message}"), d.dismiss()))
    wanted = (path.as_uri(), "data:,")
    page.on("request", lambda r: None if r.url in wanted else noise.append(f"request: {r.url}"))
    page.goto(path.as_uri())
    return page, noise


def test_the_index_of_ten_thousand_is_searched_sorted_and_inert(browser: Any, site: Path) -> None:  # noqa: F811
    page, noise = visit(browser, site / "index.html")
    assert page.locator("#body tr").count() == 100 and "10,000 of 10,000" in page.inner_text("#said")
    page.fill("#find", "LABEL 9998")
    assert page.locator("#body tr").count() == 1
    assert page.get_attribute("#body a", "href") == "feature/9998.html"
    assert "<img src=x onerror=alert(2)>" in page.inner_text("#body")
    page.fill("#find", "")
    page.select_option("#order", "highest")
    assert page.inner_text("#body tr:first-child a") == "9999"
    page.select_option("#order", "score")
    assert page.inner_text("#body tr:first-child td:last-child") == "0.99"
    page.click("#more")
    assert page.locator("#body tr").count() == 1100
    page.fill("#find", "no such words")
    assert page.locator("#body tr").count() == 0 and page.inner_text("#said").startswith("0 of")
    timing = "JSON.stringify(performance.getEntriesByType('navigation')[0])"
    spent = json.loads(page.evaluate(timing))
    print(f"index of {MANY:,}: loaded in {spent['loadEventEnd']:.0f} ms")  # said, not asserted
    assert noise == [] and page.evaluate("document.querySelectorAll('img, [onerror]').length") == 0


def test_the_index_is_read_on_a_phone(browser: Any, site: Path) -> None:  # noqa: F811
    page, noise = visit(browser, site / "index.html", 390)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390 and noise == []
    size = "document.querySelector('{}').getBoundingClientRect().{}"
    assert page.evaluate(size.format("thead tr", "height")) < 80, "headings do not stand on their ends"
    assert page.evaluate(size.format("#body tr td:nth-child(2)", "width")) > 180
    assert "label 0" in page.inner_text("#body tr:first-child td:nth-child(2)")


def test_headings_of_an_instruments_tables_are_not_broken_within_words(
    browser: Any,  # noqa: F811
    tmp_path: Path,
) -> None:
    heads = ("feature", "change a token", "unsteered mean", "most under a random direction")
    grid = Grid(heads, (("7", "0.71 [0.37, 1.04]", "0.09", "0.50"),))
    write_sheet(tmp_path / "x.html", Sheet("Title", "", (), (Section("Part", "", tables=(grid,)),), ()))
    page, noise = visit(browser, tmp_path / "x.html", 390)
    tall = page.evaluate("document.querySelector('.data thead tr').getBoundingClientRect().height")
    assert tall < 120 and page.evaluate("document.documentElement.scrollWidth") <= 390 and noise == []


def test_a_histogram_of_millions_keeps_its_labels_within_the_drawing(
    browser: Any,  # noqa: F811
    tmp_path: Path,
) -> None:
    style, drawn = (REPORT / "site.css").read_text("utf-8"), histogram([4_000_000, 7], [0, 1, 2], "h")
    (tmp_path / "x.html").write_text(f"<!doctype html><style>{style}</style><figure>{drawn}</figure>")
    page, _ = visit(browser, tmp_path / "x.html")
    texts = page.locator("svg text").all()
    whole = page.locator("svg").bounding_box()
    assert {"10,000,000", "tokens"} <= {t.text_content() for t in texts}
    for box in (t.bounding_box() for t in texts):
        assert box["x"] >= whole["x"] and box["x"] + box["width"] <= whole["x"] + whole["width"] + 1


def test_the_index_stands_without_scripts(browser: Any, site: Path) -> None:  # noqa: F811
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto((site / "index.html").as_uri())
    assert page.locator("#body tr").count() == 100 and not page.is_visible("#search")


def test_a_feature_is_shaded_linked_and_fits_a_phone(browser: Any, site: Path) -> None:  # noqa: F811
    page, noise = visit(browser, site / "feature" / "9999.html", 320)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    assert page.evaluate("document.querySelectorAll('img, script, [onerror]').length") == 0
    ground = "getComputedStyle(document.querySelector('{}')).backgroundColor"
    strong, weak = (page.evaluate(ground.format(s)) for s in (".s10", ".s1"))
    assert strong != weak and "0, 0, 0, 0" not in weak
    under = "parseFloat(getComputedStyle(document.querySelector('{}')).borderBottomWidth)"
    assert page.evaluate(under.format(".s10")) > page.evaluate(under.format(".s1"))
    assert page.get_attribute(".top", "title") == "3.2" and page.locator("rect.bar").count() == 3
    assert page.get_attribute("nav a", "href") == "../index.html" and noise == []
