"""The last forecast of a saved model: used again for the same question, and for no other."""

from dataclasses import replace

import numpy as np
import pytest

from nestcast import Forecaster
from nestcast.commands.kept import Kept
from nestcast.data import Keys
from tests.panels import store


@pytest.fixture(scope="module")
def panel():
    return store(shops=2, items=5, months=14)


@pytest.fixture
def model(panel, tmp_path):
    folder = tmp_path / "model"
    forecaster = Forecaster(recipe="seed").fit(panel)
    forecaster.save(folder)
    kept = Kept(folder, panel, panel.keys, 1, [80])
    assert kept.find() is None
    forecast = forecaster.predict(1, [80])
    kept.keep(forecast)
    return folder, forecast


def test_the_same_question_has_the_same_answer(panel, model):
    folder, forecast = model
    found = Kept(folder, panel, panel.keys, 1, [80]).find()
    assert np.array_equal(found.mean, forecast.mean)
    assert np.array_equal(found.quantiles, forecast.quantiles)
    assert np.array_equal(found.probabilities, forecast.probabilities)
    assert found.calendar == forecast.calendar
    assert found.keys is panel.keys
    assert (found.target_name, found.time_name) == (forecast.target_name, forecast.time_name)


def test_another_question_has_none(panel, model):
    folder, _ = model
    target = panel.target.copy()
    target[3, 5] += 1
    attributes = {
        key: replace(known, columns={n: np.roll(v, 1) for n, v in known.columns.items()})
        for key, known in panel.attributes.items()
    }
    price = {"price": np.ones_like(panel.target)}
    reordered = panel.keys.take(np.arange(len(panel))[::-1])
    others = [
        (replace(panel, target=target), panel.keys, 1, [80]),
        (replace(panel, start=panel.start + 1), panel.keys, 1, [80]),
        (replace(panel, observed=price), panel.keys, 1, [80]),
        (replace(panel, attributes=attributes), panel.keys, 1, [80]),
        (panel.until(len(panel.calendar) - 1), panel.keys, 1, [80]),
        (panel, reordered, 1, [80]),
        (panel, panel.keys, 2, [80]),
        (panel, panel.keys, 1, [80, 95]),
    ]
    assert attributes
    for question in others:
        assert Kept(folder, *question).find() is None
    Forecaster(recipe="seed", seed=1).fit(panel).save(folder)
    assert Kept(folder, panel, panel.keys, 1, [80]).find() is None


def test_keys_of_text_and_numbers_differ(panel, model):
    folder, _ = model
    text = Keys({name: values.astype(str) for name, values in panel.keys.columns.items()})
    assert Kept(folder, panel, text, 1, [80]).find() is None


@pytest.mark.parametrize("damage", [b"", b"not a table", None])
def test_a_damaged_file_is_as_none(panel, model, damage):
    folder, forecast = model
    file = folder / "forecast.safetensors"
    file.write_bytes(file.read_bytes()[:-7] if damage is None else damage)
    kept = Kept(folder, panel, panel.keys, 1, [80])
    assert kept.find() is None
    kept.keep(forecast)
    assert np.array_equal(kept.find().mean, forecast.mean)


def test_a_model_whose_folder_takes_no_file_still_forecasts(panel, model, monkeypatch):
    folder, forecast = model
    monkeypatch.setattr("nestcast.files.os.access", lambda *_: False)
    Kept(folder, panel, panel.keys, 2, [80]).keep(forecast)
    assert Kept(folder, panel, panel.keys, 2, [80]).find() is None
