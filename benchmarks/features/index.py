"""How long does an index of ten thousand features take to open, and to answer a search, in Chromium?

    python benchmarks/features/index.py [--features 10000] [--times 5]

Renders an index of made-up features with labels of some sixty letters, opens it from disk in a fresh page
each time, and types three letters into its search. Beside the seconds that passed stand the seconds of
processor time that the page's own process took, which say more on a machine that is busy. Prints its part
of `results.json`, and writes that and `README.md` beside this file, except with `--quick`.
"""

import argparse
import datetime
import json
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from page import keep
from playwright.sync_api import sync_playwright

from molehunt.models.machine import this_machine
from molehunt.report.site import Row, render_index

HERE = Path(__file__).parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def main() -> None:
    """Render, open, search, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--features", type=int, default=10_000)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument(
        "--quick", action="store_true", help="1,000 features, three times; nothing is written"
    )
    options = parser.parse_args()
    if options.quick:
        options.features, options.times = 1000, 3
    rows = [
        Row(
            i,
            i * 97 % 50_000,
            f"{i / 1e6:.3%}",
            i / 7,
            f"at “word{i}”, “other{i}”; not far after “third{i}”",
            0.5,
        )
        for i in range(options.features)
    ]
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        raise SystemExit(f"no Chromium on this system (looked for {', '.join(BROWSERS)})")
    seen: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as play:
        path = Path(folder) / "index.html"
        path.write_text(render_index("Features", "Made up.", rows, ("nothing",)), "utf-8")
        size = path.stat().st_size
        browser = play.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        named = f"Chromium {browser.version}"
        for _ in range(options.times):
            page = browser.new_context().new_page()
            page.set_default_timeout(300_000)
            metrics = page.context.new_cdp_session(page)
            metrics.send("Performance.enable")

            def spent(metrics=metrics) -> float:
                listed = metrics.send("Performance.getMetrics")["metrics"]
                return next(m["value"] for m in listed if m["name"] == "ProcessTime")

            before, begin = spent(), time.perf_counter()
            page.goto(path.as_uri())
            opened, cpu = time.perf_counter() - begin, spent() - before
            before, begin = spent(), time.perf_counter()
            page.fill("#find", "999")
            assert page.locator("#body tr").count() > 0
            seen.append(
                {
                    "open_seconds": opened,
                    "open_cpu_seconds": cpu,
                    "search_seconds": time.perf_counter() - begin,
                    "search_cpu_seconds": spent() - before,
                }
            )
            page.context.close()
        browser.close()
    report = {
        "date": datetime.date.today().isoformat(),
        "machine": this_machine().processor,
        "browser": named,
        "features": options.features,
        "bytes": size,
        "times": options.times,
        **{
            name: {"median": statistics.median(s[name] for s in seen), "worst": max(s[name] for s in seen)}
            for name in seen[0]
        },
    }
    if not options.quick:
        keep(HERE, "index", report)
    print(json.dumps(report))


if __name__ == "__main__":
    main()
