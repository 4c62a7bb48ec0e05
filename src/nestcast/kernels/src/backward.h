// The backward pass of a group of tiles: back-propagation through time, all levels.
#pragma once

#include "forward.h"
#include "gradients.h"

namespace nestcast::NESTCAST_ISA {

struct BackwardTile {
  Index first_sample, samples;
  Lengths lengths;
  const float* saved;    // the tile's first record
  float* d_state;        // [P][lanes]: gradient of h after the step
  float* d_cells;        // [depth][H][lanes]: gradients of the cells after the step
  float* d_output;       // [P][lanes]: gradient of the step's h from all sides, 0 where frozen
  float* d_hidden;       // [H][lanes]: the same before projection; d_output itself without one
  float* d_operand;      // [max(2H, P, I)][lanes]: product of weights and gate gradients
  float* initial_cells;  // [depth][H][lanes]
  float* cells_before;   // [depth][H][lanes]: cells before the step
  float* tanh_before;    // [depth][H][lanes]: their tanh
  float* tanh_cells;     // [depth][H][lanes]: tanh of the cells after the step
  float* operand;        // [2H, padded][lanes]: operand of an inner level, or the hidden state
  float* mask;           // [P][lanes] or null
  float* words;          // [words(padded 4H)][lanes]: gate gradients as the products read them

  Record record(const Problem& p, Index step) const {
    return {p, const_cast<float*>(saved) + step * Record::size(p)};
  }
};

static Index widest_operand(const Problem& p) {
  const Index rows = p.output_size > p.input_size ? p.output_size : p.input_size;
  return rows > 2 * p.hidden_size ? rows : 2 * p.hidden_size;
}

static void carve(const Problem& p, bool masked, Carver& carver, BackwardTile& tile) {
  const Index cell = p.hidden_size * kLanes, state = p.output_size * kLanes;
  tile.d_state = carver.take(state);
  tile.d_cells = carver.take(p.depth * cell);
  tile.d_output = carver.take(state);
  tile.d_hidden = p.projected ? carver.take(cell) : tile.d_output;
  tile.d_operand = carver.take(widest_operand(p) * kLanes);
  tile.initial_cells = carver.take(p.depth * cell);
  tile.cells_before = carver.take(p.depth * cell);
  tile.tanh_before = carver.take(p.depth * cell);
  tile.tanh_cells = carver.take(p.depth * cell);
  tile.operand = carver.take(round_up(2 * p.hidden_size, kWidth) * kLanes);
  tile.mask = masked ? carver.take(state) : nullptr;
  tile.words = kPair > 1 ? carver.take(words(round_up(4 * p.hidden_size, kGradientRows)) * kLanes)
                         : nullptr;
}

static Index backward_scratch(const Problem& p) {
  Carver carver{nullptr};
  BackwardTile tile;
  WeightGradients gradients(p);
  gradients.carve_queue(p, carver);
  for (Index i = 0; i < tiles_per_set(p); ++i) carve(p, true, carver, tile);
  carver.take(kPair * gradients.of[0].padded_columns());
  return carver.used;
}

static void begin(const Problem& p, const Arguments& arguments, const Gradients& gradients,
                  const BackwardTile& tile) {
  const Index H = p.hidden_size, P = p.output_size, n = tile.first_sample;
  if (gradients.h)
    gather(gradients.h + n * P, P, tile.samples, P, tile.d_state);
  else
    std::memset(tile.d_state, 0, sizeof(float) * P * kLanes);
  for (Index level = 0; level < p.depth; ++level) {
    const Index tile_at = level * H * kLanes, at = (level * p.batch + n) * H;
    gather(arguments.c + at, H, tile.samples, H, tile.initial_cells + tile_at);
    if (gradients.c)
      gather(gradients.c + at, H, tile.samples, H, tile.d_cells + tile_at);
    else
      std::memset(tile.d_cells + tile_at, 0, sizeof(float) * H * kLanes);
  }
  if (tile.mask) gather(arguments.recurrent_mask + n * P, P, tile.samples, P, tile.mask);
}

// The cells after a step, and their tanh, from its record; one level at a time, so that the units
// need not wait for each other.
static void restore_cells(const Problem& p, const Record& record, float* cells, float* tanh_cells) {
  const Index size = p.hidden_size * kLanes;
  for (Index level = p.depth - 1; level >= 0; --level) {
    float* const cell = cells + level * size;
    float* const tanh_cell = tanh_cells + level * size;
    const bool innermost = level == p.depth - 1;
    const float* const o = innermost ? nullptr : record.gate(level + 1, 3);
    const float* const inside = innermost ? record.innermost_cell() : tanh_cell + size;
    for (Index at = 0; at < size; at += kWidth) {
      const Vector value = innermost ? load(inside + at) : load(o + at) * load(inside + at);
      store(cell + at, value);
      store(tanh_cell + at, tanh(value));
    }
  }
}

// One step of one tile, seen backwards. With kFrozen some lanes are past their length (or have no
// sample): their gate gradients are 0 and the gradients of their states pass unchanged.
template <bool kFrozen>
struct BackwardStep {
  const Problem& p;
  const BackwardTile& tile;
  Index step, slot;
  const WeightGradients& weights;
  const Record now = tile.record(p, step);

