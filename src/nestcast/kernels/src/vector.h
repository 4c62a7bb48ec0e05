// One vector of floats, whatever its width: the compiler's vector types carry the arithmetic.
//
// Everything here and in the headers that include this file lives in a namespace of its own for
// each instruction set (NESTCAST_ISA), and no standard template is used: a function that the
// linker may share between translation units could be picked from the one built for a newer CPU.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#endif

#define NESTCAST_INLINE inline __attribute__((always_inline))
#if defined(__clang__)
#define NESTCAST_UNROLL _Pragma("clang loop unroll(full)")
#else
#define NESTCAST_UNROLL _Pragma("GCC unroll 32")
#endif

namespace nestcast::NESTCAST_ISA {

#if defined(__AVX512F__)
constexpr int kWidth = 16;
#elif defined(__AVX2__)
constexpr int kWidth = 8;
#else
constexpr int kWidth = 4;
#endif

typedef float Vector __attribute__((vector_size(4 * kWidth)));
typedef std::uint32_t Bits __attribute__((vector_size(4 * kWidth)));
typedef std::int32_t Mask __attribute__((vector_size(4 * kWidth)));  // -1 where true, else 0

NESTCAST_INLINE Vector load(const float* from) { return *reinterpret_cast<const Vector*>(from); }
NESTCAST_INLINE void store(float* to, Vector value) { *reinterpret_cast<Vector*>(to) = value; }

NESTCAST_INLINE Vector load_unaligned(const float* from) {
  Vector value;
  std::memcpy(&value, from, sizeof value);
  return value;
}
NESTCAST_INLINE void store_unaligned(float* to, Vector value) {
  std::memcpy(to, &value, sizeof value);
}

NESTCAST_INLINE Vector splat(float value) { return value - Vector{}; }

NESTCAST_INLINE Vector select(Mask where, Vector yes, Vector no) {
  return reinterpret_cast<Vector>((where & reinterpret_cast<Mask>(yes)) |
                                  (~where & reinterpret_cast<Mask>(no)));
}

// Between -limit and limit; not-a-number stays, since x86 minimum and maximum return their second
// operand when one is not a number.
NESTCAST_INLINE Vector clamp(Vector x, float limit) {
  const Vector high = splat(limit), low = splat(-limit);
#if defined(__AVX512F__)  // with a mask, because GCC 12 warns of the plain form's own source
  const Vector below = _mm512_maskz_min_ps(0xffff, high, x);
  return _mm512_maskz_max_ps(0xffff, low, below);
#elif defined(__AVX2__)
  return _mm256_max_ps(low, _mm256_min_ps(high, x));
#elif defined(__SSE2__)
  return _mm_max_ps(low, _mm_min_ps(high, x));
#else
  return select(x > high, high, select(x < low, low, x));
#endif
}

}  // namespace nestcast::NESTCAST_ISA
