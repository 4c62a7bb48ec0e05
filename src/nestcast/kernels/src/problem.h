// What a layer's run is, in plain types: shared by the module and every instruction set's build.
#pragma once

#include <cstddef>
#include <cstdint>

namespace nestcast {

using Index = std::ptrdiff_t;

constexpr int kMaxDepth = 8;

struct Problem {
  Index steps, batch, input_size, hidden_size, output_size, depth;
  bool projected;           // output_size units are a linear map of the hidden_size ones
  bool identity_candidate;  // at the outermost level; inner candidates are always tanh
};

struct Level {
  const float* weight_ih;  // (4H, I) at the outermost level, (4H, H) inside
  const float* weight_hh;  // (4H, P) at the outermost level, (4H, H) inside
  const float* bias;       // (4H,) or null
};

struct Sequence {  // (steps, batch, features), features side by side
  const float* data;
  Index step_stride, sample_stride;
};

struct Arguments {
  Sequence input;
  const float* h;  // (N, P)
  const float* c;  // (depth, N, H)
  Level levels[kMaxDepth];
  const float* weight_hr;       // (P, H) or null
  const std::int64_t* lengths;  // (N,) or null
  const float* recurrent_mask;  // (N, P) or null
};

struct Results {
  float* output;  // (T, N, P)
  float* h;       // (N, P)
  float* c;       // (depth, N, H)
};

struct Gradients {
  Sequence output;              // data null where the output got no gradient
  const float* h;               // (N, P) or null
  const float* c;               // (depth, N, H) or null
  float* input;                 // (T, N, I) or null where not wanted
  float* initial_h;             // (N, P)
  float* initial_c;             // (depth, N, H)
  float* weight_ih[kMaxDepth];  // as in Level
  float* weight_hh[kMaxDepth];
  float* bias[kMaxDepth];  // null where the level has none
  float* weight_hr;        // null without projection
};

// Sizes, in floats, of the buffers that the caller gives.
struct BufferSizes {
  Index packed_forward, packed_backward, saved, forward_scratch, backward_scratch, accumulator;
};

// Work is cut into tiles of samples, tiles into sets that run in lockstep (to read large weights
// once for all of them), and sets into groups that share one accumulator of weight gradients.
// None of it depends on the number of threads, so results do not either.
struct Division {
  Index tiles, sets, groups;
};

// One build of the kernel for one instruction set.
struct Kernel {
  const char* name;
  Division (*divide)(const Problem&);
  BufferSizes (*measure)(const Problem&);
  void (*pack_forward)(const Problem&, const Arguments&, float* packed);
  void (*pack_backward)(const Problem&, const Arguments&, float* packed);
  // `saved` is null where no gradient will be asked for.
  void (*forward_set)(const Problem&, const Arguments&, const Results&, const float* packed,
                      float* saved, Index set, float* scratch);
  void (*backward_group)(const Problem&, const Arguments&, const Gradients&, const float* output,
                         const float* packed, const float* saved, Index group, float* scratch,
                         float* accumulator);
  // Adds up the groups' accumulators for a share of the rows of every weight gradient.
  void (*reduce)(const Problem&, const Gradients&, float* accumulators, Index part, Index parts);
  void (*activate)(const float* x, float* y, Index count, bool logistic);
  // Does independent multiply-adds and returns how many floating-point operations they were.
  double (*multiply_add)(Index rounds);
};

}  // namespace nestcast
