"""What a backtest found: scores by origin and segment, differences between models, and files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nestcast.data.keys import Column
from nestcast.data.tables import check_table_name, write_table
from nestcast.errors import OptionError
from nestcast.evaluation.bootstrap import Difference, Sums, differences
from nestcast.evaluation.click_metrics import reliability_table
from nestcast.evaluation.scoring import Cells, is_pooled, value
from nestcast.evaluation.segments import ALL, NEWNESS, VOLUMES
from nestcast.files import replacing
from nestcast.forecast import Forecast

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ScoredOrigin:
    """The label of the first period forecast from an origin, and its series in cells."""

    date: np.datetime64
    cells: Cells


@dataclass(frozen=True, eq=False)
class Run:
    """One model at one origin with one seed.

    Args:
        origin: number of the origin.
        model, seed: what ran.
        sums: metric -> its sums by cell, such as numerator and denominator, shape (cells, sums).
        fit_seconds, predict_seconds: wall time; 0 for a fit at an earlier origin.
        forecast, actual, exposure: what was forecast, what happened, out of how many impressions,
            if kept.
    """

    origin: int
    model: str
    seed: int
    sums: dict[str, Values]
    fit_seconds: float
    predict_seconds: float
    forecast: Forecast | None = None
    actual: Values | None = None
    exposure: Values | None = None


@dataclass(frozen=True, eq=False)
class Backtest:
    """Scores of several models at several origins; see `evaluation.backtest.backtest`.

    Args:
        origins: the earliest first.
        runs: every model, origin and seed.
        level: the intervals scored, in per cent.
        horizon: periods forecast from each origin.
    """

    origins: tuple[ScoredOrigin, ...]
    runs: tuple[Run, ...]
    level: tuple[float, ...]
    horizon: int

    @property
    def models(self) -> list[str]:
        """The models, in the order given."""
        return list(dict.fromkeys(run.model for run in self.runs))

    @property
    def metrics(self) -> list[str]:
        """The metrics, in the order of tables."""
        return list(self.runs[0].sums)

    @property
    def of_clicks(self) -> bool:
        """Whether rates of clicks were forecast."""
        return "log-loss" in self.metrics

    @property
    def main_metric(self) -> str:
        """The metric that models are ranked by."""
        return "log-loss" if self.of_clicks else "rmse"

    @property
    def segments(self) -> tuple[str, ...]:
        """The kinds of series, in the order of tables."""
        return self.origins[0].cells.segments

    def to_columns(self) -> dict[str, Column]:
        """A tidy table: origin, model, seed, segment, series, metric, value.

        `series` is the number of series in the segment. Segments and metrics without a value, such
        as new items where there are none, have no row.
        """
        return _columns(
            ("origin", "model", "seed", "segment", "series", "metric", "value"), self._rows()
        )

    def _rows(self) -> Iterator[tuple[Any, ...]]:
        for run in self.runs:
            origin = self.origins[run.origin]
            for segment in origin.cells.segments:
                members = origin.cells.members(segment)
                size = int(origin.cells.size[members].sum())
                for metric, sums in run.sums.items():
                    found = float(value(metric, sums[members].sum(axis=0)))
                    if np.isfinite(found):
                        row = (run.model, run.seed, segment, size, metric, found)
                        yield (origin.date, *row)

    def means(self, metric: str, segment: str = ALL) -> dict[str, float]:
        """Model -> the metric, averaged over origins and seeds.

        Metrics of clicks are those of the impressions of all origins together, averaged over seeds.

        Raises:
            OptionError: no such metric or segment.
        """
        sums: dict[tuple[str, int, int], Values] = {}
        for run in self.runs:
            members = self._checked(metric, segment, run.origin)
            which = (run.model, run.seed, -1 if is_pooled(metric) else run.origin)
            sums[which] = sums.get(which, 0.0) + run.sums[metric][members].sum(axis=0)
        found: dict[str, list[float]] = {model: [] for model in self.models}
        for (model, *_), total in sums.items():
            one = float(value(metric, total))
            if np.isfinite(one):
                found[model].append(one)
        return {model: float(np.mean(v)) if v else float("nan") for model, v in found.items()}

    def by_origin(self, metric: str, segment: str = ALL) -> dict[str, Values]:
        """Model -> the metric at each origin, averaged over seeds, shape (origins,)."""
        found = {model: np.zeros(len(self.origins)) for model in self.models}
        runs = {model: np.zeros(len(self.origins)) for model in self.models}
        for run in self.runs:
            members = self._checked(metric, segment, run.origin)
            found[run.model][run.origin] += value(metric, run.sums[metric][members].sum(axis=0))
            runs[run.model][run.origin] += 1
        return {model: found[model] / runs[model] for model in found}

    def seconds(self) -> dict[str, tuple[float, float]]:
        """Model -> wall seconds to fit and to predict, the mean over origins and seeds."""
        return {
            model: (
                float(np.mean([run.fit_seconds for run in self.runs if run.model == model])),
                float(np.mean([run.predict_seconds for run in self.runs if run.model == model])),
            )
            for model in self.models
        }

    def differences(
        self,
        metric: str | None = None,
        *,
        reference: str | None = None,
        segment: str = ALL,
        confidence: float = 95,
        draws: int = 1000,
        seed: int = 0,
        draw_seeds: bool = False,
    ) -> list[Difference]:
        """How far each model's mean metric is from that of one of them, and how sure that is.

        See `bootstrap.differences`.

        Args:
            metric: which; `main_metric` if not given.
            reference: the model to compare with; the first if not given.
            segment: series to count.
            confidence: of the interval, in per cent.
            draws: bootstrap samples.
            seed: of the draws.
            draw_seeds: whether seeds are drawn too, and not items only.

        Raises:
            OptionError: no such model, metric or segment.
        """
        metric = self.main_metric if metric is None else metric
        reference = self.models[0] if reference is None else reference
        if reference not in self.models:
            raise OptionError(
                f"no model {reference!r} in this backtest: use one of {', '.join(self.models)}."
            )
        sums = [
            Sums(
                run.origin,
                run.model,
                self.origins[run.origin].cells.cluster[members],
                run.sums[metric][members],
                run.seed,
            )
            for run in self.runs
            for members in [self._checked(metric, segment, run.origin)]
        ]
        return differences(sums, metric, reference, confidence, draws, seed, draw_seeds=draw_seeds)

    def forecast_columns(self) -> dict[str, Column]:
        """Every forecast kept, with the truth: origin, model, seed, newness, volume, keys, ...

        Raises:
            OptionError: forecasts were not kept.
        """
        parts: list[dict[str, Column]] = []
        for run in self.runs:
            if run.forecast is None or run.actual is None:
                raise OptionError("the forecasts were not kept: run with keep_forecasts=True.")
            cells = self.origins[run.origin].cells
            rows = run.forecast.to_columns(run.forecast.levels)
            of_row = np.repeat(cells.of_series, run.forecast.horizon)
            size = len(of_row)
            actual = {"actual": run.actual.ravel()}
            if run.exposure is not None:
                actual = {
                    "impressions-actual": run.exposure.ravel(),
                    "clicks-actual": run.actual.ravel(),
                }
            parts.append(
                {
                    "origin": np.full(size, self.origins[run.origin].date),
                    "model": np.full(size, run.model),
                    "seed": np.full(size, run.seed),
                    "newness": np.array(NEWNESS)[cells.newness[of_row]],
                    "volume": np.array(VOLUMES)[cells.volume[of_row]],
                    **rows,
                    **actual,
                }
            )
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def outcomes(self, model: str) -> tuple[Values, Values, Values]:
        """Clicks, impressions and forecast rates of a model over all origins and seeds, flat.

        They are what the functions of `click_metrics` take.

        Raises:
            OptionError: forecasts were not kept, or are not of clicks.
        """
        runs = [run for run in self.runs if run.model == model]
        parts: list[list[Values]] = []
        for run in runs:
            if run.forecast is None or run.actual is None or run.exposure is None:
                raise OptionError("rates of clicks were not kept: run with keep_forecasts=True.")
            rate = run.forecast.mean.astype(np.float64)
            parts.append([one.ravel() for one in (run.actual, run.exposure, rate)])
        clicks, impressions, rate = (np.concatenate(one) for one in zip(*parts, strict=True))
        return clicks, impressions, rate

    def write(self, path: str | Path) -> None:
        """Write the scores: the tidy table as CSV or Parquet, or JSON with differences and times.

        Raises:
            OptionError: the name has another ending, or the folder cannot be written to.
        """
        path = Path(path)
        check_result_name(path)
        if path.suffix != ".json":
            write_table(self.to_columns(), path)
            return
        text = json.dumps(self.to_json(), indent=1, ensure_ascii=False, allow_nan=False)
        with replacing(path) as aside:
            aside.write_text(text + "\n", encoding="utf-8")

    def to_json(self) -> dict[str, Any]:
        """All that is known, as JSON can hold it."""
        names = ("origin", "model", "seed", "segment", "series", "metric", "value")
        scores = [dict(zip(names, (str(r[0]), *r[1:]), strict=True)) for r in self._rows()]
        return {
            "origins": [str(origin.date) for origin in self.origins],
            "horizon": self.horizon,
            "models": self.models,
            "scores": scores,
            "differences": [
                {"metric": metric, **one.as_dict()}
                for metric in (self.main_metric, *(() if self.of_clicks else ("quantile-loss",)))
                for one in self.differences(metric)
            ],
            **self._reliability(),
            "seconds": {
                model: {"fit": fit, "predict": predict}
                for model, (fit, predict) in self.seconds().items()
            },
        }

    def _reliability(self) -> dict[str, Any]:
        """The reliability table of each model, as rows, where rates were kept."""
        if not self.of_clicks or any(run.forecast is None for run in self.runs):
            return {}
        found = {}
        for model in self.models:
            table = reliability_table(*self.outcomes(model))
            rows = zip(*(values.tolist() for values in table.values()), strict=True)
            found[model] = [dict(zip(table, row, strict=True)) for row in rows]
        return {"reliability": found}

    def _checked(self, metric: str, segment: str, origin: int) -> NDArray[np.bool_]:
        if metric not in self.metrics:
            raise OptionError(f"no metric {metric!r}: use one of {', '.join(self.metrics)}.")
        if segment not in self.segments:
            raise OptionError(f"no segment {segment!r}: use one of {', '.join(self.segments)}.")
        return self.origins[origin].cells.members(segment)


def check_result_name(path: Path) -> None:
    """See that `Backtest.write` knows the format; call it before long work.

    Raises:
        OptionError: the name ends in none of `.json`, `.csv`, `.csv.gz` and `.parquet`.
    """
    if path.suffix == ".json":
        return
    try:
        check_table_name(path)
    except OptionError as error:
        raise OptionError(
            str(error).replace("end its name in ", "end its name in .json, ")
        ) from None


def _columns(names: Sequence[str], rows: Iterator[tuple[Any, ...]]) -> dict[str, Column]:
    return {
        name: np.array(values) for name, values in zip(names, zip(*rows, strict=True), strict=True)
    }
