"""`nestcast tune`: read, search, write what was found."""

from __future__ import annotations

from dataclasses import asdict

from nestcast.commands.options import TuneOptions, limits, use_threads
from nestcast.commands.reading import Reading
from nestcast.console import Messages
from nestcast.errors import OptionError
from nestcast.evaluation.origins import Ask
from nestcast.evaluation.search import Search, tune
from nestcast.files import check_place

_ASKS: dict[str | None, Ask | None] = {None: None, "grid": "grid", "known": "known"}


def run_tune(source: str, options: TuneOptions, reading: Reading, say: Messages) -> None:
    """Read the rows, search, write what was found and show it.

    Raises:
        NestcastError: whatever a user can mend.
    """
    clip = limits(options.clip)
    if options.ask not in _ASKS:
        raise OptionError(f"--ask takes grid or known, not {options.ask!r}.")
    if options.output.suffix != ".json":
        raise OptionError(f"{options.output} must end in .json.")
    check_place(options.output)
    use_threads(reading.rows.threads)
    panel = reading.panel(source, say)
    with say.steps(options.trials * options.origins) as tell:
        found = tune(
            panel,
            trials=options.trials,
            origins=options.origins,
            horizon=options.horizon,
            step=options.step,
            ask=_ASKS[options.ask],
            clip=clip,
            metric=options.metric,
            effort=options.effort,
            seed=options.seed,
            study=options.study,
            tell=tell,
        )
    found.best.write(
        options.output,
        metric=options.metric,
        score=found.score,
        usual_score=found.usual,
        trials=found.trials,
    )
    _show(found, options, say)


def _show(found: Search, options: TuneOptions, say: Messages) -> None:
    rows = [(name.replace("_", " "), value) for name, value in asdict(found.best).items()]
    say.table("Found", ("setting", "value"), rows)
    if found.score < found.usual:
        say.say(
            f"{options.metric} {found.score:.4g}, {1 - found.score / found.usual:.1%} below that "
            f"of the usual settings ({found.usual:.4g}), in {found.trials} trials. Chosen for "
            "these periods: on others expect less."
        )
    else:
        say.say(f"No trial of {found.trials} was better than the usual settings: they stay.")
    say.say(f"Forecast with it: nestcast forecast ... --tuning {options.output}")
