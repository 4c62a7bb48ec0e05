import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from nestcast.data import Calendar, Keys, Panel
from nestcast.errors import ModelError
from nestcast.model.cells import every_combination
from nestcast.model.features import Features, calendar_features
from nestcast.model.groups import choose_embedded, choose_means, column, group_codes
from nestcast.model.groupsums import GroupMeans, Sparse
from nestcast.model.schema import Schema, schema_of
from tests.panels import store, weekly


def grid(panel):
    rows = torch.arange(len(panel))
    return rows, torch.arange(len(panel.calendar) + 1)[:, None].expand(-1, len(panel))


def features(panel, like=None, horizon=3):
    return Features(panel, schema_of(panel if like is None else like, horizon))


def with_fair(shop=2):
    """A store one of whose shops is open from the third to the fifth month of a year only."""
    panel = store(months=30)
    closed = ~np.isin(np.arange(30) % 12, [2, 3, 4])
    panel.target[np.ix_(panel.keys["shop_id"] == shop, closed)] = 0
    return panel


def reopening(panel, like=None):
    """Features where the shops that are asked for are known to be open."""
    like = panel if like is None else like
    schema = schema_of(like, asked=every_combination(like.keys))
    assert schema.reopening
    return Features(panel, schema)


def assert_same_inputs(one, other, rows, periods, steps):
    torch.testing.assert_close(one.past(rows, periods), other.past(rows, periods))
    torch.testing.assert_close(one.ahead(rows, periods, steps), other.ahead(rows, periods, steps))
    torch.testing.assert_close(one.scale(rows, periods), other.scale(rows, periods))


def with_covariates(panel):
    """A price of each series that is known for the past, and holidays known ahead."""
    rng = np.random.default_rng(5)
    price = rng.random(panel.target.shape).astype(np.float32) + 1
    holidays = rng.integers(0, 3, len(panel.calendar) + 2).astype(np.float32)
    return replace(panel, observed={"price": price}, known={"holidays": holidays})


def with_names(panel):
    """Names of the items, whose words tell their categories."""
    known = panel.attributes["item_id"]
    category = known.columns["item_category_id"]
    names = np.array([f"kind{c} no{i}" for i, c in zip(known.ids, category, strict=True)])
    named = replace(known, columns={"item_name": names, **known.columns})
    return replace(panel, attributes={"item_id": named})


PANELS = {
    "counts": store(),
    "names": with_names(store()),
    "real": weekly(),
    "covariates": with_covariates(store()),
    "large": replace(store(), target=store().target * 1000),
}


@pytest.mark.parametrize("panel", PANELS.values(), ids=PANELS)
@pytest.mark.parametrize("origin", [1, 7, 13])
def test_inputs_do_not_see_the_period_they_forecast_or_later(panel, origin):
    rng = np.random.default_rng(1)
    future = panel.target.copy()
    future[:, origin:] = rng.permuted(future[:, origin:] * 3 + 7, axis=1)
    observed = {name: values.copy() for name, values in panel.observed.items()}
    for values in observed.values():
        values[:, origin:] = rng.random(values[:, origin:].shape)
    changed = replace(panel, target=future, observed=observed)
    rows, periods = grid(panel)
    now, steps = periods[: origin + 1], torch.arange(3)
    one, other = features(panel), features(changed, like=panel)
    assert_same_inputs(one, other, rows, now, steps)
    if one.schema.based:
        simple = one.simple(rows, now, steps)
        torch.testing.assert_close(simple, other.simple(rows, now, steps))
        assert not torch.equal(one.simple(rows, periods, steps), other.simple(rows, periods, steps))
    assert not torch.equal(one.past(rows, periods), other.past(rows, periods))
    assert not torch.equal(one.ahead(rows, periods, steps), other.ahead(rows, periods, steps))


@pytest.mark.parametrize("panel", PANELS.values(), ids=PANELS)
def test_inputs_do_not_depend_on_how_long_the_panel_is(panel):
    kept = panel.take(panel.start < 10)
    shorter = kept.until(10)
    rows, periods = grid(shorter)
    one, other = features(shorter, like=kept), features(kept)
    torch.testing.assert_close(one.past(rows, periods), other.past(rows, periods))
    steps = torch.arange(3)
    torch.testing.assert_close(one.ahead(rows, periods, steps), other.ahead(rows, periods, steps))
    if one.schema.based:
        simple, longer = (each.simple(rows, periods, steps) for each in (one, other))
        torch.testing.assert_close(simple, longer)


@pytest.mark.parametrize("origin", [14, 20])
def test_inputs_of_shops_that_reopen_do_not_see_what_follows(origin):
    panel = with_fair()
    changed = replace(panel, target=panel.target.copy())
    changed.target[:, origin:] = panel.target[:, origin:] * 3 + 7
    rows, periods = grid(panel)
    now, steps = periods[: origin + 1], torch.arange(1)
    one, other = reopening(panel), reopening(changed, like=panel)
    assert_same_inputs(one, other, rows, now, steps)


