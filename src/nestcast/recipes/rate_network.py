"""The recipe `rates`: one network for the click-through rates of all series."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import takewhile
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import special
from torch import Tensor

from nestcast.data.keys import Keys
from nestcast.data.panel import Panel
from nestcast.errors import DataError, OptionError
from nestcast.model.clicks import BetaBinomial, Binomial
from nestcast.model.likelihood import Size
from nestcast.model.network import ForecastNetwork, NetworkConfig, as_large, check_cell
from nestcast.model.population import with_series
from nestcast.rates.dispersion import Dispersion, Past, fit_dispersion
from nestcast.rates.features import RateFeatures, RateSchema, rate_schema_of
from nestcast.recipes.base import Prediction
from nestcast.recipes.holdout import Held, HoldOut, Watch
from nestcast.recipes.learning import Budget, Cases, Effort, ask, stages, train_network
from nestcast.recipes.networks import NetworkRecipe, embedded
from nestcast.training import Report

Values = NDArray[np.float64]

_CONTEXT = 60  # longest sequence, in periods
_HELD = 14  # periods, at least, on which a network is judged that has not seen them
_STRAY = 28  # and from which is learned how far rates stray from forecasts
_HIDDEN, _HEAD = 24, 24
_AT_ONCE = 4096  # series
_TRUSTS = (0.25, 0.5, 0.75, 1.0)

RATE_EFFORTS = {
    "quick": Effort(1, Budget(300_000, 150)),
    "standard": Effort(3, Budget(1_000_000, 400)),
    "best": Effort(8, Budget(3_000_000, 800)),
}
OF_CLICKS = {family.name: family for family in (BetaBinomial, Binomial)}


@dataclass(frozen=True)
class Settings:
    """What fitted networks need to know besides their weights; all of it fits into JSON.

    Args:
        family: name of the likelihood.
        members: number of networks.
        schema: their inputs.
        network: their shape.
        trust: how far to go from the base to what they say, from 0 to 1.
        dispersion: how far rates stray from forecasts.
    """

    family: str
    members: int
    schema: RateSchema
    network: NetworkConfig
    trust: float = 1.0
    dispersion: Dispersion = Dispersion()  # noqa: RUF009, it is frozen

    def to_json(self) -> dict[str, Any]:
        """What `from_json` takes."""
        return {
            "family": self.family,
            "members": self.members,
            "schema": self.schema.to_json(),
            "network": asdict(self.network),
            "trust": self.trust,
            "dispersion": asdict(self.dispersion),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The settings that were saved."""
        return cls(
            values["family"],
            values["members"],
            RateSchema.from_json(values["schema"]),
            NetworkConfig.from_json(values["network"]),
            values["trust"],
            Dispersion(**values["dispersion"]),
        )


