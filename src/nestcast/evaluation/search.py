"""A search for sizes and training options that forecast past periods best."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nestcast.data.panel import Panel
from nestcast.errors import OptionError
from nestcast.evaluation.backtest import Tell, backtest
from nestcast.evaluation.models import RecipeModel
from nestcast.evaluation.origins import Ask
from nestcast.evaluation.registry import Contender
from nestcast.files import check_place
from nestcast.recipes.tuning import Tuning

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

METRICS = ("rmse", "mae", "rmsse", "mase", "quantile-loss", "crps")
_CELLS = ("nested:2", "nested:3", "lstm:1", "gru:1")
_FEWEST_PERIODS = 3  # that the first origin learns from


@dataclass(frozen=True)
class Search:
    """What a search found.

    Args:
        best: what had the lowest score.
        score: its mean over the origins; it was chosen for being low, so expect a little more.
        usual: the score of nestcast's own settings.
        trials: how many were tried, those given up early among them.
    """

    best: Tuning
    score: float
    usual: float
    trials: int


def tune(
    panel: Panel,
    *,
    trials: int = 20,
    origins: int = 3,
    horizon: int = 1,
    step: int = 1,
    ask: Ask | None = None,
    clip: tuple[float, float] | None = None,
    metric: str = "rmse",
    effort: str = "quick",
    seed: int = 0,
    study: str | Path | None = None,
    tell: Tell = lambda _: None,
) -> Search:
    """Search the settings of the networks that forecast from rolling origins best.

    The first trial are nestcast's own settings, so what is found is never worse on these origins.
    Trials that fall behind the median of the others at an origin are given up. The sampler is the
    tree-structured Parzen estimator of J. Bergstra and others, "Algorithms for hyper-parameter
    optimization" (2011).

    Args:
        panel: all that is known now.
        trials: how many, those of a study that is gone on with among them.
        origins, horizon, step, ask, clip: see `origins.rolling_origins`. To judge what is found,
            keep the last origins from the search: tune on a panel that ends before them.
        metric: to make small, one of `METRICS`.
        effort: of each trial.
        seed: of the networks and of the search.
        study: file to keep trials in; if it is there, the search goes on from it.
        tell: is told of each training.

    Raises:
        OptionError: an argument makes no sense, the study is of something else, or the package
            `optuna` is not installed.
    """
    if metric not in METRICS:
        raise OptionError(f"unknown metric {metric!r}: use one of {', '.join(METRICS)}.")
    for value, name in ((trials, "trial"), (origins, "origin")):
        if value < 1:
            raise OptionError(f"a search needs 1 {name} or more, not {value}.")
    if panel.exposure is not None:
        raise OptionError("the search is for sales: rates of clicks have no such settings.")
    ends = [len(panel.calendar) - step * back for back in reversed(range(origins))]
    if ends[0] - horizon < _FEWEST_PERIODS:
        raise OptionError(
            f"{len(panel.calendar)} periods are too few for {origins} origins: take fewer."
        )

    def score(tuning: Tuning, end: int) -> float:
        def make(seed: int) -> RecipeModel:
            return RecipeModel("global", seed, clip, effort=effort, tuning=tuning)

        result = backtest(
            panel.until(end),
            [Contender("trial", make)],
            origins=1,
            horizon=horizon,
            ask=ask,
            clip=clip,
        )
        return result.means(metric)["trial"]

    settings = {
        "origins": [str(panel.calendar.starts()[end - horizon]) for end in ends],
        "horizon": horizon,
        "ask": ask,
        "clip": clip and list(clip),
        "metric": metric,
        "effort": effort,
        "series": len(panel),
        "total": float(np.nansum(panel.target, dtype=np.float64)),
    }
    return _searched(_study(study, settings, seed), trials, ends, score, tell)


def _searched(
    study: Study,
    trials: int,
    ends: list[int],
    score: Callable[[Tuning, int], float],
    tell: Tell,
) -> Search:
    import optuna

    complete, pruned = optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED

    def usual() -> FrozenTrial | None:
        trials = study.get_trials(states=(complete,))
        return next((trial for trial in trials if trial.params == asdict(Tuning())), None)

    def objective(trial: Trial) -> float:
        tuning = _suggested(trial)
        scores: list[float] = []
        for end in ends:
            tell(f"trial {trial.number + 1} of {trials}, origin {len(scores) + 1} of {len(ends)}")
            scores.append(score(tuning, end))
            trial.report(float(np.mean(scores)), step=len(scores))
            if len(scores) < len(ends) and trial.should_prune():
                raise optuna.TrialPruned
        return float(np.mean(scores))

    if usual() is None:
        study.enqueue_trial(asdict(Tuning()))
    while (done := len(study.get_trials(deepcopy=False, states=(complete, pruned)))) < trials:
        study.optimize(objective, n_trials=trials - done)
    first = usual()
    own = math.nan if first is None or first.value is None else first.value
    return Search(Tuning(**study.best_params), float(study.best_value or 0), own, done)


def _suggested(trial: Trial) -> Tuning:
    return Tuning(
        cell=trial.suggest_categorical("cell", _CELLS),
        hidden_size=trial.suggest_int("hidden_size", 16, 160, log=True),
        head_size=trial.suggest_int("head_size", 16, 256, log=True),
        dropout=trial.suggest_float("dropout", 0.0, 0.5),
        learning_rate=trial.suggest_float("learning_rate", 5e-4, 1e-2, log=True),
        weight_decay=trial.suggest_float("weight_decay", 1e-6, 1e-1, log=True),
    )


def _study(path: str | Path | None, settings: dict[str, Any], seed: int) -> Study:
    """The study kept in a file, or a new one."""
    try:
        import optuna
        from optuna.storages.journal import JournalFileBackend
    except ModuleNotFoundError:
        raise OptionError(
            "the search needs the package optuna: pip install 'nestcast[tune]'."
        ) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = None
    if path is not None:
        check_place(Path(path))
        storage = optuna.storages.JournalStorage(JournalFileBackend(str(path)))
    try:
        study = optuna.create_study(
            storage=storage,
            study_name="nestcast",
            load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(n_startup_trials=4),
        )
        known = study.user_attrs.get("settings")
        before = len(study.trials)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise OptionError(f"{path} is no study of nestcast tune: name another file.") from None
    if known is None:
        study.set_user_attr("settings", settings)
    elif known != settings:
        other = next(name for name in settings if known.get(name) != settings[name])
        raise OptionError(
            f"the study in {path} is of other data or options ({other} was {known.get(other)!r}, "
            f"is {settings[other]!r}): name another file."
        )
    # A search that goes on must not draw again what it has drawn.
    study.sampler = optuna.samplers.TPESampler(seed=seed + before, multivariate=True)
    return study
