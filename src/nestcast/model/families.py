"""The likelihoods by name."""

from __future__ import annotations

from nestcast.errors import OptionError
from nestcast.model.continuous import Normal, Quantiles, StudentT, Tweedie
from nestcast.model.counts import Hurdle, NegativeBinomial, Poisson, ZeroInflated
from nestcast.model.likelihood import Likelihood

FAMILIES: dict[str, type[Likelihood]] = {
    family.name: family
    for family in (
        NegativeBinomial,
        Poisson,
        ZeroInflated,
        Hurdle,
        Normal,
        StudentT,
        Tweedie,
        Quantiles,
    )
}


def likelihood(name: str) -> Likelihood:
    """The likelihood of this name.

    Raises:
        OptionError: there is none.
    """
    try:
        return FAMILIES[name]()
    except KeyError:
        known = ", ".join(FAMILIES)
        raise OptionError(f"unknown likelihood {name!r}: use one of {known}.") from None
