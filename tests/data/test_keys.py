import numpy as np
import pytest

from nestcast.data import Keys
from nestcast.data.keys import numbered

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    "values",
    [
        RNG.integers(-50, 50, 1000),
        RNG.integers(0, 255, 100).astype(np.uint8),
        np.array([-128, 127, 0], np.int8),  # whose differences do not fit
        np.array([2**63 - 1, -(2**63), 0]),
        np.array([2**64 - 1, 2**64 - 2, 2**64 - 1], np.uint64),
        np.array([2**63 - 1, 2**63 - 3]),
        np.array([], np.int64),
        np.array(["b", "a", "b", ""]),
        np.array([7]),
    ],
)
def test_numbered_is_as_numpy_has_it(values):
    distinct, codes = numbered(values)
    expected, places = np.unique(values, return_inverse=True)
    np.testing.assert_array_equal(distinct, expected)
    assert distinct.dtype == values.dtype
    np.testing.assert_array_equal(codes, places)
    assert codes.dtype == np.int64


@pytest.mark.parametrize("spread", [5, 10**12])
def test_the_first_of_equal_rows_is_found_and_what_is_absent_is_not(spread):
    mine, theirs = (
        Keys({"a": RNG.integers(0, 6, size) * spread, "b": RNG.choice(list("xyz"), size)})
        for size in (30, 200)
    )
    rows = list(zip(mine["a"].tolist(), mine["b"].tolist(), strict=True))
    expected = [
        rows.index(one) if one in rows else -1
        for one in zip(theirs["a"].tolist(), theirs["b"].tolist(), strict=True)
    ]
    assert mine.locate(theirs).tolist() == expected
    assert -1 in expected
    none = mine.take(slice(0))
    assert none.locate(theirs).tolist() == [-1] * 200
    assert mine.locate(none).tolist() == none.locate(none).tolist() == []
