"""Looking inside a forecaster: what is shown is what it computes."""

import copy
import sys
from dataclasses import replace

import matplotlib.image
import numpy as np
import pytest
import torch

from nestcast.cli import main
from nestcast.data import Keys, read_panel
from nestcast.data.simulate import simulate_sales
from nestcast.errors import DataError, ModelError, OptionError
from nestcast.forecaster import Forecaster
from nestcast.lab.inside import trace
from nestcast.lab.series_inside import SeriesLook, look_at_series
from nestcast.lab.series_inside_figure import picture
from nestcast.model.likelihood import Size
from nestcast.recipes import holdout
from nestcast.recipes.global_network import EFFORTS
from nestcast.recipes.learning import Budget, Effort
from tests.panels import store, weekly

ONE = Keys({"shop_id": np.array([2]), "item_id": np.array([105])})


@pytest.fixture(autouse=True, scope="module")
def short():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(EFFORTS, "quick", Effort(1, Budget(5000, 5)))
        patch.setattr(holdout, "_WEIGHTS", np.zeros(1))  # of means of late: none
        yield


@pytest.fixture(scope="module", params=["nested:3", "lstm:2", "gru:2"])
def fitted(request, short):
    panel = store(items=24)  # enough to embed shops and categories
    panel = replace(panel, target=np.minimum(panel.target, 4))  # small counts have no base
    return Forecaster(horizon=3, effort="quick", cell=request.param).fit(panel), panel


def test_the_network_forecasts_what_the_look_says(fitted):
    """One network, so its mean is the forecast."""
    forecaster, panel = fitted
    look = look_at_series(forecaster, panel, ONE)
    forecast = forecaster.predict(panel=panel, pairs=ONE)
    np.testing.assert_allclose(look.mean, forecast.mean[0], rtol=1e-5)
    assert look.ahead.tolist() == forecast.calendar.starts().tolist()


def test_traces_are_of_the_encoder_from_its_own_first_state(fitted):
    forecaster, panel = fitted
    [network] = forecaster.global_network.networks
    given = forecaster.question(panel, ONE)
    with torch.no_grad():
        x, static, _ = network.inputs(given.past, given.ahead, given.codes)
        whole = network.encoder(x, static)[:, 0]
    assert network.encoder.begin is not None
    first = network.encoder.first(static)
    h, c = first if isinstance(first, tuple) else (first, None)
    c = None if c is None else c[:, :, 0].detach()
    traces, output = trace(network.encoder.layer, x[:, 0], h[:, 0].detach(), c)
    torch.testing.assert_close(output, whole, atol=1e-5, rtol=1e-5)
    _, from_zero = trace(network.encoder.layer, x[:, 0])
    assert not torch.allclose(from_zero, whole, atol=1e-4)
    look = look_at_series(forecaster, panel, ONE)
    for one, again in zip(look.traces, traces, strict=True):
        assert one.name == again.name
        np.testing.assert_allclose(one.memory, again.memory, atol=1e-6)


def test_influence_is_what_a_small_change_of_a_step_does(fitted):
    forecaster, panel = fitted
    recipe = forecaster.global_network
    look = look_at_series(forecaster, panel, ONE)
    given = forecaster.question(panel, ONE)
    network = copy.deepcopy(recipe.networks[0]).double()
    size = Size(given.size.level.double(), given.size.unit.double())
    with torch.no_grad():
        x, static, ahead = network.inputs(given.past.double(), given.ahead.double(), given.codes)
        step = len(x) - 2

        def mean(x):
            return recipe.mean(network.read(x, static, ahead, given.last), size)[0]

        slopes = []
        for feature in range(x.shape[-1]):
            moved = torch.zeros_like(x)
            moved[step, 0, feature] = 1e-4
            slopes.append((mean(x + moved) - mean(x - moved)) / 2e-4)
    expected = torch.stack(slopes).norm(dim=0).numpy()  # (ahead,)
    np.testing.assert_allclose(look.influences[:, step], expected, rtol=1e-3, atol=1e-6)
    assert look.influences.shape == (3, len(look.periods))
    assert (look.influences >= 0).all()


def test_steps_are_labelled_by_what_they_have_read(fitted):
    forecaster, panel = fitted
    look = look_at_series(forecaster, panel, ONE)
    [row] = panel.keys.locate(ONE)
    assert look.periods[-1] == panel.calendar.starts()[-1]
    assert look.values[-1] == panel.target[row, -1]
    for date, value in zip(look.periods, look.values, strict=True):
        at = int(panel.calendar.index_of(np.array([date]))[0])
        if at < panel.start[row]:
            assert np.isnan(value)
        else:
            assert value == panel.target[row, at]


def test_memories_are_measured_over_many_series_and_within_each(fitted):
    forecaster, panel = fitted
    alone = look_at_series(forecaster, panel, ONE, most=1)
    many = look_at_series(forecaster, panel, ONE, most=10)
    assert alone.series == 1
    assert alone.over == "this series"
    assert many.series == 10
    for name, values in many.autocorrelations.items():
        known = values[np.isfinite(values)]
        assert (np.abs(known) <= 1 + 1e-9).all()
        assert not np.array_equal(values, alone.autocorrelations[name])
    assert len(many.sentences()) == len(many.traces) + 1
    # of one series alone it is the correlation of what follows with what came before
    memory = alone.traces[0].memory
    away = memory - memory.mean(axis=0)
    spread = np.sqrt((away[:-1] ** 2).sum(axis=0) * (away[1:] ** 2).sum(axis=0))
    expected = (away[:-1] * away[1:]).sum(axis=0) / spread
    found = next(iter(alone.autocorrelations.values()))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_half_of_the_influence():
    shares = np.array([[0.1, 0.2, 0.3, 0.4]])
    nothing = np.zeros(4)
    dates = np.arange("2024-01", "2024-05", dtype="M8[M]").astype("M8[D]")
    look = SeriesLook("lstm:1", "a", dates, nothing, dates[:1], nothing, [], {}, 1, shares)
    assert look.sentences() == [
        "half of the influence on 2024-01-01 comes from the last 2 of 4 steps"
    ]
    quarter, none = (replace(look, trust=trust).sentences()[-1] for trust in (0.25, 0.0))
    assert quarter == "forecasts go 25% of the way from simple ones to what the networks say"
    assert none == "forecasts go nowhere from simple ones to what the networks say"
    half = replace(look, recent=0.5).sentences()[-1]
    assert half == "the mean of late counts 50.0% in forecasts, networks the rest"