  NESTCAST_INLINE Vector keep(Vector value, int lane) const {
    return kFrozen ? select(tile.lengths.valid(step, lane), value, Vector{}) : value;
  }
  NESTCAST_INLINE void update(float* to, Vector value, int lane) const {
    store(to, kFrozen ? select(tile.lengths.valid(step, lane), value, load(to)) : value);
  }
  NESTCAST_INLINE Vector previous_cell(Index level, Index at) const {
    const float* const cells = step > 0 ? tile.cells_before : tile.initial_cells;
    return load(cells + level * p.hidden_size * kLanes + at);
  }
  NESTCAST_INLINE Vector tanh_cell(Index level, Index at) const {
    return load(tile.tanh_cells + level * p.hidden_size * kLanes + at);
  }
  float* d_gate(Index level, Index gate) const {
    return weights.of[level].d_of(slot) + gate * p.hidden_size * kLanes;
  }

  // The gradient of the step's h: from the output and from the step after.
  void d_output(const float* rows, Index stride) const {
    const Index P = p.output_size;
    if (rows)
      gather(rows, stride, tile.samples, P, tile.d_output);
    else
      std::memset(tile.d_output, 0, sizeof(float) * P * kLanes);
    for (Index at = 0; at < P * kLanes; at += kWidth)
      store(tile.d_output + at,
            keep(load(tile.d_output + at) + load(tile.d_state + at), at % kLanes));
  }

  // Through the output gates and cells, from the outside in, and through the innermost gates.
  void unwind() const {
    const Index size = p.hidden_size * kLanes, innermost = p.depth - 1;
    const bool identity = p.depth == 1 && p.identity_candidate;
    for (Index at = 0; at < size; at += kWidth) {
      const int lane = at % kLanes;
      Vector d = load(tile.d_hidden + at);
      for (Index level = 0; level < p.depth; ++level) {
        const Vector o = load(now.gate(level, 3) + at), t = tanh_cell(level, at);
        store(d_gate(level, 3) + at, keep(d * t * o * (1.0f - o), lane));
        d = load(tile.d_cells + level * size + at) + d * o * (1.0f - t * t);
      }
      const Vector i = load(now.gate(innermost, 0) + at), f = load(now.gate(innermost, 1) + at);
      const Vector g = load(now.gate(innermost, 2) + at);
      const Vector c = previous_cell(innermost, at);
      const Vector d_candidate = d * i;
      store(d_gate(innermost, 0) + at, keep(d * g * i * (1.0f - i), lane));
      store(d_gate(innermost, 1) + at, keep(d * c * f * (1.0f - f), lane));
      store(d_gate(innermost, 2) + at,
            keep(identity ? d_candidate : d_candidate * (1.0f - g * g), lane));
      update(tile.d_cells + innermost * size + at, d * f, lane);
    }
  }

