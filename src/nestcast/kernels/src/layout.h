// Where everything lies: the division of the batch, the saved records and the packed weights.
#pragma once

#include "products.h"

namespace nestcast::NESTCAST_ISA {

// Hands out parts of one buffer, each on a cache line; without a buffer it only counts.
struct Carver {
  float* base;
  Index used = 0;

  float* take(Index floats) {
    const Index at = used;
    used += round_up(floats, 16);
    return base ? base + at : nullptr;
  }
};

static Index first_columns(const Problem& p, Index level) {  // columns of weight_ih
  return level == 0 ? p.input_size : p.hidden_size;
}
static Index operand_rows(const Problem& p, Index level) {  // columns of both weights together
  return level == 0 ? p.input_size + p.output_size : 2 * p.hidden_size;
}

// ---- Division of the batch -------------------------------------------------------------------

constexpr Index kMaxTilesPerSet = 8;

// Small weights stay in the second-level cache and one tile at a time is best. Large ones come
// from further away at every step, so several tiles share each reading.
static Index tiles_per_set(const Problem& p) {
  Index weights = 0;
  for (Index level = 0; level < p.depth; ++level)
    weights += 4 * p.hidden_size * words(operand_rows(p, level));
  const Index kSmall = 320 << 10;  // words
  return weights <= kSmall ? 1 : weights <= 4 * kSmall ? 4 : kMaxTilesPerSet;
}

struct TileRange {
  Index begin, end;
};

static Index tile_count(const Problem& p) { return (p.batch + kLanes - 1) / kLanes; }

static TileRange tiles_of_set(const Problem& p, Index set) {
  const Blocks sets(tile_count(p), tiles_per_set(p));
  return {sets.begin(set), sets.begin(set + 1)};
}

// ---- What the forward pass keeps of each step of each tile -----------------------------------

// Gates of every level and the innermost cell. Outer cells are o * tanh of the cell inside: to
// compute them anew costs less than to bring them from memory.
struct Record {
  const Problem& p;
  float* data;

  static Index size(const Problem& p) { return (4 * p.depth + 1) * p.hidden_size * kLanes; }

  float* gate(Index level, Index gate) const {  // gates i, f, g, o are 0, 1, 2, 3
    return data + (4 * level + gate) * p.hidden_size * kLanes;
  }
  float* innermost_cell() const { return data + 4 * p.depth * p.hidden_size * kLanes; }
};

static Index record_offset(const Problem& p, Index tile, Index step) {
  return (tile * p.steps + step) * Record::size(p);
}

// ---- Packed weights --------------------------------------------------------------------------

constexpr Index kMaxUnits = kMaxRows / 4;  // whose four gates one block of accumulators holds

struct ForwardWeights {
  float* gates[kMaxDepth];
  float* bias[kMaxDepth];
  float* projection = nullptr;
  Index size;

  ForwardWeights(const Problem& p, float* base) {
    Carver carver{base};
    for (Index level = 0; level < p.depth; ++level) {
      gates[level] = carver.take(4 * p.hidden_size * words(operand_rows(p, level)));
      bias[level] = carver.take(4 * p.hidden_size);
    }
    if (p.projected) projection = carver.take(p.output_size * words(p.hidden_size));
    size = carver.used;
  }
};

struct BackwardWeights {
  float* to_operand[kMaxDepth];  // gate gradients to operand gradients; recurrent part at level 0
  float* to_input;
  float* to_hidden = nullptr;  // through the projection
  Index size;

  BackwardWeights(const Problem& p, float* base) {
    Carver carver{base};
    for (Index level = 0; level < p.depth; ++level)
      to_operand[level] = carver.take(words(4 * p.hidden_size) * operand_gradient_rows(p, level));
    to_input = carver.take(words(4 * p.hidden_size) * p.input_size);
    if (p.projected) to_hidden = carver.take(words(p.output_size) * p.hidden_size);
    size = carver.used;
  }

