from dataclasses import replace

import numpy as np
import pytest
import torch

from nestcast.data import Calendar
from nestcast.errors import ModelError
from nestcast.model.features import Features, calendar_features
from nestcast.model.groups import choose_embedded, choose_means, column, group_codes
from tests.panels import store, weekly


def grid(panel):
    rows = torch.arange(len(panel))
    return rows, torch.arange(len(panel.calendar) + 1)[:, None].expand(-1, len(panel))


@pytest.mark.parametrize("panel", [store(), weekly()], ids=["counts", "real"])
@pytest.mark.parametrize("origin", [1, 7, 13])
def test_inputs_do_not_see_the_period_they_forecast_or_later(panel, origin):
    future = panel.target.copy()
    future[:, origin:] = np.random.default_rng(1).permuted(future[:, origin:] * 3 + 7, axis=1)
    changed = replace(panel, target=future)
    rows, periods = grid(panel)
    now = periods[: origin + 1]
    groups = choose_means(panel)
    one, other = Features(panel, groups, 1.0), Features(changed, groups, 1.0)
    torch.testing.assert_close(one.inputs(rows, now), other.inputs(rows, now))
    torch.testing.assert_close(one.scale(rows, now), other.scale(rows, now))
    assert not torch.equal(one.inputs(rows, periods), other.inputs(rows, periods))


def test_inputs_do_not_depend_on_how_long_the_panel_is():
    panel = store()
    shorter = panel.until(10)
    kept = panel.take(panel.start < 10)
    groups = choose_means(kept)
    rows, periods = grid(shorter)
    torch.testing.assert_close(
        Features(shorter, groups, 1.0).inputs(rows, periods),
        Features(kept, groups, 1.0).inputs(rows, periods),
    )


def test_targets_are_what_happened_from_each_period_on():
    panel = store()
    rows, periods = grid(panel)
    target, known = Features(panel, [()], 1.0).targets(rows, periods, horizon=3)
    for period, series, ahead in np.ndindex(*target.shape):
        at = period + ahead
        inside = panel.start[series] <= at < len(panel.calendar)
        assert known[period, series, ahead].item() == inside
        if inside:
            assert target[period, series, ahead].item() == panel.target[series, at]


def test_missing_values_are_not_targets():
    panel = weekly()
    _, known = Features(panel, [()], 1.0).targets(*grid(panel), horizon=1)
    np.testing.assert_array_equal(known[:-1, :, 0].numpy(), np.isfinite(panel.target).T)


def test_scale_is_the_mean_so_far():
    panel = store()
    scale = Features(panel, [()], typical=2.0).scale(*grid(panel)).numpy()
    series = 3
    start, end = int(panel.start[series]), 12
    past = panel.target[series, start:end]
    assert scale[end, series] == pytest.approx((1.0 + past.sum()) / (1 + len(past)))
    assert scale[start, series] == 2.0


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