  // Through an outer level's i * g and f * c, whose gradients `d_operand` holds; makes anew the
  // operand of the level inside, for the gradient of its weights.
  void outer_gates(Index level) const {
    const Index size = p.hidden_size * kLanes;
    const bool identity = level == 0 && p.identity_candidate;
    for (Index at = 0; at < size; at += kWidth) {
      const int lane = at % kLanes;
      const Vector i = load(now.gate(level, 0) + at), f = load(now.gate(level, 1) + at);
      const Vector g = load(now.gate(level, 2) + at), c = previous_cell(level, at);
      const Vector d_input = load(tile.d_operand + at), d_forget = load(tile.d_operand + size + at);
      const Vector d_candidate = d_input * i;
      store(tile.operand + at, keep(i * g, lane));
      store(tile.operand + size + at, keep(f * c, lane));
      store(d_gate(level, 0) + at, keep(d_input * g * i * (1.0f - i), lane));
      store(d_gate(level, 1) + at, keep(d_forget * c * f * (1.0f - f), lane));
      store(d_gate(level, 2) + at,
            keep(identity ? d_candidate : d_candidate * (1.0f - g * g), lane));
      update(tile.d_cells + level * size + at, d_forget * f, lane);
    }
  }

  // Operands of the projection: the gradient of h, and the hidden state before projection.
  void projection_operands() const {
    const Index size = p.hidden_size * kLanes;
    std::memcpy(weights.of[p.depth].d_of(slot), tile.d_output,
                sizeof(float) * p.output_size * kLanes);
    for (Index at = 0; at < size; at += kWidth)
      store(tile.operand + at,
            keep(load(now.gate(0, 3) + at) * tanh_cell(0, at), at % kLanes));
  }

  // The gradient of h before the step, from the product with the recurrent weights.
  void d_state() const {
    for (Index at = 0; at < p.output_size * kLanes; at += kWidth) {
      const Vector d = load(tile.d_operand + at);
      update(tile.d_state + at, tile.mask ? d * load(tile.mask + at) : d, at % kLanes);
    }
  }
};

// Calls `use` with the step of one tile, in the form that its lengths ask for.
template <typename Use>
NESTCAST_INLINE void with_step(const Problem& p, const BackwardTile& tile, Index step, Index slot,
                               const WeightGradients& weights, Use use) {
  if (tile.samples == kLanes && step < tile.lengths.shortest)
    use(BackwardStep<false>{p, tile, step, slot, weights});
  else
    use(BackwardStep<true>{p, tile, step, slot, weights});
}

struct BackwardPass {
  const Problem& p;
  const Arguments& arguments;
  const Gradients& gradients;
  const float* output;
  const BackwardWeights& packed;
  const WeightGradients& weights;
  float* rows;  // operands of a word's samples at the outermost level, zeros after each end

  // Operands of the outermost level, straight from the input and the output of the step before.
  void outermost_operands(const BackwardTile& tile, Index step, Index slot) const {
    const Index I = p.input_size, P = p.output_size;
    const Sequence& input = arguments.input;
    for (Index lane = 0; lane < kLanes; ++lane) {
      float* const row = rows + lane % kPair * weights.of[0].padded_columns();
      if (step < tile.lengths.steps[lane]) {
        const Index sample = tile.first_sample + lane;
        const float* const x =
            input.data + step * input.step_stride + sample * input.sample_stride;
        const float* const h = step > 0 ? output + ((step - 1) * p.batch + sample) * P
                                        : arguments.h + sample * P;
        const float* const mask =
            arguments.recurrent_mask ? arguments.recurrent_mask + sample * P : nullptr;
        for (Index i = 0; i < I; ++i) row[i] = x[i];
        for (Index i = 0; i < P; ++i) row[I + i] = mask ? h[i] * mask[i] : h[i];
      } else {
        std::memset(row, 0, sizeof(float) * (I + P));
      }
      if ((lane + 1) % kPair == 0) weights.of[0].put_rows(slot, lane, rows);
    }
  }

