"""`nestcast forecast` of clicks: rates, clicks at planned impressions, and what ranks first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nestcast.commands.forecasting import Options, ready
from nestcast.commands.output import write_or_print
from nestcast.console import Messages
from nestcast.data import Panel, write_table
from nestcast.data.plans import check_covers, read_plan
from nestcast.data.tables import check_table_name
from nestcast.errors import ModelError, OptionError
from nestcast.evaluation.click_models import click_model, is_click_model
from nestcast.evaluation.models import NETWORK, Model
from nestcast.files import check_place
from nestcast.rateforecast import RateForecast, unsampled_rate
from nestcast.rates.ranking import ranking

if TYPE_CHECKING:
    from nestcast.data.pairs import Pairs

SHOWN = 10  # ads printed


@dataclass(frozen=True)
class ClickOptions:
    """The options of the command that are about clicks, as given."""

    model: str | None
    exposure_plan: Path | None = None
    ranking: Path | None = None
    recalibrate: str | None = None
    negatives_kept: float | None = None

    def make(self, seed: int) -> Model:
        """The model, having learned nothing.

        Raises:
            OptionError: there is no such model.
        """
        recalibrated = f"+{self.recalibrate}" if self.recalibrate else ""
        return click_model((self.model or NETWORK) + recalibrated)(seed)

    def given(self) -> list[str]:
        """Those given that sales have no use for."""
        named = {
            "--exposure-plan": self.exposure_plan,
            "--ranking": self.ranking,
            "--recalibrate": self.recalibrate,
            "--negatives-kept": self.negatives_kept,
        }
        return [name for name, value in named.items() if value is not None]

    @property
    def names_a_model(self) -> bool:
        """Whether the model is one that is known by name, and not a folder."""
        return self.model is not None and is_click_model(self.model)

    @property
    def is_network(self) -> bool:
        """Whether it is the network that forecasts, trained now or before."""
        return self.model in (None, NETWORK) or not self.names_a_model

    def check(self, exposure: str | None) -> None:
        """See before long work that all can be done.

        Raises:
            OptionError: it cannot.
        """
        if exposure is not None and (self.names_a_model or self.model is None):
            self.make(0)
        if self.recalibrate and not (self.names_a_model or self.model is None):
            raise OptionError("--recalibrate needs a model that is trained now: leave --model out.")
        if self.ranking is not None:
            check_table_name(self.ranking)
            check_place(self.ranking)
        if self.negatives_kept is not None:
            unsampled_rate(0.5, self.negatives_kept)


@dataclass(frozen=True, eq=False)
class MadeClicks:
    """A forecast of clicks, and what it was made from.

    Args:
        panel: the rows.
        forecast: the rates.
        ranked: what ranks first, see `rates.ranking`.
    """

    panel: Panel
    forecast: RateForecast
    ranked: dict[str, np.ndarray]


def forecast_clicks(
    panel: Panel,
    pairs: Pairs | None,
    wanted: Options,
    options: ClickOptions,
    encoding: str,
    say: Messages,
) -> MadeClicks:
    """Fit, predict, and rank.

    Raises:
        NestcastError: whatever a user can mend.
    """
    refuse_for_clicks({"--clip": wanted.clip, "--recipe": wanted.recipe})
    level = wanted.levels
    asked = panel.keys if pairs is None else pairs.keys
    plan = None
    if options.exposure_plan is not None:
        plan = read_plan(options.exposure_plan, panel, encoding=encoding)
        check_covers(plan, panel.calendar.after(wanted.horizon or 1), options.exposure_plan)
        if pairs is None:
            asked = asked.concat(plan.keys.take(asked.locate(plan.keys) < 0))
    if options.is_network and not options.recalibrate:
        forecaster = ready(panel, asked, wanted, say)
        forecast = forecaster.predict(wanted.horizon, level, panel=panel, pairs=asked)
    else:
        _refuse_for_other_models(wanted)
        model, horizon = options.make(wanted.seed), wanted.horizon or 1
        model.fit(panel, asked, horizon)
        forecast = model.predict(panel, asked, horizon, level)
    if not isinstance(forecast, RateForecast):
        raise ModelError(f"the model {options.model} gives no rates of clicks.")
    if options.negatives_kept is not None:
        forecast = forecast.unsampled(options.negatives_kept)
    if plan is not None:
        planned = plan.at(asked, forecast.calendar)
        forecast = _planned(forecast, planned, say)
    if pairs is not None:
        forecast = replace(forecast, keys=pairs.given)
    return MadeClicks(panel, forecast, ranking(panel, forecast))


def write_clicks(
    made: MadeClicks, wanted: Options, options: ClickOptions, output: Path | None, say: Messages
) -> None:
    """Write rates, clicks and the ranking, and show its top."""
    write_or_print(made.forecast.to_columns(wanted.levels), output)
    if options.ranking is not None:
        write_table(made.ranked, options.ranking)
        say.say(f"ranking written to {options.ranking}")
    show_ads(made, SHOWN, say)


def _planned(forecast: RateForecast, planned: np.ndarray, say: Messages) -> RateForecast:
    """With the planned impressions where there are such."""
    without = np.isnan(planned).all(axis=1)
    if without.any():
        say.say(f"{without.sum():,} series are not in the plan: their impressions are forecast")
    exposure = np.where(np.isnan(planned), forecast.exposure, planned)
    made = forecast.given(exposure)
    if not without.any() or forecast.exposure_dispersion is None:
        return made
    spread = np.where(np.isnan(planned), forecast.exposure_dispersion, 0.0).astype(np.float32)
    return replace(made, exposure_dispersion=spread)


def show_ads(made: MadeClicks, top: int, say: Messages, *, result: bool = False) -> None:
    """Print the ads that rank first.

    Args:
        made: the forecast.
        top: how many.
        say: where to.
        result: whether that is what was asked for, to be printed even where messages are not.
    """
    ranked, keys, forecast = made.ranked, made.panel.keys, made.forecast
    first, last = forecast.calendar.starts()[0], forecast.calendar.ends()[-1]
    columns = ["impressions", "clicks", "ctr", *(["return"] if "return" in ranked else [])]
    rows: list[list[object]] = [
        [" / ".join(str(ranked[name][at]) for name in keys.names)]
        + [_cell(name, float(ranked[name][at])) for name in columns]
        for at in range(min(top, len(ranked["rank"])))
    ]
    header = [" / ".join(keys.names), *columns]
    say.table(f"most clicks expected, {first} to {last}", header, rows, result=result)


def _cell(name: str, value: float) -> object:
    if name == "ctr":
        return f"{100 * value:.3g}%"
    if name == "return":
        return value if np.isfinite(value) else ""
    return round(value)


def check_sales_options(options: ClickOptions) -> None:
    """Refuse options about clicks where sales are forecast.

    Raises:
        OptionError: there is one.
    """
    given = options.given()
    if given:
        raise OptionError(f"{given[0]} is for clicks: name their impressions with --exposure.")
    if options.names_a_model:
        raise OptionError(
            f"--model {options.model} is for clicks: name their impressions with --exposure, or a "
            "folder with a saved model."
        )


def _refuse_for_other_models(wanted: Options) -> None:
    """Refuse options of the network where another model forecasts.

    Raises:
        OptionError: one of them has a value.
    """
    for option, value in wanted.of_networks().items():
        if value is not None:
            raise OptionError(f"{option} is for the network: leave it out, or --model.")


def refuse_for_clicks(given: Mapping[str, object]) -> None:
    """Refuse options about sales where clicks are forecast.

    Raises:
        OptionError: one of them has a value.
    """
    for option, value in given.items():
        if value is not None:
            raise OptionError(f"{option} is for sales: leave it out where clicks are forecast.")
