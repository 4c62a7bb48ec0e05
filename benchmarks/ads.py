"""Click-through rates by nestcast and by baselines, from rolling origins inside May of the ads.

    python benchmarks/ads.py ../shared/data/ads

Every day of May from which 7 days can be forecast is an origin. Series are those shown in the days
forecast; rates are scored at the impressions that came. With --simulate, the rates of simulated
campaigns against the true ones instead.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch

from nestcast import backtest, read_panel
from nestcast.data import Panel
from nestcast.evaluation import Backtest
from nestcast.rateforecast import RateForecast

MODELS = "nestcast,eb-3,ewma,eb,lightgbm,eb-7,last-week,pooled"
KEYS = ["campaign_number", "user_engagement", "banner", "placement"]


def read(path: Path) -> Panel:
    """The panel by day; the year is not known, and any will do."""
    return read_panel(
        path, target="clicks", exposure="impressions", series=KEYS, freq="1d", year=2017
    )


def promised(result: Backtest, model: str, level: float) -> tuple[float, float]:
    """How much its intervals hold by the forecasts themselves, of rows and of impressions.

    Where most rows have no click, an interval holds these, and so more than its level.
    """
    inside, shown = [], []
    for run in result.runs:
        if run.model == model:
            assert isinstance(run.forecast, RateForecast)
            at_these = run.forecast.given(run.exposure)
            _, clicks = at_these.sample(200)
            low, high = (
                at_these.clicks_quantiles()[
                    ..., [int(np.argmin(np.abs(at_these.probabilities - p)))]
                ]
                for p in (0.5 - level / 200, 0.5 + level / 200)
            )
            on = run.exposure > 0
            inside.append(((clicks >= low) & (clicks <= high)).mean(axis=-1)[on])
            shown.append(run.exposure[on])
    held, by = np.concatenate(inside), np.concatenate(shown)
    return float(held.mean()), float(np.average(held, weights=by))


def show(result: Backtest) -> None:
    """Print a table, the best log-loss first."""
    means = result.means("log-loss")
    away = {one.model: one for one in result.differences("log-loss")}
    first = result.models[0]
    print(
        f"| model | log-loss | against {first}, % (95%) | normalised entropy | excess x 1000 "
        "| predicted / observed | calibration error | in 80% | in 95% | seconds |"
    )
    print("|" + "---|" * 10)
    for model in sorted(means, key=lambda name: means[name]):
        one = away[model]
        spread = f"{one.percent:+.4f} ({one.percent_low:+.4f} to {one.percent_high:+.4f})"
        cells = [
            model,
            f"{means[model]:.6f}",
            "" if model == first else spread,
            f"{result.means('normalised-entropy')[model]:.5f}",
            f"{1000 * result.means('excess-loss')[model]:.4f}",
            f"{result.means('calibration')[model]:.4f}",
            f"{result.means('calibration-error')[model]:.6f}",
            *(
                f"{result.means(f'coverage-{level}')[model]:.3f}, "
                f"{result.means(f'coverage-{level}-weighted')[model]:.3f} "
                "(promised {:.3f}, {:.3f})".format(*promised(result, model, level))
                for level in (80, 95)
            ),
            f"{sum(result.seconds()[model]):.1f}",
        ]
        print(f"| {' | '.join(cells)} |")


def simulated(models: list[str], seeds: int) -> None:
    """Errors of forecast rates against the true ones, on simulated campaigns."""
    from nestcast.data.simulate import simulate_ads
    from nestcast.evaluation.click_models import click_model

    print(
        "| model | error of rates | of known ads | of new ads "
        "| true rates in 80% | of new ads | in 95% | new "
        "| error of known ads by account |"
    )
    print("|" + "---|" * 9)
    for name in models:
        errors: list[list[float]] = []
        for seed in range(seeds):
            with tempfile.TemporaryDirectory() as scratch:
                simulate_ads(Path(scratch, "ads"), "small", seed=seed)
                common = {"exposure": "impressions", "series": ["campaign", "placement", "ad"]}
                panel = read_panel(Path(scratch, "ads"), target="clicks", freq="1d", **common)
                truth = read_panel(
                    Path(scratch, "ads", "truth.csv"), target="clicks", cost="rate", freq="1d",
                    **common,
                )  # fmt: skip
            horizon = 14
            ahead = slice(len(panel.calendar), len(panel.calendar) + horizon)
            shown = truth.exposure[:, ahead]
            asked = truth.take((shown > 0).any(axis=1))
            rate, shown = asked.observed["cost"][:, ahead], asked.exposure[:, ahead]
            model = click_model(name)(seed)
            model.fit(panel, asked.keys, horizon)
            forecast = model.predict(panel, asked.keys, horizon, [80, 95])
            assert isinstance(forecast, RateForecast)
            at_these = forecast.given(shown)
            new = (panel.keys.locate(asked.keys) < 0)[:, None] & (shown > 0)
            old = (shown > 0) & ~new
            squared = (forecast.mean - rate) ** 2
            row = [float(squared[part].mean()) for part in (shown > 0, old, new)]
            for level in (80, 95):
                low, high = at_these.interval(level)
                inside = (rate >= low) & (rate <= high)
                row += [float(inside[part].mean()) for part in (old, new)]
            errors.append(row)
        mean = np.mean(errors, axis=0)
        cells = [f"{1e6 * value:.3f}" for value in mean[:3]] + [f"{v:.3f}" for v in mean[3:]]
        cells.append(", ".join(f"{1e6 * row[1]:.2f}" for row in errors))
        print(f"| {name} | {' | '.join(cells)} |")


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--models", default=MODELS)
    parser.add_argument("--origins", type=int, default=25)
    parser.add_argument("--step", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--simulate", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    models = options.models.split(",")
    if options.simulate:
        simulated(models, options.seeds)
        return
    if options.folder is None:
        parser.error("name the folder of the ads data, or use --simulate")
    result = backtest(
        read(options.folder),
        models,
        origins=options.origins,
        horizon=7,
        step=options.step,
        level=[80, 95],
        seeds=options.seeds,
        keep_forecasts=True,
    )
    print(f"{len(result.origins)} origins, {result.origins[0].date} to {result.origins[-1].date}\n")
    show(result)


if __name__ == "__main__":
    main()