  void d_input(const BackwardTile& tile, Index step) const {
    const Index I = p.input_size;
    scatter(tile.d_operand, tile.samples, I,
            gradients.input + (step * p.batch + tile.first_sample) * I, I);
  }

  // What one tile reads in the next step back; tiles in lockstep have more than a cache holds.
  Soon needed_next(const BackwardTile& tile, Index count, Index step) const {
    Soon soon;
    if (count > 1 || step < 2) return soon;
    const Index P = p.output_size, rows = P * tile.samples;
    const Sequence& d = gradients.output;
    soon.add(output + ((step - 2) * p.batch + tile.first_sample) * P, rows);
    if (d.data && d.sample_stride == P)
      soon.add(d.data + (step - 1) * d.step_stride + tile.first_sample * P, rows);
    soon.add(tile.record(p, step - 2).data, Record::size(p));
    return soon;
  }

  // One step back of the tiles of a set; their slots in the queue follow each other.
  void step(const BackwardTile* tiles, Index count, Index step, Index slot) const {
    const Index H = p.hidden_size, P = p.output_size;
    const Index tile_stride = count > 1 ? tiles[1].d_state - tiles[0].d_state : 0;
    // Floats are written straight to the queue; bfloat16 come there from a place of their own.
    const Index place = kPair > 1 ? 0 : slot;
    Soon soon = needed_next(tiles[0], count, step);
    const auto put_gradient = [&](Index level) {
      for (Index i = 0; i < count; ++i) weights.of[level].put_gradient(slot + i, i, tiles[i].words);
    };
    const auto multiply = [&](const float* matrix, Index rows, Index level, Index columns) {
      const WeightGradient& gates = weights.of[level];
      const float* const d = kPair > 1 ? tiles[0].words : gates.d_of(slot);
      const Index stride = kPair > 1 ? tile_stride : gates.padded_rows() * kLanes;
      PackedMatrix{matrix, rows, columns}.multiply(d, stride, tiles[0].d_operand, tile_stride,
                                                   count, soon);
    };
    for (Index i = 0; i < count; ++i) {
      if (step > 0)
        restore_cells(p, tiles[i].record(p, step - 1), tiles[i].cells_before, tiles[i].tanh_before);
      const Sequence& d = gradients.output;
      with_step(p, tiles[i], step, place + i, weights, [&](const auto& one) {
        one.d_output(d.data ? d.data + step * d.step_stride + tiles[i].first_sample * d.sample_stride
                            : nullptr,
                     d.sample_stride);
        if (p.projected) {
          one.projection_operands();
          weights.of[p.depth].put_tile(slot + i, tiles[i].operand);
          weights.of[p.depth].put_gradient(slot + i, i, tiles[i].words);
          PackedMatrix{packed.to_hidden, H, P}.multiply(
              kPair > 1 ? tiles[i].words : tiles[i].d_output, 0, tiles[i].d_hidden, 0, 1, soon);
        }
        one.unwind();
      });
    }
    for (Index level = p.depth - 1; level > 0; --level) {
      put_gradient(level);
      multiply(packed.to_operand[level], 2 * H, level, 4 * H);
      for (Index i = 0; i < count; ++i) {
        with_step(p, tiles[i], step, place + i, weights,
                  [&](const auto& one) { one.outer_gates(level - 1); });
        weights.of[level].put_tile(slot + i, tiles[i].operand);
      }
    }
    for (Index i = 0; i < count; ++i) outermost_operands(tiles[i], step, slot + i);
    put_gradient(0);
    if (gradients.input) {
      multiply(packed.to_input, p.input_size, 0, 4 * H);
      for (Index i = 0; i < count; ++i) d_input(tiles[i], step);
    }
    multiply(packed.to_operand[0], P, 0, 4 * H);
    for (Index i = 0; i < count; ++i)
      with_step(p, tiles[i], step, place + i, weights, [](const auto& one) { one.d_state(); });
  }

