// Between rows of features, one a sample, and tiles in which each feature is a row of lanes.
#pragma once

#include "products.h"

namespace nestcast::NESTCAST_ISA {

// Exchanges rows and lanes of a square of vectors.
struct Square {
  Vector rows[kWidth];

  NESTCAST_INLINE void transpose() {
    if constexpr (kWidth >= 16) exchange<8>();
    if constexpr (kWidth >= 8) exchange<4>();
    exchange<2>();
    exchange<1>();
  }

 private:
  // Swaps the two off-diagonal quarters of every square of 2 * kHalf rows.
  template <int kHalf>
  NESTCAST_INLINE void exchange() {
    NESTCAST_UNROLL
    for (int row = 0; row < kWidth; ++row) {
      if (row & kHalf) continue;
      const Vector a = rows[row], b = rows[row + kHalf];
      rows[row] = merge<kHalf, false>(a, b);
      rows[row + kHalf] = merge<kHalf, true>(a, b);
    }
  }

  template <int kHalf, bool kHigh>
  static NESTCAST_INLINE Vector merge(Vector a, Vector b) {
    const auto source = [](int lane) {
      const bool from_b = lane & kHalf;
      const int low = from_b ? lane - kHalf : lane;
      return low + (kHigh ? kHalf : 0) + (from_b ? kWidth : 0);
    };
#if defined(__clang__) || __GNUC__ >= 12
#define NESTCAST_LANES4(first) source(first), source(first + 1), source(first + 2), source(first + 3)
#if defined(__AVX512F__)
    return __builtin_shufflevector(a, b, NESTCAST_LANES4(0), NESTCAST_LANES4(4),
                                   NESTCAST_LANES4(8), NESTCAST_LANES4(12));
#elif defined(__AVX2__)
    return __builtin_shufflevector(a, b, NESTCAST_LANES4(0), NESTCAST_LANES4(4));
#else
    return __builtin_shufflevector(a, b, NESTCAST_LANES4(0));
#endif
#undef NESTCAST_LANES4
#else
    Mask lanes;
    for (int lane = 0; lane < kWidth; ++lane) lanes[lane] = source(lane);
    return __builtin_shuffle(a, b, lanes);
#endif
  }
};

// tile[feature][lane] = rows[lane][feature] for the first `samples` lanes; other lanes become 0.
static void gather(const float* rows, Index row_stride, Index samples, Index features,
                   float* tile) {
  Index feature = 0;
  if (samples == kLanes) {
    for (; feature + kWidth <= features; feature += kWidth)
      for (int lane = 0; lane < kLanes; lane += kWidth) {
        Square square;
        NESTCAST_UNROLL
        for (int i = 0; i < kWidth; ++i)
          square.rows[i] = load_unaligned(rows + (lane + i) * row_stride + feature);
        square.transpose();
        NESTCAST_UNROLL
        for (int i = 0; i < kWidth; ++i) store(tile + (feature + i) * kLanes + lane, square.rows[i]);
      }
  }
  for (; feature < features; ++feature)
    for (Index lane = 0; lane < kLanes; ++lane)
      tile[feature * kLanes + lane] = lane < samples ? rows[lane * row_stride + feature] : 0.0f;
}

// A tile [rows][lanes] as products read it: itself, or in words [words(rows)][lanes] in `made`.
NESTCAST_INLINE const float* as_operand(const float* tile, Index rows, float* made) {
#if defined(NESTCAST_BFLOAT16)
  for (Index row = 0; row < rows; row += 2) {
    const float* const from = tile + row * kLanes;
    const Vector second = row + 1 < rows ? load(from + kLanes) : Vector{};
    store(made + row / 2 * kLanes, interleave(shorten(load(from), second)));
  }
  return made;
#else
  (void)rows, (void)made;
  return tile;
#endif
}

// rows[lane][feature] = tile[feature][lane] for the first `samples` lanes.
static void scatter(const float* tile, Index samples, Index features, float* rows,
                    Index row_stride) {
  Index feature = 0;
  if (samples == kLanes) {
    for (; feature + kWidth <= features; feature += kWidth)
      for (int lane = 0; lane < kLanes; lane += kWidth) {
        Square square;
        NESTCAST_UNROLL
        for (int i = 0; i < kWidth; ++i) square.rows[i] = load(tile + (feature + i) * kLanes + lane);
        square.transpose();
        NESTCAST_UNROLL
        for (int i = 0; i < kWidth; ++i)
          store_unaligned(rows + (lane + i) * row_stride + feature, square.rows[i]);
      }
  }
  for (; feature < features; ++feature)
    for (Index lane = 0; lane < samples; ++lane)
      rows[lane * row_stride + feature] = tile[feature * kLanes + lane];
}

}  // namespace nestcast::NESTCAST_ISA
