// The kernel, built once for each instruction set.
#include "backward.h"

namespace nestcast::NESTCAST_ISA {

static BufferSizes measure(const Problem& p) {
  return {ForwardWeights(p, nullptr).size, BackwardWeights(p, nullptr).size,
          tile_count(p) * p.steps * Record::size(p), forward_scratch(p), backward_scratch(p),
          accumulator_size(p)};
}

// The activations alone, for tests of their accuracy.
static void activate(const float* x, float* y, Index count, bool logistic) {
  for (Index at = 0; at < count; at += kWidth) {
    alignas(64) float block[kWidth] = {};
    const Index length = count - at < kWidth ? count - at : kWidth;
    std::memcpy(block, x + at, sizeof(float) * length);
    store(block, logistic ? sigmoid(load(block)) : tanh(load(block)));
    std::memcpy(y + at, block, sizeof(float) * length);
  }
}

#define NESTCAST_STRING2(name) #name
#define NESTCAST_STRING(name) NESTCAST_STRING2(name)

extern const Kernel kernel;
const Kernel kernel = {NESTCAST_STRING(NESTCAST_ISA),
                       divide,
                       measure,
                       pack_forward,
                       pack_backward,
                       forward_set,
                       backward_group,
                       reduce,
                       activate};

}  // namespace nestcast::NESTCAST_ISA
