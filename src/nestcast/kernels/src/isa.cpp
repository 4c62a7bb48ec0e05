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

// Multiply-adds that wait for nothing, for the benchmark: as many a cycle as the CPU can do.
static double multiply_add(Index rounds) {
  constexpr int kChains = 12;
  Vector sum[kChains];
  for (int i = 0; i < kChains; ++i) sum[i] = splat(static_cast<float>(i));
  Vector factor = splat(1.0001f), term = splat(1e-9f);
  for (Index round = 0; round < rounds; ++round) {
    NESTCAST_UNROLL
    for (int i = 0; i < kChains; ++i) {
#if defined(NESTCAST_BFLOAT16)
      sum[i] = dot(sum[i], factor, term);
#else
      sum[i] = sum[i] * factor + term;
#endif
    }
  }
  for (int i = 1; i < kChains; ++i) sum[0] += sum[i];
  volatile float sink = sum[0][0];
  (void)sink;
  return 2.0 * kPair * kChains * kWidth * static_cast<double>(rounds);
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
                       activate,
                       multiply_add};

}  // namespace nestcast::NESTCAST_ISA