  static Index operand_gradient_rows(const Problem& p, Index level) {
    return level == 0 ? p.output_size : 2 * p.hidden_size;
  }
};

// One column of both weights of a level; zeros after the last.
struct Column {
  const float* data;
  Index stride;

  Column(const Level& level, Index first_columns, Index columns, Index column)
      : data(column >= columns        ? nullptr
             : column < first_columns ? level.weight_ih + column
                                      : level.weight_hh + column - first_columns),
        stride(column < first_columns ? first_columns : columns - first_columns) {}

  NESTCAST_INLINE float row(Index row) const { return data ? data[row * stride] : 0.0f; }
};

static void pack_forward(const Problem& p, const Arguments& arguments, float* packed) {
  const ForwardWeights to(p, packed);
  const Index H = p.hidden_size;
  const Blocks blocks(H, kMaxUnits);
  for (Index level = 0; level < p.depth; ++level) {
    const Level& from = arguments.levels[level];
    const Index first = first_columns(p, level), columns = operand_rows(p, level);
    float* weight = to.gates[level];
    float* bias = to.bias[level];
    for (Index block = 0; block < blocks.count; ++block) {
      const Index begin = blocks.begin(block), end = blocks.begin(block + 1);
      for (Index column = 0; column < columns; column += kPair) {
        const Column one(from, first, columns, column);
        const Column other(from, first, columns, column + kPair - 1);
        for (Index gate = 0; gate < 4; ++gate)
          for (Index unit = begin; unit < end; ++unit)
            *weight++ = word(one.row(gate * H + unit), other.row(gate * H + unit));
      }
      for (Index gate = 0; gate < 4; ++gate)
        for (Index unit = begin; unit < end; ++unit)
          *bias++ = from.bias ? from.bias[gate * H + unit] : 0.0f;
    }
  }
  if (!p.projected) return;
  const Blocks rows(p.output_size, kMaxRows);
  float* weight = to.projection;
  for (Index block = 0; block < rows.count; ++block)
    for (Index column = 0; column < H; column += kPair)
      for (Index row = rows.begin(block); row < rows.begin(block + 1); ++row) {
        const float* const both = arguments.weight_hr + row * H + column;
        *weight++ = word(both[0], column + 1 < H ? both[1] : 0.0f);
      }
}

// The transpose of a matrix (rows, columns), from its column `begin` to `end`, with leading zeros
// nowhere: blocks of columns, in each the block's columns of one row side by side.
struct TransposedSource {
  const float* first;   // (rows, first_columns)
  const float* second;  // (rows, second_columns), to its right; null if there is none
  Index rows, first_columns, second_columns;

  void pack(float* to) const {
    const Index columns = first_columns + second_columns;
    const Blocks blocks(columns, kMaxRows);
    for (Index block = 0; block < blocks.count; ++block)
      for (Index row = 0; row < rows; row += kPair)
        for (Index column = blocks.begin(block); column < blocks.begin(block + 1); ++column)
          *to++ = word(at(row, column), row + 1 < rows ? at(row + 1, column) : 0.0f);
  }

  NESTCAST_INLINE float at(Index row, Index column) const {
    return column < first_columns ? first[row * first_columns + column]
                                  : second[row * second_columns + column - first_columns];
  }
};

static void pack_backward(const Problem& p, const Arguments& arguments, float* packed) {
  const BackwardWeights to(p, packed);
  const Index H = p.hidden_size, I = p.input_size, P = p.output_size;
  const Level& outer = arguments.levels[0];
  TransposedSource{outer.weight_hh, nullptr, 4 * H, P, 0}.pack(to.to_operand[0]);
  TransposedSource{outer.weight_ih, nullptr, 4 * H, I, 0}.pack(to.to_input);
  for (Index level = 1; level < p.depth; ++level) {
    const Level& inner = arguments.levels[level];
    TransposedSource{inner.weight_ih, inner.weight_hh, 4 * H, H, H}.pack(to.to_operand[level]);
  }
  if (p.projected) TransposedSource{arguments.weight_hr, nullptr, P, H, 0}.pack(to.to_hidden);
}

}  // namespace nestcast::NESTCAST_ISA