class RateNetwork(NetworkRecipe):
    """A recurrent network that corrects a smoothed rate, trained on all series at once.

    Args:
        effort: `quick`, `standard` or `best`: how many networks, and how long each is trained.
        family: `beta-binomial` or `binomial`.
        cell: as for `GlobalNetwork`.

    Raises:
        OptionError: an option has no such value.
    """

    name = "rates"
    settings_from_json = Settings.from_json
    _settings: Settings

    def __init__(
        self, effort: str = "standard", family: str = "beta-binomial", cell: str = "nested"
    ) -> None:
        for wanted, known, what in (
            (effort, RATE_EFFORTS, "effort"),
            (family, OF_CLICKS, "likelihood of clicks"),
        ):
            if wanted not in known:
                raise OptionError(f"unknown {what} {wanted!r}: use one of {', '.join(known)}.")
        self._effort, self._cell = RATE_EFFORTS[effort], check_cell(cell)
        self._family = OF_CLICKS[family]()

    def fit(self, panel: Panel, asked: Keys, horizon: int, report: Report) -> None:
        """See `Recipe.fit`."""
        if panel.exposure is None or not panel.exposure.sum() > 0:
            raise DataError("there is not one impression to learn from: give more rows.")
        generator = np.random.default_rng(int(torch.randint(2**31, ()).item()))
        schema = rate_schema_of(panel, horizon)
        features = RateFeatures(panel, schema)
        past, ahead = features.sizes()
        self._settings = Settings(
            self._family.name,
            self._effort.members,
            schema,
            as_large(
                NetworkConfig(
                    past=past,
                    ahead=ahead,
                    outputs=self._family.parameters,
                    vocabularies=tuple(map(len, schema.vocabularies.values())),
                    hidden_size=_HIDDEN,
                    head_size=_HEAD,
                    head_layers=1,
                ),
                self._cell,
            ),
        )
        self._build()
        cases = self._cases(panel, features)
        reports = stages(report, self._effort.members + 1)
        budget = self._hold_out(cases, generator, next(reports))
        for network in self.networks:
            if self._settings.trust > 0:
                train_network(network, self._family, cases, budget, generator, next(reports))

    def _build(self) -> None:
        super()._build()
        self._family = OF_CLICKS[self._settings.family]()

    def _cases(self, panel: Panel, features: RateFeatures) -> Cases:
        def size(series: Tensor, periods: Tensor, wanted: Tensor) -> Size:
            shown = features.exposure(series, periods, wanted)
            return Size(features.level(series, periods, wanted), shown)

        known = embedded(panel, panel.keys.columns, self._settings.schema.vocabularies)
        return Cases(features, known, size, torch.ones(len(panel)), None, _CONTEXT)

    def _hold_out(self, cases: Cases, generator: np.random.Generator, report: Report) -> Budget:
        """Learn from the last periods how long to train, and how far rates stray from forecasts."""
        features, budget = cases.features, self._effort.budget
        horizon = self._settings.schema.horizon
        until = features.length - min(max(horizon, _HELD), features.length // 4)
        held_out = HoldOut(cases, self._family, until, False, generator)
        if len(held_out) == 0 or cases.sequences(until, generator).steps == 0:
            return budget
        network = ForecastNetwork(self._settings.network)
        watch = Watch(network, held_out, report)
        train_network(network, self._family, cases, budget, generator, watch, until=until)
        watch.restore()
        forecasts = list(held_out.asked(network))
        trust = _trust(forecasts)
        # Of few days it is learned too narrow; the base has seen none before their time.
        before = HoldOut(cases, self._family, max(features.length - _STRAY, 1), False, generator)
        earlier = takewhile(lambda held: held.origin < until, before.asked(network))
        past = _past([*((held, 0.0) for held in earlier), *((held, trust) for held in forecasts)])
        self._settings = replace(self._settings, trust=trust, dispersion=fit_dispersion(past))
        return budget.part(watch.share)

    def predict(
        self,
        panel: Panel,
        asked: Keys,
        horizon: int,
        probabilities: Sequence[float],
        samples: int = 0,
    ) -> Prediction:
        """The expected rates, and their concentration; no quantiles."""
        panel, at = with_series(panel, asked)
        features = RateFeatures(panel, self._settings.schema)
        cases = self._cases(panel, features)
        rows, position = np.unique(at, return_inverse=True)
        mean = np.empty((len(rows), horizon))
        for part in np.array_split(np.arange(len(rows)), len(rows) // _AT_ONCE + 1):
            raw, size = ask(
                self.networks, self._family, cases, rows[part], features.length, horizon
            )
            mean[part] = _rates(raw, size, self._settings.trust)
        step = np.arange(1.0, horizon + 1)
        dispersion = self._settings.dispersion
        found = dispersion.concentration(mean, np.zeros_like(mean), step)
        none = np.zeros((len(position), horizon, 0), np.float32)
        extra = dispersion.extra
        return Prediction(mean[position], none, concentration=found[position], extra=extra)


def _rates(raw: Tensor, size: Size, trust: float) -> Values:
    """Expected rates, so far from the base."""
    return np.asarray((size.level + trust * raw[..., 0]).double().sigmoid().numpy())


def _past(forecasts: Iterable[tuple[Held, float]]) -> Past:
    """Forecasts, so far from the base, and what happened, in rows."""
    parts = []
    for held, trust in forecasts:
        on = held.known.numpy()
        rate = _rates(held.raw, held.size, trust)
        step = np.broadcast_to(np.arange(1.0, on.shape[1] + 1), on.shape)
        found = (rate, np.zeros_like(rate), step, held.target.double(), held.size.unit.double())
        parts.append([np.asarray(one)[on] for one in found])
    return Past(*(np.concatenate(one) for one in zip(*parts, strict=True)))


def _trust(forecasts: Sequence[Held]) -> float:
    """How far to go from the base to what a network said of periods that it had not seen.

    That is as far as is best, if log-loss surely falls on the way: by more than two standard
    errors, from the differences between series, and from those between periods, which move many
    series together. Where it does not, the base is the forecast.
    """
    cells = [(held, *held.known.nonzero().numpy().T) for held in forecasts]
    series = np.concatenate([held.rows[row] for held, row, _ in cells])
    period = np.concatenate([held.origin + step for held, _, step in cells])
    base, *losses = (
        _log_losses(_past((held, trust) for held in forecasts)) for trust in (0.0, *_TRUSTS)
    )
    total = np.array([(base - one).sum() for one in losses])
    surely = np.full(len(losses), True)
    for code in (series, period):
        falls = np.stack([np.bincount(code, base - one) for one in losses])
        surely &= total > 2 * np.sqrt((falls**2).sum(axis=1))
    return _TRUSTS[int(total.argmax())] if surely.any() else 0.0


def _log_losses(past: Past) -> Values:
    clicks, missed = past.clicks, past.impressions - past.clicks
    return np.asarray(-special.xlogy(clicks, past.mean) - special.xlog1py(missed, -past.mean))
