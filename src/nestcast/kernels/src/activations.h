// The logistic function and the hyperbolic tangent, each within 3e-7 of the exact value.
//
// Both rest on 2^y = 2^n (1 + q(r)), with n the integer nearest to y and r = y - n in [-1/2, 1/2].
// tanh is (e - 1) / (e + 1) with e = exp(2x); 2^n q + (2^n - 1) gives e - 1 without cancellation,
// so that small arguments keep their relative accuracy too.
#pragma once

#include "vector.h"

namespace nestcast::NESTCAST_ISA {

struct PowerOfTwo {
  Vector scale;     // 2^n
  Vector fraction;  // q(r) = 2^r - 1
};

// For |y| <= 126; not-a-number gives a fraction that is none.
NESTCAST_INLINE PowerOfTwo power_of_two(Vector x, float factor) {
  const float round_to_integer = 12582912.0f;  // 1.5 * 2^23: the sum's low bits hold the integer
  const Vector shifted = x * factor + round_to_integer;
  const Vector r = x * factor - (shifted - round_to_integer);
  // Minimax fit of degree 5 to 2^r - 1, without a constant term; off by 1.4e-7 at most.
  Vector q = r * 1.3358518471e-03f + 9.6689257366e-03f;
  q = q * r + 5.5504422034e-02f;
  q = q * r + 2.4022296205e-01f;
  q = q * r + 6.9314715520e-01f;
  const Bits exponent = (reinterpret_cast<Bits>(shifted) << 23) + 0x3f800000u;
  return {reinterpret_cast<Vector>(exponent), q * r};
}

constexpr float kLog2E = 1.44269504089f;

NESTCAST_INLINE Vector sigmoid(Vector x) {
  const PowerOfTwo e = power_of_two(clamp(x, 87.0f), -kLog2E);  // exp(-x)
  return 1.0f / (e.scale * e.fraction + (e.scale + 1.0f));
}

NESTCAST_INLINE Vector tanh(Vector x) {
  const PowerOfTwo e = power_of_two(clamp(x, 12.0f), 2.0f * kLog2E);  // exp(2x)
  const Vector e_minus_1 = e.scale * e.fraction + (e.scale - 1.0f);
  return e_minus_1 / (e_minus_1 + 2.0f);
}

}  // namespace nestcast::NESTCAST_ISA
