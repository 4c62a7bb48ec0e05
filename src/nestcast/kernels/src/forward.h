// The forward pass of a set of tiles over the whole sequence, all levels.
#pragma once

#include "activations.h"
#include "layout.h"
#include "tiles.h"

namespace nestcast::NESTCAST_ISA {

// How many steps of each sample are valid; lanes without a sample have none.
struct Lengths {
  alignas(64) std::int32_t steps[kLanes];
  Index shortest, longest;  // of the lanes that have a sample

  Lengths() = default;
  Lengths(const Problem& p, const std::int64_t* lengths, Index tile)
      : shortest(p.steps), longest(0) {
    for (Index lane = 0; lane < kLanes; ++lane) {
      const Index sample = tile * kLanes + lane;
      Index valid = 0;
      if (sample < p.batch) {
        valid = lengths ? static_cast<Index>(lengths[sample]) : p.steps;
        valid = valid < 0 ? 0 : valid > p.steps ? p.steps : valid;
        if (valid < shortest) shortest = valid;
        if (valid > longest) longest = valid;
      }
      steps[lane] = static_cast<std::int32_t>(valid);
    }
  }

  NESTCAST_INLINE Mask valid(Index step, int lane) const {
    Mask length;
    std::memcpy(&length, steps + lane, sizeof length);
    return length > static_cast<std::int32_t>(step);
  }
};

struct ForwardTile {
  Index first_sample, samples;
  float* operand[kMaxDepth];  // [operand_rows][lanes] each
  float* cells;               // [depth][H][lanes]
  float* hidden;              // [H][lanes], before projection
  float* projected;           // [P][lanes]; `hidden` itself where there is no projection
  float* state;               // [P][lanes]: h after the last valid step
  float* mask;                // [P][lanes], recurrent mask or null
  float* words;               // [words(widest operand)][lanes]
  float* scratch_record;
  float* saved;  // the tile's first record, or null

