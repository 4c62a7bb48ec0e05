"""The page in a real browser; skipped where there is none.

Pictures go to the folder that NESTCAST_SCREENSHOTS names, if it does.
"""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nestcast.data import Attributes, Calendar, Keys, Panel
from nestcast.evaluation import backtest
from nestcast.evaluation.click_models import click_model
from nestcast.rates.ranking import ranking
from nestcast.report import Advice, read_accuracy, write_report
from tests.clicks import account
from tests.panels import weekly
from tests.report.forecasts import HOSTILE, guess, named_store

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
WIDTHS = {"desktop": 1400, "phone": 390}


@pytest.fixture(scope="module")
def browser():
    api = pytest.importorskip(
        "playwright.sync_api", reason="no playwright: pip install playwright", exc_type=ImportError
    )
    if CHROMIUM is None:
        pytest.skip("no browser: apt-get install chromium")
    with api.sync_playwright() as playwright:
        # Without a sandbox, because containers run as root.
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser, request):
    """Opens a page file and sees that it neither complains nor asks anything of the network."""
    complaints, asked, contexts = [], [], []

    def opened(path, device="desktop", scheme="light"):
        context = browser.new_context(
            viewport={"width": WIDTHS[device], "height": 900}, color_scheme=scheme
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-ready]", timeout=60_000)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []
    assert all(url.startswith("file:") for url in asked)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    panel = named_store(items=60, months=30)
    write_report(guess(panel, 3), panel, path)
    return path


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """5,000 items with long Russian names in 3 shops."""
    rng = np.random.default_rng(0)
    shop, item = np.divmod(np.arange(15_000), 5000)
    names = np.array(
        [f"Очень длинное название товара, коллекционное издание № {i}" for i in range(5000)]
    )
    panel = Panel(
        Keys({"shop_id": shop, "item_id": item}),
        Calendar("1mo", np.datetime64("2021-01-01"), 30),
        rng.poisson(rng.gamma(0.5, 4, (15_000, 1)), (15_000, 30)).astype(np.float32),
        np.zeros(15_000, np.int32),
        target_name="item_cnt_day",
        attributes={"item_id": Attributes("item_id", np.arange(5000), {"item_name": names})},
    )
    path = tmp_path_factory.mktemp("page") / "large.html"
    write_report(guess(panel), panel, path)
    return path


