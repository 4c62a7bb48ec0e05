"""How long a page takes to open in Chromium, until all is drawn, without a window.

    python benchmarks/page.py report.html

Needs playwright (pip) and a Chromium (apt-get install chromium).
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

WIDTHS = (1400, 390)  # a screen, a phone


def main() -> None:
    """Open the page, on a screen and on a phone."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("page", type=Path)
    arguments.add_argument("--runs", type=int, default=9)
    given = arguments.parse_args()
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for width in WIDTHS:
            took = []
            for _ in range(given.runs):
                page = browser.new_page(viewport={"width": width, "height": 900})
                begin = time.perf_counter()
                page.goto(given.page.absolute().as_uri())
                page.wait_for_selector("html[data-ready]")
                took.append(time.perf_counter() - begin)
                page.close()
            print(
                f"{width} px: {statistics.median(took):.2f} s "
                f"({min(took):.2f} to {max(took):.2f}), {given.runs} runs"
            )
        browser.close()


if __name__ == "__main__":
    main()
