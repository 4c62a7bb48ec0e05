// The two matrix products, each a block of accumulators held in registers.
//
// In the first, lanes are samples and weights are broadcast; in the second, for the gradients of
// the weights, lanes are columns of the weight and the samples are summed over. What is summed over
// comes in words of 32 bits: a float each, or a pair of bfloat16 (see pairs.h).
#pragma once

#include "pairs.h"
#include "problem.h"

namespace nestcast::NESTCAST_ISA {

constexpr int kLanes = 16;  // samples in a tile; one vector of AVX-512
constexpr int kLaneWords = kLanes / kPair;

// Rows of a block of accumulators: as many as the registers hold beside the operands.
#if defined(__AVX512F__)
constexpr int kMaxRows = 24, kRowVectors = 1;
#elif defined(__AVX2__)
constexpr int kMaxRows = 12, kRowVectors = 1;
#else
constexpr int kMaxRows = 4, kRowVectors = 2;
#endif

NESTCAST_INLINE Index round_up(Index value, Index multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

constexpr Index kPasses = kLanes / (kRowVectors * kWidth);  // of a product over its operands

// Lines of memory to bring into the second-level cache while a product runs, one for each word of
// each pass: all at once, they would hold up what comes after.
constexpr Index kLine = 64;
struct Lines {
  const char* at;
  Index stride;  // 0 where there are none left
};

// z[row][lane] = bias[row] + sum over words k of w[k][row] * a[k][lane], for one block of rows.
template <int kRows>
void multiply_block(const float* w, const float* bias, const float* a, Index inner, float* z,
                    Lines soon) {
  constexpr int kStep = kRowVectors * kWidth;
  for (int lane = 0; lane < kLanes; lane += kStep) {
    Vector sum[kRows][kRowVectors];
    NESTCAST_UNROLL
    for (int row = 0; row < kRows; ++row)
      for (int v = 0; v < kRowVectors; ++v) sum[row][v] = splat(bias ? bias[row] : 0.0f);
    const float* weight = w;
    const float* operand = a + lane;
    for (Index k = 0; k < inner; ++k) {
      __builtin_prefetch(soon.at, 0, 2);
      soon.at += soon.stride;
      Vector x[kRowVectors];
      for (int v = 0; v < kRowVectors; ++v) x[v] = load(operand + v * kWidth);
      NESTCAST_UNROLL
      for (int row = 0; row < kRows; ++row)
        for (int v = 0; v < kRowVectors; ++v) add_product(sum[row][v], x[v], weight[row]);
      weight += kRows;
      operand += kLanes;
    }
    NESTCAST_UNROLL
    for (int row = 0; row < kRows; ++row)
      for (int v = 0; v < kRowVectors; ++v)
        store(z + row * kLanes + lane + v * kWidth, sum[row][v]);
  }
}

using MultiplyBlock = void (*)(const float*, const float*, const float*, Index, float*, Lines);

template <int kRows = kMaxRows>
MultiplyBlock multiply_block_of(Index rows) {
  if constexpr (kRows == 1) {
    return multiply_block<1>;
  } else {
    return rows == kRows ? multiply_block<kRows> : multiply_block_of<kRows - 1>(rows);
  }
}

// Memory that will be needed soon, handed out product by product.
struct Soon {
  const char* begin[3];
  const char* end[3];
  int count = 0;

  void add(const float* from, Index floats) {
    begin[count] = reinterpret_cast<const char*>(from);
    end[count] = reinterpret_cast<const char*>(from + floats);
    ++count;
  }
  // The lines for a product over `inner` words, which it reads from `operand`.
  Lines next(Index inner, const float* operand) {
    if (count == 0) return {reinterpret_cast<const char*>(operand), 0};
    const char* const at = begin[count - 1];
    begin[count - 1] += kLine * inner * kPasses;
    if (begin[count - 1] >= end[count - 1]) --count;
    return {at, kLine};
  }
};

// Blocks of nearly equal numbers of units, none padded: every size keeps its full speed.
struct Blocks {
  Index units, count;

  Blocks(Index units, Index largest) : units(units), count((units + largest - 1) / largest) {}
  Index begin(Index block) const { return units * block / count; }
};

// A matrix packed block after block, in each the rows of one column (of a word's) side by side.
struct PackedMatrix {
  const float* data;
  Index rows, columns;

  // z[tile][row][lane] = sum over columns of matrix * a[tile][column][lane], `a` in words.
  void multiply(const float* a, Index a_stride, float* z, Index z_stride, Index tiles,
                Soon& soon) const {
    const Blocks blocks(rows, kMaxRows);
    const Index inner = words(columns);
    for (Index block = 0; block < blocks.count; ++block) {
      const Index row = blocks.begin(block);
      const MultiplyBlock multiply_rows = multiply_block_of(blocks.begin(block + 1) - row);
      for (Index tile = 0; tile < tiles; ++tile)
        multiply_rows(data + row * inner, nullptr, a + tile * a_stride, inner,
                      z + tile * z_stride + row * kLanes, soon.next(inner, a));
    }
  }
};

// Rows and vectors of a block of weight gradients.
#if defined(__AVX512F__)
constexpr int kGradientRows = 8, kGradientVectors = 3;
#elif defined(__AVX2__)
constexpr int kGradientRows = 4, kGradientVectors = 3;
#else
constexpr int kGradientRows = 4, kGradientVectors = 2;
#endif

// sum[row][column] += sum over slots and lanes of d[slot][row][lane] * a[slot][lane][column], lanes
// in words.
template <int kVectors>
void accumulate_block(const float* d, Index d_stride, const float* a, Index slots, float* sum) {
  constexpr int kColumns = kVectors * kWidth;
  Vector total[kGradientRows][kVectors];
  NESTCAST_UNROLL
  for (int row = 0; row < kGradientRows; ++row)
    for (int v = 0; v < kVectors; ++v) total[row][v] = load(sum + row * kColumns + v * kWidth);
  for (Index slot = 0; slot < slots; ++slot) {
    for (int lane = 0; lane < kLaneWords; ++lane) {
      Vector x[kVectors];
      for (int v = 0; v < kVectors; ++v) x[v] = load(a + v * kWidth);
      NESTCAST_UNROLL
      for (int row = 0; row < kGradientRows; ++row)
        for (int v = 0; v < kVectors; ++v)
          add_product(total[row][v], x[v], d[row * kLaneWords + lane]);
      a += kColumns;
    }
    d += d_stride;
  }
  NESTCAST_UNROLL
  for (int row = 0; row < kGradientRows; ++row)
    for (int v = 0; v < kVectors; ++v) store(sum + row * kColumns + v * kWidth, total[row][v]);
}

}  // namespace nestcast::NESTCAST_ISA
