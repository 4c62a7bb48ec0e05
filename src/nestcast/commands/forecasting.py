"""From raw rows to a forecast, as the commands that need one share it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nestcast import Tuning
from nestcast.commands import options
from nestcast.commands.kept import Kept
from nestcast.commands.reading import Reading
from nestcast.console import Messages
from nestcast.data import Keys, Panel
from nestcast.data.covariates import check_known_ahead
from nestcast.data.pairs import Pairs, find_pairs
from nestcast.errors import OptionError
from nestcast.evaluation.click_models import is_click_model
from nestcast.files import check_place
from nestcast.forecast import Forecast, probabilities_of
from nestcast.forecaster import Forecaster


@dataclass(frozen=True)
class Options(options.ForecastOptions):
    """What to forecast and how, as the command was told."""

    @property
    def saved(self) -> Path | None:
        """The folder of the saved model, if one is to forecast."""
        if self.model is None or is_click_model(self.model):
            return None
        return Path(self.model)

    @property
    def levels(self) -> list[float]:
        """The intervals to give, in per cent."""
        return options.numbers(self.level, "--level")

    def check(self) -> None:
        """See before long work that the options make sense.

        Raises:
            OptionError: they do not.
        """
        probabilities_of(self.levels)
        options.limits(self.clip)
        if self.horizon is not None and self.horizon < 1:
            raise OptionError(f"--horizon must be 1 or more, not {self.horizon}.")
        # A saved model has its own recipe and clip; to accept others would silently ignore them.
        fitted_with = {"--recipe": self.recipe, "--clip": self.clip}
        for option, value in (fitted_with | self.of_networks()).items():
            if self.saved is not None and value is not None:
                raise OptionError(f"{option} cannot be combined with --model: leave one out.")
        self.forecaster()
        if self.save_model is not None:
            check_place(self.save_model)

    def of_networks(self) -> dict[str, object]:
        """Options of networks that are trained now, with their values."""
        return {
            "--effort": self.effort,
            "--likelihood": self.likelihood,
            "--cell": self.cell,
            "--known-assortment": self.known_assortment or None,
            "--tuning": self.tuning,
            "--save-model": self.save_model,
        }

    def forecaster(self) -> Forecaster:
        """A forecaster that has learned nothing."""
        return Forecaster(
            self.horizon or 1,
            recipe=self.recipe,
            seed=self.seed,
            clip=options.limits(self.clip),
            effort=self.effort,
            likelihood=self.likelihood,
            cell=self.cell,
            known_assortment=self.known_assortment,
            tuning=None if self.tuning is None else Tuning.read(self.tuning),
        )


@dataclass(frozen=True, eq=False)
class Made:
    """A forecast, and what it was made from.

    Args:
        panel: the rows.
        pairs: the series asked for, if a file names them.
        forecaster: what made it.
        forecast: keyed like the panel.
    """

    panel: Panel
    pairs: Pairs | None
    forecaster: Forecaster
    forecast: Forecast


def read_asked(
    source: str, wanted: Options, reading: Reading, say: Messages
) -> tuple[Panel, Pairs | None]:
    """Read the rows, and the series to forecast where a file names them.

    Raises:
        NestcastError: whatever a user can mend.
    """
    wanted.check()
    options.use_threads(reading.rows.threads)
    if wanted.saved is not None:
        Forecaster.load(wanted.saved)  # a folder that is no model is told of before long work
    panel = reading.panel(source, say)
    path = wanted.pairs or find_pairs(source)
    if path is None:
        return panel, None
    pairs = reading.pairs(path, panel, say)
    if pairs.ids is not None and (wanted.horizon or 1) != 1:
        raise OptionError(
            f"{path} has one ID for each pair, which take one number each: "
            "use --horizon 1, or pairs without an ID column."
        )
    return panel, pairs


def forecast_sales(
    panel: Panel, pairs: Pairs | None, wanted: Options, say: Messages, samples: int = 0
) -> Made:
    """Train or load a model, and forecast, with so many sample paths.

    Raises:
        NestcastError: whatever a user can mend.
    """
    keys = panel.keys if pairs is None else pairs.keys
    if wanted.saved is None and wanted.recipe != "seed":  # which uses no covariates
        check_known_ahead(panel, wanted.horizon or 1)
    forecaster = ready(panel, keys, wanted, say)
    horizon, folder = wanted.horizon or forecaster.horizon, wanted.saved or wanted.save_model
    kept = None
    if folder is not None and samples == 0:
        kept = Kept(folder, panel, keys, horizon, wanted.levels)
    forecast = kept.find() if kept else None
    if forecast is None:
        forecast = forecaster.predict(
            horizon, wanted.levels, panel=panel, pairs=keys, samples=samples
        )
        if kept:
            kept.keep(forecast)
    else:
        say.say(f"nothing has changed since the last forecast of {folder}: it stands")
    return Made(panel, pairs, forecaster, forecast)


def ready(panel: Panel, keys: Keys | None, wanted: Options, say: Messages) -> Forecaster:
    """A forecaster that was saved, or one that is trained now.

    Args:
        panel: to train on.
        keys: the series that will be asked for, if not those of the panel.
        wanted: what to forecast and how.
        say: told of progress and of what was trained.
    """
    if wanted.saved is not None:
        return Forecaster.load(wanted.saved)
    forecaster = wanted.forecaster()
    with say.training() as report:
        forecaster.fit(panel, keys, report)
    rows = forecaster.layers()
    total = sum(parameters for *_, parameters in rows)
    header = ["layer", "output", "parameters"]
    say.table(f"recipe {forecaster.recipe}", header, [*rows, ("total", "", total)])
    if wanted.save_model is not None:
        forecaster.save(wanted.save_model)
        say.say(f"model saved to {wanted.save_model}")
    return forecaster
