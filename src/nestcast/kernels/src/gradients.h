// Gradients of the weights: outer products of gate gradients and operands, summed over samples.
//
// They wait in a queue of slots, one a step and tile, until about a hundred samples are together;
// then each block of the sum is loaded and stored once for all of them.
#pragma once

#include "layout.h"
#include "tiles.h"

namespace nestcast::NESTCAST_ISA {

constexpr Index kQueueSlots = 8;

// One weight gradient: rows of d times columns of a.
struct WeightGradient {
  Index rows, columns;
  float* d = nullptr;  // [slot][padded rows][lane]; of bfloat16, one slot for each tile of a set
  float* d_words = nullptr;  // [slot][padded rows][word of lanes]; `d` itself if floats
  float* a = nullptr;        // [panel][slot][word of lanes][column of the panel]
  float* sum = nullptr;      // [panel][padded row][column of the panel]
  float* bias = nullptr;     // [padded row][lane]: the sum of d, lane by lane

  Index padded_rows() const { return round_up(rows, kGradientRows); }
  Index padded_columns() const { return round_up(columns, kWidth); }
  Blocks panels() const { return Blocks(padded_columns() / kWidth, kGradientVectors); }

  void carve_queue(const Problem& p, Carver& carver) {
    d = carver.take((kPair > 1 ? tiles_per_set(p) : kQueueSlots) * padded_rows() * kLanes);
    d_words = kPair > 1 ? carver.take(kQueueSlots * padded_rows() * kLaneWords) : d;
    a = carver.take(kQueueSlots * kLaneWords * padded_columns());
  }
  void carve_sum(Carver& carver) {
    sum = carver.take(padded_rows() * padded_columns());
    bias = carver.take(padded_rows() * kLanes);
  }

  float* d_of(Index slot) const { return d + slot * padded_rows() * kLanes; }

  // Of bfloat16: puts the gradient of a tile of the set into the queue, adds it to the bias, and
  // makes the words [words(rows)][lanes] that the product with the weights reads.
  void put_gradient([[maybe_unused]] Index slot, [[maybe_unused]] Index tile,
                    [[maybe_unused]] float* made) const {
#if defined(NESTCAST_BFLOAT16)
    const float* const from = d_of(tile);
    float* const to = d_words + slot * padded_rows() * kLaneWords;
    for (Index row = 0; row < padded_rows(); row += 2) {
      const Index at = row * kLanes;
      const Vector one = load(from + at), other = load(from + at + kLanes);
      const Vector both = shorten(one, other);
      store(to + row * kLaneWords, both);
      store(made + row / 2 * kLanes, interleave(both));
      store(bias + at, load(bias + at) + one);
      store(bias + at + kLanes, load(bias + at + kLanes) + other);
    }
#endif
  }

  // Puts the operands of as many samples as a word has into their slot, each `padded_columns` long.
  void put_rows(Index slot, Index lane, const float* rows) const {
    const Blocks all = panels();
    for (Index panel = 0; panel < all.count; ++panel) {
      const Index begin = all.begin(panel) * kWidth;
      const Index width = all.begin(panel + 1) * kWidth - begin;
      float* const to =
          a + kQueueSlots * kLaneWords * begin + (slot * kLaneWords + lane / kPair) * width;
#if defined(NESTCAST_BFLOAT16)
      const float* const other = rows + padded_columns();
      for (Index column = 0; column < width; column += kWidth)
        store(to + column, interleave(shorten(load(rows + begin + column),
                                              load(other + begin + column))));
#else
      std::memcpy(to, rows + begin, sizeof(float) * width);
#endif
    }
  }

  // Puts a tile's operand [padded column][lane] into its slot.
  void put_tile(Index slot, const float* tile) const {
    const Blocks all = panels();
    for (Index panel = 0; panel < all.count; ++panel) {
      const Index begin = all.begin(panel) * kWidth;
      const Index width = all.begin(panel + 1) * kWidth - begin;
      float* const to = a + kQueueSlots * kLaneWords * begin + slot * kLaneWords * width;
      for (Index column = 0; column < width; column += kWidth)
        for (int lane = 0; lane < kLanes; lane += kWidth) {
          Square square;
          NESTCAST_UNROLL
          for (int i = 0; i < kWidth; ++i)
            square.rows[i] = load(tile + (begin + column + i) * kLanes + lane);
          square.transpose();
#if defined(NESTCAST_BFLOAT16)
          NESTCAST_UNROLL
          for (int i = 0; i < kLaneWords; ++i)
            store(to + i * width + column,
                  interleave(shorten(square.rows[2 * i], square.rows[2 * i + 1])));
#else
          NESTCAST_UNROLL
          for (int i = 0; i < kWidth; ++i) store(to + (lane + i) * width + column, square.rows[i]);
#endif
        }
    }
  }