def picture(page, name):
    folder = os.environ.get("NESTCAST_SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"{name}.png")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("device", WIDTHS)
def test_it_opens_and_fits(visit, hostile, device, scheme):
    page = visit(hostile, device, scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= WIDTHS[device]
    assert page.locator("#total svg path").count() > 5
    picture(page, f"{device}-{scheme}")
    page.locator("#items tbody button").first.click()
    page.wait_for_selector("#view .chart svg")
    assert page.evaluate("document.querySelector('#view').scrollWidth") <= WIDTHS[device]
    picture(page, f"{device}-{scheme}-item")


def test_hostile_names_are_shown_as_they_are(visit, hostile):
    page = visit(hostile)
    shown = set()
    page.select_option("#items_wrapper .dt-length select", "100")
    for button in page.locator("#items tbody button").all():
        shown.add(button.text_content())
    assert set(HOSTILE) <= shown
    for name in HOSTILE[:4]:
        page.get_by_role("button", name=name, exact=True).first.click()
        assert page.locator("#view-title").text_content() == name
        page.keyboard.press("Escape")
    assert page.locator("img").count() == 0


def test_search_sort_and_filters(visit, hostile):
    page = visit(hostile)
    rows = page.locator("#items tbody tr")
    info = page.locator("#items_wrapper .dt-info")
    assert "of 60" in info.text_content()
    page.get_by_role("searchbox").first.fill("престолов")
    assert 0 < rows.count() < 20
    assert all("престолов" in text for text in rows.all_text_contents())
    page.get_by_role("searchbox").first.fill("")

    def forecasts():
        at = page.locator("#items thead th").all_text_contents().index("forecast") + 1
        cells = page.locator(f"#items tbody td:nth-child({at}) > div")
        # The number alone, without the interval that stands below it on a phone.
        texts = cells.evaluate_all("cells => cells.map((one) => one.firstChild.textContent)")
        return [float(text.replace(",", "")) for text in texts]

    heading = page.locator("#items thead th", has_text="forecast")
    heading.click()
    page.wait_for_selector("#items thead th[aria-sort='ascending']")
    assert forecasts() == sorted(forecasts())
    heading.click()
    page.wait_for_selector("#items thead th[aria-sort='descending']")
    assert forecasts() == sorted(forecasts(), reverse=True)

    chosen = page.locator("#filters label", has_text="category").locator("select")
    chosen.select_option(label="Книги")
    assert all("Книги" in text for text in rows.all_text_contents())
    assert "of 60" not in info.text_content().split("(")[0]
    chosen.select_option(label="all")
    before = sum(forecasts())
    page.locator("#filters label", has_text="shop").locator("select").select_option(index=1)
    assert 0 < sum(forecasts()) < before


def test_an_item_leads_to_its_shops_and_back_by_keyboard_alone(visit, hostile):
    page = visit(hostile)
    page.locator("#items tbody button").first.focus()
    name = page.evaluate("document.activeElement.textContent")
    page.keyboard.press("Enter")
    page.wait_for_selector("#view[open] .chart svg")
    assert page.locator("#view-title").text_content() == name
    assert page.evaluate("document.activeElement.closest('dialog') !== null")
    page.locator("#view summary").focus()
    page.keyboard.press("Enter")
    numbers = page.locator("#view details table tbody tr")
    assert "(forecast)" in numbers.first.text_content()
    parts = page.locator("#view .body > table tbody button")
    parts.first.focus()
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('#view-title').textContent.includes(' · ')")
    page.get_by_role("button", name="All shops of this item").focus()
    page.keyboard.press("Enter")
    assert page.locator("#view-title").text_content() == name
    page.keyboard.press("Escape")
    assert not page.locator("#view").is_visible()
    assert page.evaluate("document.activeElement.textContent") == name


def test_headings_sort_by_keyboard(visit, hostile):
    page = visit(hostile)
    heading = page.locator("#places thead th", has_text="shop")
    heading.locator("[tabindex='0'], button").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#places thead th[aria-sort='ascending']")
    assert heading.get_attribute("aria-sort") == "ascending"


def test_shops_and_categories_open_too(visit, hostile):
    page = visit(hostile)
    for table in ("places", "categories"):
        page.locator(f"#{table} tbody button").first.click()
        page.wait_for_selector("#view .chart svg")
        parts = page.locator("#view .body > table tbody tr")
        assert parts.count() > 1
        page.keyboard.press("Escape")


def test_five_thousand_items_open_and_are_searched(visit, large):
    assert large.stat().st_size < 5_000_000
    page = visit(large, "phone")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    picture(page, "phone-5000-items")
    page.get_by_role("searchbox").first.fill("№ 4321")
    assert page.locator("#items tbody tr").count() == 1


def test_a_panel_of_one_key_has_neither_shops_nor_categories(visit, tmp_path):
    panel = replace(
        named_store().take(slice(0, 5)),
        attributes={},
        keys=Keys({"unique_id": np.array(list("abcde"))}),
    )
    path = tmp_path / "report.html"
    write_report(guess(panel), panel, path)
    page = visit(path)
    assert page.locator("#places").count() == 0
    assert page.locator("#filters select:visible").count() == 0
    page.locator("#items tbody button").first.click()
    page.wait_for_selector("#view .chart svg")


def test_reasons_classes_and_stock_are_shown(visit, tmp_path):
    panel = named_store(items=30, months=30)
    item = panel.keys["item_id"]
    advice = Advice(
        priority=item.astype(float),
        why=[f"sells out: {name}" for name in np.array(HOSTILE)[item % len(HOSTILE)]],
        stock=np.full(len(panel), 8.0),
        order=np.full(len(panel), 3.0),
        classes={"ABC": np.where(item % 2, "A", "B")},
    )
    path = tmp_path / "report.html"
    write_report(guess(panel, 3), panel, path, advice=advice)
    page = visit(path)
    rows = page.locator("#items tbody tr")
    assert all("sells out: " in text for text in rows.all_text_contents())
    page.locator("#filters label", has_text="ABC").locator("select").select_option(label="A")
    info = page.locator("#items_wrapper .dt-info").text_content()
    assert "1 to 15 of 15" in info
    rows.first.locator("button").click()
    page.wait_for_selector("#view .legend .stock")
    assert page.locator("#view .chart path[stroke='var(--stock)']").count() == 1
    assert "on hand" in page.locator("#view .facts").text_content()
    assert "to order now" in page.locator("#view .facts").text_content()
    shops = int(page.locator("#view tbody th button").count())
    assert page.locator("#items thead").text_content().count("to order") == 1
    assert rows.first.locator("td").nth(-2).text_content() == str(3 * shops)
    picture(page, "desktop-stock")


@pytest.mark.parametrize("device", WIDTHS)
def test_clicks_have_rates_returns_and_their_reliability(visit, tmp_path, device):
    panel = account()
    model = click_model("eb")(0)
    model.fit(panel, panel.keys, 5)
    forecast = model.predict(panel, panel.keys, 5, [80, 95])
    saved, path = tmp_path / "backtest.json", tmp_path / "report.html"
    backtest(panel, ["eb", "pooled"], origins=2, horizon=5, keep_forecasts=True).write(saved)
    accuracy = read_accuracy(saved, panel.calendar)
    write_report(forecast, panel, path, accuracy=accuracy, ranking=ranking(panel, forecast))
    page = visit(path, device)
    assert page.evaluate("document.documentElement.scrollWidth") <= WIDTHS[device]
    right = "(id) => document.querySelector(id).getBoundingClientRect().right"
    assert page.evaluate(right, "#items") <= page.evaluate(right, "#ranked") + 1
    assert page.locator("#reliability svg path").count() > 5
    rows = page.locator("#items tbody button")
    if device == "phone":  # where the column has no room
        page.get_by_label("order by").select_option(label="return")
    else:
        page.locator("#items thead th", has_text="return").click(click_count=2, delay=50)
        page.wait_for_selector("#items thead th[aria-sort='descending']")
    returns = []
    for row in rows.all()[:5]:
        row.click()
        page.wait_for_function("document.querySelectorAll('#view .chart svg').length === 2")
        facts = page.locator("#view .facts > div", has_text="return").locator("dd")
        returns.append(float(facts.text_content()))
        page.keyboard.press("Escape")
    assert returns == sorted(returns, reverse=True)
    picture(page, f"{device}-clicks")


@pytest.mark.parametrize("device", WIDTHS)
def test_long_numbers_of_weekly_series_fit(visit, tmp_path, device):
    panel = weekly()
    panel = replace(panel, target=panel.target * 98_765, target_name="Weekly_Sales")
    path = tmp_path / "report.html"
    write_report(guess(panel, 8), panel, path)
    page = visit(path, device)
    assert page.evaluate("document.documentElement.scrollWidth") <= WIDTHS[device]
    assert "weekly sales" in page.locator("#total").text_content()
    picture(page, f"{device}-weekly")


def test_it_prints(browser, hostile, tmp_path):
    page = browser.new_page()
    page.goto(hostile.as_uri())
    page.wait_for_selector("html[data-ready]")
    page.emulate_media(media="print")
    assert not page.locator("#filters").is_visible()
    assert not page.locator(".dt-search").first.is_visible()
    assert page.locator("#items tbody tr").count() > 5
    page.close()