  void end(const BackwardTile& tile) const {
    const Index H = p.hidden_size, P = p.output_size, n = tile.first_sample;
    scatter(tile.d_state, tile.samples, P, gradients.initial_h + n * P, P);
    for (Index level = 0; level < p.depth; ++level)
      scatter(tile.d_cells + level * H * kLanes, tile.samples, H,
              gradients.initial_c + (level * p.batch + n) * H, H);
  }

  // All steps of one set, last first. Ends with an empty queue.
  void set(BackwardTile* tiles, Index count) const {
    Index longest = 0;
    for (Index i = 0; i < count; ++i) {
      begin(p, arguments, gradients, tiles[i]);
      if (tiles[i].lengths.longest > longest) longest = tiles[i].lengths.longest;
    }
    if (gradients.input)
      for (Index i = 0; i < count; ++i)
        for (Index t = longest; t < p.steps; ++t)
          std::memset(gradients.input + (t * p.batch + tiles[i].first_sample) * p.input_size, 0,
                      sizeof(float) * p.input_size * tiles[i].samples);
    if (longest > 0)
      for (Index i = 0; i < count; ++i)
        restore_cells(p, tiles[i].record(p, longest - 1), tiles[i].cells_before,
                      tiles[i].tanh_cells);
    Index slots = 0;
    for (Index t = longest - 1; t >= 0; --t) {
      step(tiles, count, t, slots);
      for (Index i = 0; i < count; ++i) {
        float* const tanh_before = tiles[i].tanh_before;
        tiles[i].tanh_before = tiles[i].tanh_cells;
        tiles[i].tanh_cells = tanh_before;
      }
      slots += count;
      if (slots + count > kQueueSlots || t == 0) {
        weights.flush(slots);
        slots = 0;
      }
    }
    for (Index i = 0; i < count; ++i) end(tiles[i]);
  }
};

static void backward_group(const Problem& p, const Arguments& arguments,
                           const Gradients& gradients, const float* output, const float* packed,
                           const float* saved, Index group, float* scratch, float* accumulator) {
  const BackwardWeights weights(p, const_cast<float*>(packed));
  WeightGradients sums(p);
  Carver carver{scratch}, sum_carver{accumulator};
  sums.carve_queue(p, carver);
  // Padding, of rows as of columns, is never written again.
  std::memset(scratch, 0, sizeof(float) * backward_scratch(p));
  sums.carve_sum(sum_carver);
  std::memset(accumulator, 0, sizeof(float) * sum_carver.used);
  BackwardTile tiles[kMaxTilesPerSet];
  for (Index i = 0; i < tiles_per_set(p); ++i)
    carve(p, arguments.recurrent_mask, carver, tiles[i]);
  const BackwardPass pass{p,    arguments, gradients, output, weights, sums,
                          carver.take(kPair * sums.of[0].padded_columns())};
  const Division division = divide(p);
  for (Index set = division.sets * group / division.groups;
       set < division.sets * (group + 1) / division.groups; ++set) {
    const TileRange range = tiles_of_set(p, set);
    for (Index i = 0; i < range.end - range.begin; ++i) {
      BackwardTile& tile = tiles[i];
      const Index index = range.begin + i;
      tile.first_sample = index * kLanes;
      tile.samples = p.batch - tile.first_sample < kLanes ? p.batch - tile.first_sample : kLanes;
      tile.lengths = Lengths(p, arguments.lengths, index);
      tile.saved = saved + record_offset(p, index, 0);
    }
    pass.set(tiles, range.end - range.begin);
  }
}

}  // namespace nestcast::NESTCAST_ISA
