"""The Forecaster: fit on a panel, predict, save, load."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch

from nestcast._version import __version__
from nestcast.data.keys import Keys
from nestcast.data.panel import Panel
from nestcast.errors import DataError, ModelError, NestcastError, OptionError
from nestcast.files import replacing
from nestcast.forecast import Floats, Forecast, probabilities_of
from nestcast.rateforecast import rate_forecast
from nestcast.rates.exposure import forecast_exposure
from nestcast.recipes import Ensemble, GlobalNetwork, Recipe, make_recipe, recipe_named
from nestcast.recipes.learning import Question
from nestcast.recipes.rate_network import OF_CLICKS
from nestcast.recipes.tuning import Tuning
from nestcast.training import Report, silent

FORMAT_VERSION = 1
_RATES = "rates"
_CONFIG, _WEIGHTS = "model.json", "weights.safetensors"


class Forecaster:
    """Forecasts many series with one model.

    Example:
        >>> from nestcast.data import Calendar
        >>> panel = Panel(
        ...     Keys({"item_id": np.arange(3)}),
        ...     Calendar("1mo", np.datetime64("2024-01-01"), 6),
        ...     np.array([[2, 3, 2, 4, 3, 2], [0, 0, 1, 0, 0, 0], [9, 8, 9, 9, 7, 8]], np.float32),
        ...     np.zeros(3, np.int32),
        ... )
        >>> forecast = Forecaster(recipe="seed", seed=1).fit(panel).predict(level=[80])
        >>> forecast.mean.shape, forecast.calendar.starts().tolist()
        ((3, 1), [datetime.date(2024, 7, 1)])

    Args:
        horizon: periods ahead to be ready for.
        recipe: `global`, networks for all series, `ensemble`, these averaged with boosted trees, or
            `seed`, the classical recipe; by default `global`, or with the effort `best` `ensemble`
            where LightGBM is installed.
        effort: of the global recipe: `quick`, `standard` or `best`.
        likelihood: of the global recipe: the family of distributions, such as `hurdle`; by default
            negative binomial for counts and Student's t for other targets.
        cell: of the networks: `nested:2`, `lstm:1`, `gru:1`, with any number of levels or layers,
            or `mlp`.
        known_assortment: whether the series asked for are known to be all that will be sold: how
            many items of each category are new in a period then tells of that period.
        tuning: sizes of the networks and how they are trained, as `nestcast tune` finds them.
        members: networks whose forecasts are averaged, if not as many as the effort says.
        seed: the same seed gives the same forecasts on the same machine.
        clip: (low, high) into which the target is clipped before training, and forecasts after.

    Raises:
        OptionError: an argument makes no sense.
    """

    def __init__(
        self,
        horizon: int = 1,
        *,
        recipe: str | None = None,
        seed: int = 0,
        clip: tuple[float, float] | None = None,
        effort: str | None = None,
        likelihood: str | None = None,
        cell: str | None = None,
        known_assortment: bool = False,
        tuning: Tuning | None = None,
        members: int | None = None,
    ) -> None:
        if horizon < 1:
            raise OptionError(f"the horizon must be 1 period or more, not {horizon}.")
        if not 0 <= seed < 2**63:
            raise OptionError(f"the seed must be a whole number from 0 to 2^63 - 1, not {seed}.")
        if clip is not None and not clip[0] < clip[1]:
            raise OptionError(f"clip needs a low and a higher end, not {clip[0]:g},{clip[1]:g}.")
        self.horizon = horizon
        self.seed = seed
        self.clip = clip
        self._options = {
            "effort": effort,
            "family": likelihood,
            "cell": cell,
            "known_assortment": known_assortment or None,
            "tuning": tuning,
            "members": members,
        }
        self._recipe: Recipe = make_recipe(
            _RATES if likelihood in OF_CLICKS else recipe, clip is not None, self._options
        )
        self._fitted_on: dict[str, Any] | None = None
        self._panel: Panel | None = None
        self._asked: Keys | None = None

    @property
    def recipe(self) -> str:
        """Name of the recipe."""
        return self._recipe.name

    def fit(self, panel: Panel, pairs: Keys | None = None, report: Report = silent) -> Forecaster:
        """Train on a panel.

        Args:
            panel: what was read, see `nestcast.data.read_panel`.
            pairs: the series that will be asked for, if they are not those of the panel; series
                without a single row are forecast from what their keys have in common with others.
            report: told of progress after every batch.

        Returns:
            Itself.

        Raises:
            DataError: there is nothing to learn from.
        """
        if len(panel) == 0 or len(panel.calendar) == 0:
            raise DataError("there is not one period to learn from: give more rows.")
        asked = panel.keys if pairs is None else pairs
        self._suit(panel)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            self._recipe.fit(self._clipped(panel), asked, self.horizon, report)
        self._fitted_on = {
            "keys": list(panel.keys.names),
            "frequency": panel.calendar.freq,
            "is_count": panel.is_count,
        }
        self._panel, self._asked = panel, asked
        return self

    def predict(
        self,
        h: int | None = None,
        level: Sequence[float] = (80, 95),
        *,
        panel: Panel | None = None,
        pairs: Keys | None = None,
        samples: int = 0,
    ) -> Forecast:
        """Forecast the periods after the last one of a panel.

        Args:
            h: how many periods, at most the horizon; all of them if not given.
            level: central intervals, in per cent.
            panel: rows to forecast from, if not those of `fit`.
            pairs: the series to forecast, if not those of `fit` or of the panel given here.
            samples: paths to draw of each series, for sums over periods and what follows from them;
                the same ones every time.

        Raises:
            OptionError: `h` or a level is out of range.
            ModelError: not fitted yet, or the panel does not fit the model.
        """
        if self._fitted_on is None:
            raise ModelError("this forecaster has learned nothing yet: call fit first.")
        h = self.horizon if h is None else h
        if not isinstance(h, Integral):
            raise OptionError(
                f"h counts periods, not a {type(h).__name__}: give rows as predict(panel=...)."
            )
        if h < 1:
            raise OptionError(f"cannot forecast {h} periods: h is 1 or more.")
        if h > self.horizon:
            raise OptionError(
                f"cannot forecast {h} periods with a model fitted for {self.horizon}: "
                f"fit one with a horizon of {h}."
            )
        if panel is None:
            panel, pairs = self._panel, self._asked if pairs is None else pairs
        if panel is None:
            raise ModelError("a loaded model needs the rows to forecast from: predict(panel=...).")
        self._check_fits(panel)
        probabilities = probabilities_of(level)
        asked = panel.keys if pairs is None else pairs
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            found = self._recipe.predict(self._clipped(panel), asked, h, probabilities, samples)
        if found.concentration is not None:
            exposure, spread = forecast_exposure(panel, panel.keys.locate(asked), h)
            return rate_forecast(
                asked,
                panel.calendar.after(h),
                found.mean,
                found.concentration,
                exposure,
                level,
                exposure_dispersion=spread,
                extra=found.extra,
                target_name=panel.target_name,
                time_name=panel.time_name,
            )
        return Forecast(
            keys=asked,
            calendar=panel.calendar.after(h),
            mean=self._within(found.mean),
            probabilities=np.array(probabilities),
            quantiles=self._within(found.quantiles),
            samples=None if found.samples is None else self._within(found.samples),
            target_name=panel.target_name,
            time_name=panel.time_name,
        )

    @property
    def global_network(self) -> GlobalNetwork:
        """The fitted recipe `global`, or the part of an `ensemble` that is one, to look inside.

        Raises:
            ModelError: not fitted yet, or another recipe.
        """
        if self._fitted_on is None:
            raise ModelError("this forecaster has learned nothing yet: call fit first.")
        recipe = self._recipe
        if isinstance(recipe, Ensemble):
            return recipe.global_network
        if not isinstance(recipe, GlobalNetwork):
            raise ModelError(f"the recipe {self.recipe} has no such networks: fit global.")
        return recipe

    def question(self, panel: Panel, pairs: Keys) -> Question:
        """What the networks are given when `predict` forecasts some series of a panel.

        Raises:
            ModelError: not fitted yet, another recipe, or the panel does not fit the model.
        """
        recipe = self.global_network
        self._check_fits(panel)
        return recipe.question(self._clipped(panel), pairs, self.horizon)

    def layers(self) -> list[tuple[str, str, int]]:
        """The fitted network as rows of layer, output shape and number of parameters."""
        return self._recipe.layers()

    def save(self, folder: str | Path) -> None:
        """Write the model to a folder: weights as safetensors, all else as JSON, no code.

        A model that stood there before is replaced.

        Raises:
            ModelError: not fitted yet.
            OptionError: the folder cannot be written, or is there and holds something else.
        """
        if self._fitted_on is None:
            raise ModelError("there is nothing to save yet: call fit first.")
        folder = Path(folder)
        if folder.is_file() or (
            folder.is_dir() and any(folder.iterdir()) and not (folder / _CONFIG).is_file()
        ):
            raise OptionError(f"{folder} holds something other than a model: name a new folder.")
        settings, tensors = self._recipe.state()
        config = {
            "format": FORMAT_VERSION,
            "nestcast": __version__,
            "recipe": self.recipe,
            "horizon": self.horizon,
            "seed": self.seed,
            "clip": self.clip,
            "fitted_on": self._fitted_on,
            "settings": settings,
        }
        contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
        with replacing(folder) as aside:
            aside.mkdir()
            text = json.dumps(config, indent=2, ensure_ascii=False, allow_nan=False)
            (aside / _CONFIG).write_text(text + "\n", encoding="utf-8")
            safetensors.torch.save_file(contiguous, aside / _WEIGHTS)

    @classmethod
    def load(cls, folder: str | Path) -> Forecaster:
        """Read a model written by `save`; this never runs code from the folder.

        Raises:
            ModelError: no model there, a damaged one, or one of a newer format.
        """
        folder = Path(folder)
        try:
            config = json.loads((folder / _CONFIG).read_text(encoding="utf-8"))
            if config["format"] > FORMAT_VERSION:
                raise ModelError(
                    f"the model in {folder} has format {config['format']}, written by nestcast "
                    f"{config.get('nestcast', '?')}; this nestcast {__version__} reads up to "
                    f"format {FORMAT_VERSION}: upgrade nestcast."
                )
            clip = config["clip"]
            forecaster = cls(
                config["horizon"],
                recipe=config["recipe"],
                seed=config["seed"],
                clip=None if clip is None else (clip[0], clip[1]),
            )
            tensors = safetensors.torch.load_file(folder / _WEIGHTS)
            restored = recipe_named(config["recipe"]).restore(config["settings"], tensors)
            forecaster._recipe = restored
            forecaster._fitted_on = {**config["fitted_on"]}
        except FileNotFoundError:
            missing = next(n for n in (_CONFIG, _WEIGHTS) if not (folder / n).is_file())
            raise ModelError(f"no model in {folder}: {missing} is missing.") from None
        except NestcastError:
            raise
        except (
            OSError,
            ValueError,
            KeyError,
            TypeError,
            RuntimeError,
            safetensors.SafetensorError,
        ) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise ModelError(
                f"the model in {folder} is damaged ({reason[:200]}): fit and save it again."
            ) from None
        return forecaster

    def _suit(self, panel: Panel) -> None:
        """Take the recipe for rates where the panel has an exposure."""
        if panel.exposure is None:
            if self.recipe == _RATES:
                raise OptionError("rates need impressions: name their column with --exposure.")
            return
        if self.recipe == "seed" or self.clip is not None:
            what = "the recipe seed" if self.recipe == "seed" else "clip"
            raise OptionError(f"{what} is for sales: leave it out where clicks are forecast.")
        if self.recipe != _RATES:
            self._recipe = make_recipe(_RATES, False, self._options)

    def _within(self, values: Floats) -> Floats:
        return values if self.clip is None else np.clip(values, *self.clip)

    def _clipped(self, panel: Panel) -> Panel:
        """The panel as models see it: counts are never negative, and the target is clipped."""
        low, high = (-math.inf, math.inf) if self.clip is None else self.clip
        if panel.exposure is not None:
            return panel
        if panel.is_count:
            low = max(low, 0.0)
        return replace(panel, target=np.clip(panel.target, low, high))

    def _check_fits(self, panel: Panel) -> None:
        assert self._fitted_on is not None
        found = {"keys": list(panel.keys.names), "frequency": panel.calendar.freq}
        for name, value in found.items():
            expected = self._fitted_on[name]
            if value != expected:
                raise ModelError(
                    f"the model was fitted on {name} {expected}, the data have {value}: "
                    "read them the same way as when it was fitted."
                )
        if (self.recipe == _RATES) != (panel.exposure is not None):
            here, there = "clicks", "sales"
            if panel.exposure is not None:
                here, there = there, here
            raise ModelError(f"the model was fitted on {here}, the data are of {there}.")
        if self._fitted_on["is_count"] and not panel.is_count:
            raise ModelError(
                "the model was fitted on whole numbers and the data have fractions: fit a new one."
            )