@pytest.mark.parametrize("group", [("shop_id",), ("shop_id", "item_category_id")])
def test_a_shop_that_reopens_is_seen_as_it_was_when_it_closed(group):
    panel = with_fair()
    rows = torch.from_numpy(np.flatnonzero((panel.keys["shop_id"] == 2) & (panel.start < 5)))
    closing, reopened = (torch.full((1, len(rows)), period) for period in (5, 14))
    found, plain = reopening(panel), features(panel, horizon=1)
    at = 9 + found.schema.groups.index(group) + 2 * (not found.schema.relative)
    columns = [0, 3, at]  # the last value, whether it was seen, the mean of the group
    then, now, zero = (
        one.past(rows, at)[..., columns]
        for one, at in ((found, closing), (found, reopened), (plain, reopened))
    )
    assert (then > 0).any(dim=1).all()
    torch.testing.assert_close(now, then)
    assert (zero[..., [0, 2]] == 0).all()
    while_open = panel.target[rows, 2:5]
    scale = (while_open.sum(axis=1) + 1) / (3 + 1)  # of three months, and one more of 1
    np.testing.assert_allclose(found.scale(rows, reopened)[0], scale, rtol=1e-5)
    weight = 0.9 ** np.array([2, 1, 0])
    mean = while_open @ weight / weight.sum()
    np.testing.assert_allclose(found.recent(rows, 14).mean[:, 0], mean, rtol=1e-5)
    while_closed = reopened - 1
    torch.testing.assert_close(found.past(rows, while_closed), plain.past(rows, while_closed))


def test_where_no_shop_was_closed_it_changes_nothing():
    panel = store()
    panel.target[np.arange(18) >= panel.start[:, None]] += 1  # each sells something each month
    one, other = reopening(panel), features(panel, horizon=1)
    assert_same_inputs(one, other, *grid(panel), torch.arange(1))


def test_of_several_periods_ahead_it_is_not_told_when_shops_open():
    """A step that forecasts the second one would know from the first that the shop opens."""
    panel = with_fair()
    assert not schema_of(panel, 2, asked=every_combination(panel.keys)).reopening


def test_a_known_assortment_tells_how_many_items_of_a_category_are_new():
    panel = store()
    plain, told = schema_of(panel, 1), schema_of(panel, 1, known_assortment=True)
    assert plain.assortment == ()
    assert ("item_category_id",) in told.assortment
    assert not any("shop_id" in group for group in told.assortment)
    found, before = Features(panel, told), Features(panel, plain)
    more = found.sizes()[0] - before.sizes()[0]
    rows, periods = grid(panel)
    columns = found.past(rows, periods)[..., -more:].expm1()
    items, first = np.unique(panel.keys["item_id"]), {}
    for item in items:
        first[item] = panel.start[panel.keys["item_id"] == item].min()
    at = told.assortment.index(("item_category_id",))
    for row in (0, 7):
        item = panel.keys["item_id"][row]
        alike = [other for other in items if (other - item) % 3 == 0]  # of its category
        for step, period in enumerate(periods[:, row]):
            expected = sum(int(first[other] == period.item()) for other in alike)
            assert columns[step, row, at].item() == pytest.approx(expected, abs=1e-5)


def test_the_season_before_is_the_last_one_that_is_over():
    """Seven days: step 0 to 6 look back one week, step 7 two."""
    days = Panel(
        Keys({"item": np.array([1])}),
        Calendar("1d", np.datetime64("2024-01-01"), 60),
        np.arange(60, dtype=np.float32)[None],
        np.zeros(1, np.int32),
    )
    found = features(days, horizon=9)
    at, row = torch.tensor([[50]]), torch.tensor([0])
    scale = found.scale(row, at).item()
    same = found.ahead(row, at, torch.arange(9))[0, 0, :, 0] * scale
    np.testing.assert_allclose(same, [43, 44, 45, 46, 47, 48, 49, 43, 44], rtol=1e-5)


def test_known_covariates_are_those_of_the_periods_ahead():
    panel = with_covariates(store())
    found, plain = features(panel), features(store())
    assert found.sizes() == (plain.sizes()[0] + 2, plain.sizes()[1] + 2)
    rows, at = torch.tensor([0]), torch.tensor([[18]])
    size = found.ahead(rows, at, torch.arange(3)).shape[-1]
    month = len(calendar_features(panel.calendar, 3, yearly=False)[0])
    values = found.ahead(rows, at, torch.arange(3))[0, 0, :, size - month - 2 : size - month]
    expected = [[panel.known["holidays"][18], 1], [panel.known["holidays"][19], 1], [0, 0]]
    np.testing.assert_array_equal(values, expected)  # the third was not given


