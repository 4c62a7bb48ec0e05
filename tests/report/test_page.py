import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from nestcast.data import Calendar, Keys, Panel
from nestcast.errors import OptionError
from nestcast.report import Advice, parts, write_report
from nestcast.report.content import gather
from nestcast.report.page import render
from nestcast.report.payload import unpack
from tests.panels import store, weekly
from tests.report.forecasts import HOSTILE, guess, named_store


class Page(HTMLParser):
    """Elements, their attributes, and text outside scripts and styles."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self.scripts, self._inside = [], [], {}, None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self._inside = (tag, dict(attributes).get("id"))

    def handle_endtag(self, tag):
        self._inside = None

    def handle_data(self, data):
        if self._inside and self._inside[0] in ("script", "style"):
            self.scripts[self._inside[1] or self._inside[0]] = data
        else:
            self.text.append(data)


def page_of(panel, **options):
    clip = options.pop("clip", None)
    text = render(gather(guess(panel, **options), panel, clip=clip))
    page = Page(text)
    return text, page, unpack(page.scripts["data"])


PANELS = {
    "shops, items and names": lambda: named_store(),
    "no attributes": lambda: replace(store(), attributes={}),
    "weekly, one key, fractions, gaps": weekly,
    "one series": lambda: weekly(series=1),
    "a short past": lambda: store(months=5).until(4),
    "daily": lambda: replace(
        store(months=40), calendar=Calendar("1d", np.datetime64("2024-01-01"), 40)
    ),
    "three keys": lambda: replace(
        store(),
        keys=Keys({**store().keys.columns, "channel": np.array(["web"] * len(store()))}),
    ),
    "negative values": lambda: replace(weekly(), target=-weekly().target),
}


@pytest.mark.parametrize("horizon", [1, 4])
@pytest.mark.parametrize("kind", PANELS)
def test_totals_are_those_of_the_forecast(kind, horizon):
    panel = PANELS[kind]()
    forecast = guess(panel, horizon)
    _, _, data = page_of(panel, horizon=horizon)
    mean = forecast.mean.astype(float)
    step = 0.01  # what numbers are rounded to
    assert data["total"]["total"][0] == pytest.approx(mean.sum(), rel=1e-6, abs=step)
    assert data["total"]["mean"][0] == pytest.approx(mean.sum(axis=0), rel=1e-6, abs=step)
    items = np.array(data["items"]["total"], float)
    assert items.sum() == pytest.approx(mean.sum(), rel=1e-3, abs=step * len(items))
    for name in ("places", "categories", "series"):
        if "total" in data.get(name, {}):
            parts = np.array(data[name]["total"], float)
            assert parts.sum() == pytest.approx(mean.sum(), rel=1e-3, abs=step * len(parts))
    if np.isfinite(panel.target).all():
        known = panel.target[:, -1].sum()
        assert data["total"]["past"][0][-1] == pytest.approx(known, rel=1e-3)
        if horizon == 1:
            assert data["total"]["last"][0] == pytest.approx(known, rel=1e-3)


def test_a_sum_that_misses_much_is_not_known():
    panel = weekly()  # series of sizes 1, 10, ... 10,000
    target = np.nan_to_num(panel.target, nan=1.0)
    target[4, 10] = target[0, 20] = np.nan
    content = gather(guess(panel), replace(panel, target=target))
    past = content.total.past[0]
    assert np.flatnonzero(np.isnan(past)).tolist() == [10]
    assert past[20] == pytest.approx(target[1:, 20].sum(), rel=1e-6)


@pytest.mark.parametrize("kind", PANELS)
def test_intervals_hold_the_mean_and_the_wide_one_the_narrow_one(kind):
    panel = PANELS[kind]()
    content = gather(guess(panel, 3), panel)
    for block in (content.total, content.items, content.places, content.categories):
        if block is None:
            continue
        low, high = np.moveaxis(block.bands, -1, 0)
        if np.isnan(low).all():
            assert len(panel.calendar) < 9
            continue
        assert (low[..., 1] <= low[..., 0]).all()
        assert (high[..., 0] <= high[..., 1]).all()
        spread = high[..., 1] - low[..., 1]
        assert (low[..., 1] - 1 <= block.mean).all()
        assert (block.mean <= high[..., 1] + 1).all()
        assert (spread >= 0).all()
        assert (block.low <= block.high).all()


def test_series_lead_from_items_to_their_places():
    panel = named_store()
    forecast = guess(panel)
    _, _, data = page_of(panel)
    begin = data["series"]["from"]
    assert len(begin) == len(data["items"]["names"]) + 1
    of = {
        (str(shop), str(item)): mean
        for shop, item, mean in zip(
            panel.keys["shop_id"], panel.keys["item_id"], forecast.mean[:, 0], strict=True
        )
    }
    shops = np.unique(panel.keys["shop_id"])
    for item, key in enumerate(data["items"]["ids"]):
        for at in range(begin[item], begin[item + 1]):
            shop = str(shops[data["series"]["place"][at]])
            assert data["series"]["total"][at] == pytest.approx(of.pop((shop, key)), abs=0.01)
    assert not of


def test_names_of_the_data_are_only_ever_text():
    panel = named_store()
    text, page, data = page_of(panel)
    assert set(HOSTILE) <= set(data["items"]["names"])
    assert "alert(1)" not in text  # packed data hold it, nothing else
    names = [tag for tag, _ in page.tags]
    assert names.count("script") == 5
    assert "img" not in names
    assert "b" not in names
    assert "i" not in names
    shown = "".join(page.text)
    assert "date is no <date>" in shown
    assert "<i>odd</i>" in shown


def test_new_items_are_listed_with_their_names_as_text():
    panel = named_store()
    known = panel.take(panel.keys["item_id"] != 100)
    forecast = guess(known, keys=panel.keys)
    text = render(gather(forecast, known))
    page = Page(text)
    assert HOSTILE[0] in "".join(page.text)
    assert "1 item never sold before" in "".join(page.text)
    assert [tag for tag, _ in page.tags].count("script") == 5


def test_nothing_of_the_page_lies_elsewhere():
    text, page, _ = page_of(named_store())
    for tag, attributes in page.tags:
        for name in ("src", "href", "action", "data", "poster", "srcset"):
            if name in attributes:
                assert attributes[name].startswith("#"), (tag, attributes)
        assert tag not in ("link", "iframe", "object", "embed", "base")
    assert "default-src 'none'" in text
    styles = page.scripts["style"]
    assert "@import" not in styles
    assert not re.search(r"url\(\s*['\"]?(?!data:)", styles)


def test_what_was_read_is_accounted_for():
    _, page, _ = page_of(named_store())
    shown = re.sub(r"\s+", "", "".join(page.text))
    for said in ("rowsread1,010", "rowsrejected10", "rejected:shop_idismissing3"):
        assert said in shown


def test_clipped_history_is_compared_with_a_clipped_forecast():
    panel = store()
    content = gather(guess(panel), panel, clip=(0, 2))
    assert content.total.last[0] == np.clip(panel.target[:, -1], 0, 2).sum()
    assert "more than 2 of one" in render(content)


def test_the_same_forecast_gives_the_same_bytes():
    panel = named_store()
    assert page_of(panel)[0] == page_of(panel)[0]


def test_a_page_too_large_carries_fewer_items_and_says_so():
    rng = np.random.default_rng(0)
    series, time = 6000, 40
    panel = Panel(
        Keys({"item_id": np.arange(series)}),
        Calendar("1mo", np.datetime64("2020-01-01"), time),
        rng.integers(0, 10_000, (series, time)).astype(np.float32),
        np.zeros(series, np.int32),
    )
    content = gather(guess(panel), panel)
    small = render(content, most_bytes=1_250_000)
    assert len(small.encode()) <= 1_250_000
    data = unpack(Page(small).scripts["data"])
    carried = len(data["items"]["names"])
    assert carried < series
    assert f"first {carried:,} of 6,000" in small
    assert data["total"]["total"][0] == pytest.approx(float(guess(panel).mean.sum()), rel=1e-6)
    largest = np.sort(guess(panel).mean[:, 0])[::-1][:carried]
    np.testing.assert_allclose(data["items"]["total"], largest, rtol=1e-3, atol=0.01)


def test_series_asked_for_twice_count_once():
    panel = store()
    twice = panel.keys.concat(panel.keys.take(slice(0, 3)))
    content = gather(guess(panel, keys=twice), panel)
    assert len(content.forecast) == len(panel)
    assert content.total.total[0] == pytest.approx(float(guess(panel).mean.sum()), rel=1e-6)


def test_advice_orders_the_items_and_says_why():
    panel = named_store()
    forecast = guess(panel)
    item = panel.keys["item_id"]
    first = panel.keys["shop_id"].min()
    at_first = panel.keys["shop_id"] == first
    advice = Advice(
        priority=np.where(at_first, item, 0).astype(float),
        why=[f"<b>{i}</b> sells out" if one else "" for i, one in zip(item, at_first, strict=True)],
        stock=np.where(at_first, 8.0, np.nan),
        classes={"ABC": np.where(item % 2, "A", "B")},
        notes=("Give stock <now>.",),
    )
    text = render(gather(forecast, panel, advice=advice))
    data = unpack(Page(text).scripts["data"])
    items = data["items"]
    known = sorted(np.unique(item[at_first]).tolist(), reverse=True)
    assert [int(one) for one in items["ids"][: len(known)]] == known
    shop = f"Shop <{first}> ת"
    assert items["why"][: len(known)] == [
        f"most urgent in {shop}: <b>{i}</b> sells out" for i in known
    ]
    assert items["stock"][: len(known)] == [8.0] * len(known)
    (kind,) = items["classes"]
    assert [kind["names"][at] for at in kind["of"]] == [
        "A" if int(one) % 2 else "B" for one in items["ids"]
    ]
    assert "what to act on first" in text
    assert "Give stock &lt;now&gt;." in text
    stocks = [one for one in data["series"]["stock"] if one is not None]
    assert stocks == [8.0] * int(at_first.sum())


def test_a_forecast_without_intervals_shows_none():
    text, _, data = page_of(store(), level=())
    assert data["levels"] == []
    assert data["level"] is None
    assert "The forecast holds no intervals" in text


def test_the_year_before_is_the_same_season():
    panel = store(months=30)
    content = gather(guess(panel, 3), panel)
    known = np.where(np.arange(30) >= panel.start[:, None], panel.target, 0)
    assert content.total.year[0] == known[:, 18:21].sum()
    assert content.total.last[0] == known[:, 27:30].sum()


def test_other_code_is_what_it_says_it_is():
    listed = json.loads(parts.text("vendor/vendor.json"))
    assert listed
    for name, about in listed.items():
        found = hashlib.sha256(parts.text(f"vendor/{name}").encode()).hexdigest()
        assert found == about["sha256"], name
        assert "Permission is hereby granted" in parts.text("vendor/LICENSE-DataTables.txt")


def test_a_page_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    panel, path = store(), tmp_path / "report.html"
    path.write_text("before")
    monkeypatch.setattr("nestcast.report.page.render", lambda content: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_report(guess(panel), panel, path)
    assert path.read_text() == "before"
    assert [one.name for one in tmp_path.iterdir()] == ["report.html"]


def test_the_page_is_named_as_one(tmp_path):
    with pytest.raises(OptionError, match=r"end the name of .*report\.pdf in \.html"):
        write_report(guess(store()), store(), tmp_path / "report.pdf")
