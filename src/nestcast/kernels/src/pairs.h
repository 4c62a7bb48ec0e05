// The words that products read: floats, or pairs of bfloat16 where the build is for those.
//
// A pair lies in the 32 bits of a float, the first value in the low half, and is handled as a float
// of whatever value those bits have. Sums are floats in both cases.
#pragma once

#include "problem.h"
#include "vector.h"

namespace nestcast::NESTCAST_ISA {

#if defined(NESTCAST_BFLOAT16)

constexpr int kPair = 2;  // values in a word

NESTCAST_INLINE Vector dot(Vector sum, Vector x, Vector y) {
  return reinterpret_cast<Vector>(_mm512_dpbf16_ps(reinterpret_cast<__m512>(sum),
                                                   reinterpret_cast<__m512bh>(x),
                                                   reinterpret_cast<__m512bh>(y)));
}

// Adds both products of each lane, `word` being the same for all. GCC would load the word to a
// register first, which makes the loop a quarter slower; the sanitizers see only what GCC does.
NESTCAST_INLINE void add_product(Vector& sum, Vector x, const float& word) {
#if defined(__SANITIZE_ADDRESS__)
  sum = dot(sum, x, reinterpret_cast<Vector>(_mm512_set1_ps(word)));
#else
  asm("vdpbf16ps %2%{1to16%}, %1, %0" : "+v"(sum) : "v"(x), "m"(word));
#endif
}

// The bfloat16 nearest to each value: those of `first`, then those of `second`.
NESTCAST_INLINE Vector shorten(Vector first, Vector second) {
  return reinterpret_cast<Vector>(_mm512_cvtne2ps_pbh(reinterpret_cast<__m512>(second),
                                                      reinterpret_cast<__m512>(first)));
}

// Each lane's word from two vectors that went through `shorten`.
NESTCAST_INLINE Vector interleave(Vector shortened) {
  typedef std::int16_t Halves __attribute__((vector_size(64)));
  const Halves order = {0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
                        8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  return reinterpret_cast<Vector>(_mm512_permutexvar_epi16(
      reinterpret_cast<__m512i>(order), reinterpret_cast<__m512i>(shortened)));
}

inline std::uint32_t shorten(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  const std::uint32_t nearest = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  return value == value ? nearest : bits >> 16 | 0x40u;  // what is not a number stays so
}

inline float word(float first, float second) {
  const std::uint32_t bits = shorten(first) | shorten(second) << 16;
  float both;
  std::memcpy(&both, &bits, sizeof both);
  return both;
}

#else

constexpr int kPair = 1;

NESTCAST_INLINE void add_product(Vector& sum, Vector x, const float& word) {
  sum += x * word;
}
NESTCAST_INLINE float word(float first, float) { return first; }

#endif

// Words that hold `values` values; a last half is 0.
NESTCAST_INLINE Index words(Index values) { return (values + kPair - 1) / kPair; }

}  // namespace nestcast::NESTCAST_ISA
