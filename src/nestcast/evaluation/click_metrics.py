"""How good rates of clicks are: pure functions over clicks, impressions and forecast rates.

Arrays have any shape, the same for all three; what had no impressions does not count. Everything is
weighted by impressions, as if each of them were forecast by itself.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nestcast.data.keys import Column

Values = NDArray[np.float64]

BINS = 15
_NEAREST = float(np.finfo(np.float64).eps)  # that a rate may come to 0 and 1, as in scikit-learn


def log_loss(clicks: ArrayLike, impressions: ArrayLike, rate: ArrayLike) -> float:
    """Mean over impressions of `-log p` where there was a click and `-log(1 - p)` where not.

    Example:
        >>> round(log_loss([1], [4], [0.25]), 4)
        0.5623
    """
    k, n, p = _given(clicks, impressions, rate)
    return _over(losses(k, n, p).sum(), n.sum())


def losses(clicks: Values, impressions: Values, rate: Values) -> Values:
    """The sum of log-losses of the impressions of each row, same shape."""
    p = np.clip(rate, _NEAREST, 1 - _NEAREST)
    return np.asarray(-(clicks * np.log(p) + (impressions - clicks) * np.log1p(-p)))


def least_losses(clicks: Values, impressions: Values) -> Values:
    """The same for the rate that came true in each row, which no forecast can beat."""
    return losses(clicks, impressions, clicks / np.maximum(impressions, 1))


def entropy(rate: ArrayLike) -> Values:
    """Log-loss of a rate where it is true: `-p log p - (1 - p) log(1 - p)`.

    Example:
        >>> entropy([0.0, 0.5]).round(4)
        array([0.    , 0.6931])
    """
    p = np.clip(np.asarray(rate, np.float64), 0, 1)
    inside = np.clip(p, 1e-300, 1)
    outside = np.minimum(p, 1 - 1e-16)
    return np.asarray(-p * np.log(inside) - (1 - p) * np.log1p(-outside))


def normalised_entropy(clicks: ArrayLike, impressions: ArrayLike, rate: ArrayLike) -> float:
    """Log-loss over the entropy of the average rate: below 1 is better than one rate for all.

    X. He et al., "Practical lessons from predicting clicks on ads at Facebook" (2014), equation 3.

    Example:
        >>> normalised_entropy([1, 3], [10, 10], [0.2, 0.2])
        1.0
    """
    k, n, p = _given(clicks, impressions, rate)
    average = float(entropy(_over(k.sum(), n.sum())))
    return _over(log_loss(k, n, p), average)


def calibration(clicks: ArrayLike, impressions: ArrayLike, rate: ArrayLike) -> float:
    """Predicted clicks over observed ones: above 1 is too many (He et al. 2014).

    Example:
        >>> calibration([1, 3], [10, 20], [0.1, 0.2])
        1.25
    """
    k, n, p = _given(clicks, impressions, rate)
    return _over((n * p).sum(), k.sum())


def equal_mass_bins(impressions: ArrayLike, rate: ArrayLike, bins: int = BINS) -> NDArray[np.int64]:
    """Bin of each row, so that bins in the order of rates hold about as many impressions each.

    A row is not split: it goes where the middle of its impressions does. Equal rates stay together.

    Example:
        >>> equal_mass_bins([1, 1, 2, 2], [0.4, 0.3, 0.2, 0.1], bins=3)
        array([2, 2, 1, 0])
    """
    n, p = np.asarray(impressions, np.float64), np.asarray(rate, np.float64)
    values, code = np.unique(p.ravel(), return_inverse=True)
    mass = np.bincount(code, n.ravel(), minlength=len(values))
    middle = np.cumsum(mass) - mass / 2
    total = max(float(mass.sum()), 1e-300)
    bin_of_value = np.minimum((middle / total * bins).astype(np.int64), bins - 1)
    return np.asarray(bin_of_value[code].reshape(p.shape))


def expected_calibration_error(
    clicks: ArrayLike, impressions: ArrayLike, rate: ArrayLike, bins: int = BINS
) -> float:
    """Mean distance of predicted and observed rate over bins of equal impressions.

    M. P. Naeini, G. F. Cooper and M. Hauskrecht, "Obtaining well calibrated probabilities using
    Bayesian binning" (2015), with bins of equal mass (K. Nguyen and B. O'Connor, 2015).

    Example:
        >>> round(expected_calibration_error([1, 4], [10, 10], [0.2, 0.3], bins=2), 4)
        0.1
    """
    k, n, p = _given(clicks, impressions, rate)
    code = equal_mass_bins(n, p, bins)
    away = np.bincount(code, n * p - k, minlength=bins)
    return _over(float(np.abs(away).sum()), n.sum())


def reliability_table(
    clicks: ArrayLike, impressions: ArrayLike, rate: ArrayLike, bins: int = BINS
) -> dict[str, Column]:
    """Predicted and observed rates in bins of equal impressions; bins without any are left out.

    Columns: `bin`, `impressions`, `clicks`, `predicted`, `observed`, and `low`, `high`, the 95%
    interval of the observed rate if impressions were independent (E. B. Wilson, 1927).

    Example:
        >>> table = reliability_table([1, 4], [10, 10], [0.2, 0.3], bins=2)
        >>> table["predicted"].tolist(), table["observed"].tolist()
        ([0.2, 0.3], [0.1, 0.4])
    """
    k, n, p = _given(clicks, impressions, rate)
    code = equal_mass_bins(n, p, bins)
    shown, clicked, expected = (
        np.bincount(code, x, minlength=bins).astype(np.float64) for x in (n, k, n * p)
    )
    on = shown > 0
    shown, clicked, expected = shown[on], clicked[on], expected[on]
    low, high = _wilson(clicked, shown)
    return {
        "bin": np.flatnonzero(on),
        "impressions": shown,
        "clicks": clicked,
        "predicted": expected / shown,
        "observed": clicked / shown,
        "low": low,
        "high": high,
    }


def by_group(
    groups: ArrayLike, clicks: ArrayLike, impressions: ArrayLike, rate: ArrayLike
) -> dict[str, Column]:
    """The measures of each group: of each day, to see them over time, or of each segment.

    Example:
        >>> table = by_group(["a", "b", "b"], [1, 2, 2], [10, 10, 10], [0.1, 0.3, 0.1])
        >>> table["group"].tolist(), table["calibration"].tolist()
        (['a', 'b'], [1.0, 1.0])

    Args:
        groups: group of each row.
        clicks, impressions, rate: see above.

    Returns:
        A row for each group: `group`, `impressions`, `clicks`, and each of `MEASURES`.
    """
    labels, code = np.unique(np.asarray(groups).ravel(), return_inverse=True)
    k, n, p = (np.asarray(x, np.float64).ravel() for x in (clicks, impressions, rate))
    columns: dict[str, Column] = {
        "group": labels,
        "impressions": np.bincount(code, n),
        "clicks": np.bincount(code, k),
    }
    parts = [code == at for at in range(len(labels))]
    for name, measure in MEASURES.items():
        columns[name] = np.array([measure(k[part], n[part], p[part]) for part in parts])
    return columns


MEASURES: dict[str, Callable[[Values, Values, Values], float]] = {
    "log-loss": log_loss,
    "normalised-entropy": normalised_entropy,
    "calibration": calibration,
    "calibration-error": expected_calibration_error,
}


def _given(clicks: ArrayLike, impressions: ArrayLike, rate: ArrayLike) -> tuple[Values, ...]:
    """As flat arrays of what had impressions."""
    k, n, p = (np.asarray(x, np.float64).ravel() for x in (clicks, impressions, rate))
    on = n > 0
    return k[on], n[on], p[on]


def _over(a: float, b: float) -> float:
    return float(a / b) if b > 0 else float("nan")


def _wilson(clicks: Values, impressions: Values) -> tuple[Values, Values]:
    z = 1.959963984540054
    p = clicks / impressions
    middle = p + z**2 / (2 * impressions)
    half = z * np.sqrt(p * (1 - p) / impressions + z**2 / (4 * impressions**2))
    scale = 1 + z**2 / impressions
    return (middle - half) / scale, (middle + half) / scale