def test_targets_are_what_happened_from_each_period_on():
    panel = store()
    found = features(panel)
    target, known = found.targets(*grid(panel), torch.arange(3))
    for period, series, ahead in np.ndindex(*target.shape):
        at = period + ahead
        inside = found.start[series] <= at < len(panel.calendar)
        assert known[period, series, ahead].item() == inside
        if inside:
            assert target[period, series, ahead].item() == panel.target[series, at]


def test_missing_values_are_not_targets():
    panel = weekly()
    _, known = features(panel).targets(*grid(panel), torch.arange(1))
    np.testing.assert_array_equal(known[:-1, :, 0].numpy(), np.isfinite(panel.target).T)


def test_scale_is_the_mean_of_the_year_before():
    panel = store()
    found = features(panel)
    scale = found.scale(*grid(panel)).numpy()
    series = 3
    start, typical = int(found.start[series]), found.schema.typical
    past = panel.target[series, max(start, 16 - 12) : 16]
    extra = min(typical, 1)
    assert scale[16, series] == pytest.approx((extra + past.sum()) / (1 + len(past)))
    assert scale[start, series] == pytest.approx(typical)


def test_a_schema_survives_json():
    schema = schema_of(with_covariates(store()), 3)
    assert Schema.from_json(json.loads(json.dumps(schema.to_json()))) == schema
    assert schema.observed == ("price",)
    assert schema.known == ("holidays",)


def test_groups_of_a_store():
    panel = store()
    groups = choose_means(panel)
    assert () in groups
    assert ("shop_id",) in groups
    assert ("shop_id", "item_category_id") in groups
    assert ("shop_id", "item_id") not in groups  # each pair alone
    codes = group_codes(panel, ("shop_id", "item_category_id"))
    together = codes == codes[0]
    assert (column(panel, "shop_id")[together] == panel.keys["shop_id"][0]).all()
    assert len(np.unique(column(panel, "item_category_id")[together])) == 1


def test_group_means_are_over_the_grid_of_what_sells():
    panel = replace(store(), attributes={})
    sums = GroupMeans(panel).sums(Sparse.of(panel.target), ("shop_id",))
    month, shop = 12, panel.keys["shop_id"][0]
    items = np.unique(panel.keys["item_id"][panel.target[:, month] > 0])
    of_shop = panel.keys["shop_id"] == shop
    expected = panel.target[of_shop, month].sum() / len(items)
    assert sums.means()[sums.code[0], month] == pytest.approx(expected)
    running = sums.running_means(window=12, pseudo_count=50)
    assert running.shape == (4, 19)
    for period in (5, 18):
        begin = max(period - 12, 1)
        np.testing.assert_allclose(running[:, period], sums.mean_of(begin, period, 50), rtol=1e-5)


def test_few_series_per_value_are_not_embedded():
    assert choose_embedded(store(shops=2, items=60)) == ["shop_id", "item_category_id"]
    assert choose_embedded(weekly()) == []


def test_a_column_that_is_gone_is_named():
    with pytest.raises(ModelError, match="'item_category_id'"):
        column(weekly(), "item_category_id")


@pytest.mark.parametrize(
    ("freq", "first", "size"),
    [("1mo", "2024-01-01", 13), ("1w", "2024-01-05", 4), ("1d", "2024-01-01", 11)],
)
def test_calendar_features(freq, first, size):
    table = calendar_features(Calendar(freq, np.datetime64(first), 30))
    assert table.shape == (31, size)
    assert np.isfinite(table).all()
    if freq == "1d":
        monday = table[0, -7:]
        np.testing.assert_array_equal(monday, [1, 0, 0, 0, 0, 0, 0])  # 2024-01-01 was a Monday
    if freq == "1mo":
        assert table[1, 12] == 29 - 30.5  # February 2024


def test_a_model_of_few_seasons_reads_as_many_inputs_from_a_longer_panel():
    panel = store(months=38)
    shorter = panel.until(33)
    schema = schema_of(shorter, 2)
    assert Features(panel, schema).sizes() == Features(shorter, schema).sizes()
    assert Features(panel, schema_of(panel, 2)).sizes()[1] == Features(panel, schema).sizes()[1] + 2


@pytest.mark.parametrize(
    ("counts", "based"),
    [
        ([1, 2, 0, 1], False),  # small
        ([8, 0, 7, 9], True),  # steady
        ([8, 0, 0, 9], False),  # now and then
        ([8, 0, 0, 0, 7], False),
        ([0, 0, 0, 900], True),  # large
        ([0, 0, 0, 0], False),
    ],
)
def test_large_and_steady_counts_are_forecast_from_what_series_did(counts, based):
    panel = Panel(
        Keys({"item": np.array([1])}),
        Calendar("1w", np.datetime64("2024-01-01"), len(counts)),
        np.array([counts], np.float32),
        np.array([0], np.int32),
    )
    assert schema_of(panel).based is based
    assert schema_of(replace(panel, is_count=False)).based