  Record record(const Problem& p, Index step) const {
    return {p, saved ? saved + step * Record::size(p) : scratch_record};
  }
};

static void carve(const Problem& p, bool masked, Carver& carver, ForwardTile& tile) {
  const Index cell = p.hidden_size * kLanes, state = p.output_size * kLanes;
  for (Index level = 0; level < p.depth; ++level)
    tile.operand[level] = carver.take(operand_rows(p, level) * kLanes);
  tile.cells = carver.take(p.depth * cell);
  tile.hidden = carver.take(cell);
  tile.projected = p.projected ? carver.take(state) : tile.hidden;
  tile.state = carver.take(state);
  tile.mask = masked ? carver.take(state) : nullptr;
  tile.scratch_record = carver.take(Record::size(p));
  Index widest = p.hidden_size;  // the projection's
  for (Index level = 0; level < p.depth; ++level)
    if (operand_rows(p, level) > widest) widest = operand_rows(p, level);
  tile.words = kPair > 1 ? carver.take(words(widest) * kLanes) : nullptr;
}

static Index forward_scratch(const Problem& p) {
  Carver carver{nullptr};
  ForwardTile tile;
  carve(p, true, carver, tile);
  return carver.used * tiles_per_set(p);
}

static void put_state_into_operand(const Problem& p, const ForwardTile& tile) {
  float* to = tile.operand[0] + p.input_size * kLanes;
  for (Index at = 0; at < p.output_size * kLanes; at += kWidth) {
    const Vector h = load(tile.state + at);
    store(to + at, tile.mask ? h * load(tile.mask + at) : h);
  }
}

static void begin(const Problem& p, const Arguments& arguments, const ForwardTile& tile) {
  const Index H = p.hidden_size, P = p.output_size, n = tile.first_sample;
  gather(arguments.h + n * P, P, tile.samples, P, tile.state);
  for (Index level = 0; level < p.depth; ++level)
    gather(arguments.c + (level * p.batch + n) * H, H, tile.samples, H,
           tile.cells + level * H * kLanes);
  if (tile.mask) gather(arguments.recurrent_mask + n * P, P, tile.samples, P, tile.mask);
  put_state_into_operand(p, tile);
}

// Gates of an outer level, for units of one block, and the operand of the level inside.
static void outer_gates(const Problem& p, const ForwardTile& tile, const Record& record,
                        Index level, Index unit, Index units, const float* z) {
  const Index inner_half = p.hidden_size * kLanes;
  const bool identity = level == 0 && p.identity_candidate;
  float* const operand = tile.operand[level + 1];
  const float* const cell = tile.cells + level * inner_half;
  for (Index u = 0; u < units; ++u)
    for (int lane = 0; lane < kLanes; lane += kWidth) {
      const Index at = (unit + u) * kLanes + lane;
      const float* const sum = z + u * kLanes + lane;
      const Vector i = sigmoid(load(sum)), f = sigmoid(load(sum + units * kLanes));
      const Vector o = sigmoid(load(sum + 3 * units * kLanes));
      Vector g = load(sum + 2 * units * kLanes);
      if (!identity) g = tanh(g);
      store(operand + at, i * g);
      store(operand + inner_half + at, f * load(cell + at));
      store(record.gate(level, 3) + at, o);
      if (tile.saved) {
        store(record.gate(level, 0) + at, i);
        store(record.gate(level, 1) + at, f);
        store(record.gate(level, 2) + at, g);
      }
    }
}

// Gates of the innermost level, for units of one block; `hidden` takes the innermost cells.
static void innermost_gates(const Problem& p, const ForwardTile& tile, const Record& record,
                            Index unit, Index units, const float* z) {
  const Index size = p.hidden_size * kLanes, innermost = p.depth - 1;
  const bool identity = p.depth == 1 && p.identity_candidate;
  const float* const cell = tile.cells + innermost * size;
  for (Index u = 0; u < units; ++u)
    for (int lane = 0; lane < kLanes; lane += kWidth) {
      const Index at = (unit + u) * kLanes + lane;
      const float* const sum = z + u * kLanes + lane;
      const Vector i = sigmoid(load(sum)), f = sigmoid(load(sum + units * kLanes));
      const Vector o = sigmoid(load(sum + 3 * units * kLanes));
      Vector g = load(sum + 2 * units * kLanes);
      if (!identity) g = tanh(g);
      const Vector value = f * load(cell + at) + i * g;
      store(tile.hidden + at, value);
      store(record.gate(innermost, 3) + at, o);
      if (tile.saved) {
        store(record.gate(innermost, 0) + at, i);
        store(record.gate(innermost, 1) + at, f);
        store(record.gate(innermost, 2) + at, g);
        store(record.innermost_cell() + at, value);
      }
    }
}

// The new cells of units of one block, from the inside out, and what comes out of them. One level
// at a time, since each tanh waits for the one inside: the units need not wait for each other.
static void new_cells(const Problem& p, const ForwardTile& tile, const Record& record,
                      const Lengths* frozen_at, Index step, Index unit, Index units) {
  const Index begin = unit * kLanes, end = (unit + units) * kLanes;
  for (Index level = p.depth - 1; level >= 0; --level) {
    float* const cell = tile.cells + level * p.hidden_size * kLanes;
    const float* const o = record.gate(level, 3);
    for (Index at = begin; at < end; at += kWidth) {
      const Vector value = load(tile.hidden + at);
      store(cell + at, frozen_at ? select(frozen_at->valid(step, at % kLanes), value,
                                          load(cell + at))
                                 : value);
      store(tile.hidden + at, load(o + at) * tanh(value));
    }
  }
}

// The new state and the output of a step, once `projected` holds the candidate for h.
static void end_step(const Problem& p, const ForwardTile& tile, const Lengths* frozen_at,
                     Index step, float* output) {
  const Index P = p.output_size;
  float* const rows = output + (step * p.batch + tile.first_sample) * P;
  scatter(tile.projected, tile.samples, P, rows, P);
  for (Index at = 0; at < P * kLanes; at += kWidth) {
    Vector h = load(tile.projected + at);
    if (frozen_at)
      h = select(frozen_at->valid(step, at % kLanes), h, load(tile.state + at));
    store(tile.state + at, h);
  }
  if (frozen_at)
    for (Index lane = 0; lane < tile.samples; ++lane)
      if (step >= frozen_at->steps[lane])
        std::memset(rows + lane * P, 0, sizeof(float) * P);
  put_state_into_operand(p, tile);
}

static void forward_step(const Problem& p, const ForwardWeights& weights, const ForwardTile* tiles,
                         const Lengths* const* frozen_at, Index tile_count, Index step) {
  const Blocks blocks(p.hidden_size, kMaxUnits);
  alignas(64) float z[kMaxRows * kLanes];
  Soon soon;  // tiles in lockstep have more than a cache holds
  if (tile_count == 1 && tiles[0].saved && step + 1 < p.steps)
    soon.add(tiles[0].record(p, step + 1).data, Record::size(p));
  for (Index level = 0; level < p.depth; ++level) {
    const Index rows = operand_rows(p, level), inner = words(rows);
    const float* operands[kMaxTilesPerSet];
    for (Index i = 0; i < tile_count; ++i)
      operands[i] = as_operand(tiles[i].operand[level], rows, tiles[i].words);
    for (Index block = 0; block < blocks.count; ++block) {
      const Index unit = blocks.begin(block), units = blocks.begin(block + 1) - unit;
      const MultiplyBlock multiply = multiply_block_of(4 * units);
      for (Index i = 0; i < tile_count; ++i) {
        const ForwardTile& tile = tiles[i];
        multiply(weights.gates[level] + 4 * unit * inner, weights.bias[level] + 4 * unit,
                 operands[i], inner, z, soon.next(inner, operands[i]));
        const Record record = tile.record(p, step);
        if (level < p.depth - 1) {
          outer_gates(p, tile, record, level, unit, units, z);
        } else {
          innermost_gates(p, tile, record, unit, units, z);
          new_cells(p, tile, record, frozen_at[i], step, unit, units);
        }
      }
    }
  }
  if (p.projected)
    for (Index i = 0; i < tile_count; ++i)
      PackedMatrix{weights.projection, p.output_size, p.hidden_size}.multiply(
          as_operand(tiles[i].hidden, p.hidden_size, tiles[i].words), 0, tiles[i].projected, 0, 1,
          soon);
}

static void forward_set(const Problem& p, const Arguments& arguments, const Results& results,
                        const float* packed, float* saved, Index set, float* scratch) {
  const ForwardWeights weights(p, const_cast<float*>(packed));
  const TileRange range = tiles_of_set(p, set);
  const Index count = range.end - range.begin, H = p.hidden_size, P = p.output_size;
  Carver carver{scratch};
  ForwardTile tiles[kMaxTilesPerSet];
  Lengths lengths[kMaxTilesPerSet];
  Index longest = 0;
  for (Index i = 0; i < count; ++i) {
    ForwardTile& tile = tiles[i];
    const Index index = range.begin + i;
    tile.first_sample = index * kLanes;
    tile.samples = p.batch - tile.first_sample < kLanes ? p.batch - tile.first_sample : kLanes;
    tile.saved = saved ? saved + record_offset(p, index, 0) : nullptr;
    carve(p, arguments.recurrent_mask, carver, tile);
    begin(p, arguments, tile);
    lengths[i] = Lengths(p, arguments.lengths, index);
    if (lengths[i].longest > longest) longest = lengths[i].longest;
  }
  for (Index step = 0; step < longest; ++step) {
    const Lengths* frozen_at[kMaxTilesPerSet];
    for (Index i = 0; i < count; ++i) {
      const Sequence& input = arguments.input;
      gather(input.data + step * input.step_stride + tiles[i].first_sample * input.sample_stride,
             input.sample_stride, tiles[i].samples, p.input_size, tiles[i].operand[0]);
      frozen_at[i] = step < lengths[i].shortest ? nullptr : &lengths[i];
    }
    forward_step(p, weights, tiles, frozen_at, count, step);
    for (Index i = 0; i < count; ++i) end_step(p, tiles[i], frozen_at[i], step, results.output);
  }
  for (Index i = 0; i < count; ++i) {
    const ForwardTile& tile = tiles[i];
    for (Index step = longest; step < p.steps; ++step)
      std::memset(results.output + (step * p.batch + tile.first_sample) * P, 0,
                  sizeof(float) * P * tile.samples);
    if (tile.saved)  // never read, but what is returned should not depend on what was there
      std::memset(tile.record(p, longest).data, 0,
                  sizeof(float) * Record::size(p) * (p.steps - longest));
    scatter(tile.state, tile.samples, P, results.h + tile.first_sample * P, P);
    for (Index level = 0; level < p.depth; ++level)
      scatter(tile.cells + level * H * kLanes, tile.samples, H,
              results.c + (level * p.batch + tile.first_sample) * H, H);
  }
}

}  // namespace nestcast::NESTCAST_ISA