  // Adds the first `slots` slots to the sums.
  void flush(Index slots) const {
    const Index d_stride = padded_rows() * kLaneWords;
    const Blocks all = panels();
    for (Index panel = 0; panel < all.count; ++panel) {
      const Index begin = all.begin(panel), vectors = all.begin(panel + 1) - begin;
      const float* const operand = a + kQueueSlots * kLaneWords * begin * kWidth;
      float* const panel_sum = sum + padded_rows() * begin * kWidth;
      for (Index row = 0; row < padded_rows(); row += kGradientRows) {
        const float* const gradient = d_words + row * kLaneWords;
        float* const block = panel_sum + row * vectors * kWidth;
        if (vectors == 1) accumulate_block<1>(gradient, d_stride, operand, slots, block);
        if (vectors == 2) accumulate_block<2>(gradient, d_stride, operand, slots, block);
        if constexpr (kGradientVectors > 2)
          if (vectors == 3) accumulate_block<3>(gradient, d_stride, operand, slots, block);
      }
    }
    if (kPair > 1) return;  // `put_gradient` has added to the bias
    for (Index at = 0; at < d_stride; at += kWidth) {
      Vector total = load(bias + at);
      for (Index slot = 0; slot < slots; ++slot) total += load(d + slot * d_stride + at);
      store(bias + at, total);
    }
  }
};

// All weight gradients of a layer; the one of the projection comes last.
struct WeightGradients {
  WeightGradient of[kMaxDepth + 1];
  Index count;

  explicit WeightGradients(const Problem& p) : count(p.depth + (p.projected ? 1 : 0)) {
    for (Index level = 0; level < p.depth; ++level)
      of[level] = {4 * p.hidden_size, operand_rows(p, level)};
    if (p.projected) of[p.depth] = {p.output_size, p.hidden_size};
  }
  void carve_queue(const Problem& p, Carver& carver) {
    for (Index i = 0; i < count; ++i) of[i].carve_queue(p, carver);
  }
  void carve_sum(Carver& carver) {
    for (Index i = 0; i < count; ++i) of[i].carve_sum(carver);
  }
  void flush(Index slots) const {
    for (Index i = 0; i < count; ++i) of[i].flush(slots);
  }
};

static Index accumulator_size(const Problem& p) {
  WeightGradients gradients(p);
  Carver carver{nullptr};
  gradients.carve_sum(carver);
  return carver.used;
}

// Enough groups for the threads of a large machine, few enough to stay small.
static Division divide(const Problem& p) {
  const Index tiles = tile_count(p), sets = Blocks(tiles, tiles_per_set(p)).count;
  const Index affordable = (Index{8} << 20) / accumulator_size(p) + 1;
  Index groups = sets < 32 ? sets : 32;
  if (groups > affordable) groups = affordable;
  return {tiles, sets, groups};
}

// Adds the other groups' values to the first group's, in the order of the groups.
static void add_groups(float* first, Index group_stride, Index groups, Index count) {
  for (Index group = 1; group < groups; ++group) {
    const float* const other = first + group * group_stride;
    for (Index at = 0; at < count; at += kWidth)
      store(first + at, load(first + at) + load(other + at));
  }
}

// Adds up rows [begin, end) of one weight gradient over all groups.
static void reduce_rows(const WeightGradient& gradient, Index group_stride, Index groups,
                        Index begin, Index end, Index split, float* first, float* second,
                        float* bias) {
  const Blocks panels = gradient.panels();
  const Index rest = gradient.columns - split;
  for (Index panel = 0; panel < panels.count; ++panel) {
    const Index start = panels.begin(panel) * kWidth;
    const Index width = panels.begin(panel + 1) * kWidth - start;
    float* const block = gradient.sum + gradient.padded_rows() * start;
    add_groups(block + begin * width, group_stride, groups, (end - begin) * width);
    for (Index row = begin; row < end; ++row)
      for (Index column = 0; column < width && start + column < gradient.columns; ++column) {
        const Index at = start + column;
        (at < split ? first[row * split + at] : second[row * rest + at - split]) =
            block[row * width + column];
      }
  }
  if (!bias) return;
  add_groups(gradient.bias + begin * kLanes, group_stride, groups, (end - begin) * kLanes);
  for (Index row = begin; row < end; ++row) {
    float total = 0.0f;
    for (Index lane = 0; lane < kLanes; ++lane) total += gradient.bias[row * kLanes + lane];
    bias[row] = total;
  }
}

static void reduce(const Problem& p, const Gradients& to, float* accumulators, Index part,
                   Index parts) {
  WeightGradients gradients(p);
  Carver carver{accumulators};
  gradients.carve_sum(carver);
  const Index groups = divide(p).groups;
  for (Index i = 0; i < gradients.count; ++i) {
    const WeightGradient& gradient = gradients.of[i];
    const Index begin = gradient.rows * part / parts, end = gradient.rows * (part + 1) / parts;
    if (i < p.depth)
      reduce_rows(gradient, carver.used, groups, begin, end, first_columns(p, i),
                  to.weight_ih[i], to.weight_hh[i], to.bias[i]);
    else
      reduce_rows(gradient, carver.used, groups, begin, end, gradient.columns, to.weight_hr,
                  nullptr, nullptr);
  }
}

}  // namespace nestcast::NESTCAST_ISA