def test_the_picture_has_a_heat_map_for_each_gate_of_each_level(fitted):
    forecaster, panel = fitted
    look = look_at_series(forecaster, panel, ONE)
    drawn = [image for axes in picture(look).findobj(lambda one: hasattr(one, "get_images"))
             for image in axes.get_images()]  # fmt: skip
    wanted = [*look.traces[0].gates.values(), look.traces[0].memory]
    assert len(drawn) == len(look.traces) * len(wanted)
    for image, values in zip(drawn[: len(wanted)], wanted, strict=True):
        shown = np.asarray(image.get_array())
        np.testing.assert_allclose(np.sort(shown, axis=0), np.sort(values.T, axis=0))


def test_series_of_one_key_that_are_no_counts(short):
    panel = weekly()
    forecaster = Forecaster(effort="quick").fit(panel)
    look = look_at_series(forecaster, panel, panel.keys.take(slice(2, 3)))
    assert look.name == "unique_id s2"
    assert np.isnan(look.values).sum() == np.isnan(panel.target[2]).sum() + 1  # before it began


def test_what_has_no_inside_is_refused(short):
    panel = store()
    unknown = Keys({"shop_id": np.array([77]), "item_id": np.array([105])})
    forecaster = Forecaster(effort="quick", cell="mlp").fit(panel)
    with pytest.raises(OptionError, match="no gates"):
        look_at_series(forecaster, panel, ONE)
    with pytest.raises(ModelError, match="fit global"):
        look_at_series(Forecaster(recipe="seed").fit(panel.take(slice(3))), panel, ONE)
    nested = Forecaster(effort="quick").fit(panel)
    with pytest.raises(DataError, match="no series with shop_id 77"):
        look_at_series(nested, panel, unknown)
    with pytest.raises(DataError, match="too few"):
        look_at_series(nested, panel.until(1), panel.until(1).keys.take(slice(1)))


def command(monkeypatch, *args):
    monkeypatch.setattr(sys, "argv", ["nestcast", *map(str, args)])
    with pytest.raises(SystemExit) as stopped:
        main()
    return stopped.value.code


@pytest.fixture(scope="module")
def folder(tmp_path_factory, short):
    folder = tmp_path_factory.mktemp("inside")
    simulate_sales(folder / "sales", shops=2, items=30, months=12)
    panel = read_panel(folder / "sales")
    Forecaster(effort="quick").fit(panel).save(folder / "model")
    return folder, panel


def test_the_command_draws_one_series(monkeypatch, capsys, folder):
    place, panel = folder
    shop, item = (panel.keys[name][0] for name in ("shop_id", "item_id"))
    usual = ["explain", place / "sales", "--model", place / "model"]
    args = [*usual, "--item", item, "--shop", shop, "-o", place]
    assert command(monkeypatch, *args) in (0, None)
    said = capsys.readouterr().err
    assert "inner: mean lag-1 autocorrelation" in said
    assert f"picture written to {place / 'inside.png'}" in said.replace("\n", "")
    assert matplotlib.image.imread(place / "inside.png")[..., :3].std() > 0.05
    assert command(monkeypatch, *usual, "--key", f"item_id={item}", "-o", place / "a.svg") in (
        0,
        None,
    )
    assert (place / "a.svg").exists()
    assert "series have" in capsys.readouterr().err or (panel.keys["item_id"] == item).sum() == 1


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["sales", "--model", "model"], "no series is named"),
        (["sales", "--model", "model", "--item", "no"], "the data have no series with item_id no"),
        (["sales", "--model", "model", "--key", "store=1"], "the series have no store"),
        (["sales", "--model", "model", "--key", "item_id"], "--key takes another column"),
        (["sales", "--model", "model", "--item", "1", "--key", "item_id=2"], "--key takes another"),
        (["sales", "--model", "none", "--item", "1"], "no model in none"),
        (["sales", "--model", "model", "--item", "1", "--cells", "lstm"], "are for --line"),
        (["sales", "--item", "1"], "give --line"),
        (["sales", "--line", "abc", "--item", "1"], "are for --model"),
        (["sales", "--line", "abc", "--model", "model"], "give --line"),
        (["sales", "--model", "model", "--item", "1", "--most", "0"], "--most must be"),
        (["sales", "--model", "model", "--item", "1", "-o", "a.txt"], "end its name in"),
        (["missing", "--model", "model", "--item", "1"], "missing"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line(monkeypatch, capsys, folder, args, says):
    monkeypatch.chdir(folder[0])
    assert command(monkeypatch, "explain", *args, "--quiet") in (1, 2)
    error = capsys.readouterr().err
    assert error.startswith("nestcast: ")
    assert says in error
    assert error.count("\n") == 1
