// exp, log, sine and cosine, tanh, and the gate, as own polynomials: a library's differ from machine to machine.
//
// Coefficients are weighted minimax fits (relative error under 2e-7 after rounding). Division is true division.
#pragma once

#include "model.hpp"
#include "vector.hpp"

namespace ostinato::inline OSTINATO_ISA {

// e^x, x held to [-87.3, 88.3]: x = n ln 2 + r, |r| <= ln 2 / 2, e^r = 1 + r + r^2 q(r).
OSTINATO_INLINE Floats exp(Floats x) {
  const Floats to_integer = all(12582912.0f); // 1.5 * 2^23: adding it rounds to an integer, held in the low bits
  x = clamp(x, -87.3f, 88.3f);
  const Floats shifted = mul_add(x, all(1.44269504f), to_integer);
  const Floats n = shifted - to_integer;
  Floats r = mul_add(n, all(-0.693359375f), x); // ln 2 in two parts, the first exact in products with n
  r = mul_add(n, all(2.12194440e-4f), r);
  Floats q = all(0.0013950471f);
  q = mul_add(q, r, all(0.00836888301f));
  q = mul_add(q, r, all(0.0416662061f));
  q = mul_add(q, r, all(0.166665189f));
  q = mul_add(q, r, all(0.50000001f));
  const Floats fraction = mul_add(q, r * r, r) + 1.0f;
  return fraction * as_floats((as_ints(shifted) << 23) + 0x3f800000);
}

// ln x for normal x > 0: x = 2^e m, m in [sqrt(1/2), sqrt(2)), ln(1 + f) = f - f^2 / 2 + f^3 q(f).
OSTINATO_INLINE Floats log(Floats x) {
  const Ints exponent = (as_ints(x) - 0x3f3504f3) >> 23;
  const Floats e = to_floats(exponent);
  const Floats f = as_floats(as_ints(x) - (exponent << 23)) - 1.0f;
  Floats q = all(-0.0785934097f);
  q = mul_add(q, f, all(0.128815436f));
  q = mul_add(q, f, all(-0.131288075f));
  q = mul_add(q, f, all(0.141812092f));
  q = mul_add(q, f, all(-0.166245504f));
  q = mul_add(q, f, all(0.200022855f));
  q = mul_add(q, f, all(-0.250008105f));
  q = mul_add(q, f, all(0.333333167f));
  const Floats square = f * f;
  Floats small = mul_add(square * f, q, e * -2.12194440e-4f);
  small = mul_add(square, all(-0.5f), small);
  return mul_add(e, all(0.693359375f), f + small);
}

struct SineCosine {
  Floats sine, cosine;
};

// Of `quadrant` quarter turns and a rest of |r| <= pi / 4 radians. Only the quadrant's lowest two bits count.
OSTINATO_INLINE SineCosine sine_cosine(Ints quadrant, Floats r) {
  const Floats z = r * r;
  Floats s = mul_add(all(-0.000195172948f), z, all(0.00833217811f));
  s = mul_add(s, z, all(-0.166666549f));
  s = mul_add(s * z, r, r);
  Floats c = mul_add(all(2.44384557e-05f), z, all(-0.00138873675f));
  c = mul_add(c, z, all(0.0416666469f));
  c = mul_add(c, z * z, mul_add(z, all(-0.5f), all(1.0f)));
  const Ints odd = -(quadrant & 1);
  const Ints sine_sign = (quadrant & 2) << 30, cosine_sign = ((quadrant + 1) & 2) << 30;
  const Ints sine = (as_ints(s) & ~odd) | (as_ints(c) & odd);
  const Ints cosine = (as_ints(c) & ~odd) | (as_ints(s) & odd);
  return {as_floats(sine ^ sine_sign), as_floats(cosine ^ cosine_sign)};
}

// Of an angle in 2^-24 turns, 0 <= angle < 2^24: the quadrant is taken off in integers, without rounding.
OSTINATO_INLINE SineCosine sine_cosine(Ints angle) {
  const Ints quadrant = (angle + (1 << 21)) >> 22;
  return sine_cosine(quadrant, to_floats(angle - (quadrant << 22)) * 3.74507035e-7f); // 2 pi / 2^24
}

// Of radians, held to where n below stays exact in products with the first part of pi / 2.
OSTINATO_INLINE SineCosine sine_cosine_of_radians(Floats x) {
  x = clamp(x, -32768.0f, 32768.0f);
  const Floats shifted = mul_add(x, all(0.636619772f), all(12582912.0f)); // as in `exp`
  const Floats n = shifted - 12582912.0f;
  const Floats r = mul_add(n, all(-4.83826794e-4f), mul_add(n, all(-1.5703125f), x));
  return sine_cosine(as_ints(shifted), r);
}

// 2^x for |x| <= 60: x = n + f, |f| <= 1/2, 2^f a polynomial of degree 5, by pairs of terms to keep the chain short.
// Cheaper than `exp`, and as good where what follows forgets the relative error of large powers, as tanh and the
// sigmoid do.
OSTINATO_INLINE Floats exp2_within(Floats x) {
  const Floats shifted = x + 12582912.0f;
  const Floats f = x - (shifted - 12582912.0f), square = f * f;
  const Floats low = mul_add(all(0.693146978f), f, all(1.0f));
  const Floats middle = mul_add(all(0.0555073378f), f, all(0.240222421f));
  const Floats high = mul_add(all(0.0013264715f), f, all(0.00967151351f));
  const Floats power = mul_add(mul_add(high, square, middle), square, low);
  return as_floats(as_ints(power) + (as_ints(shifted) << 23));
}

// 2^x held to where neither tanh nor the sigmoid can tell it from 0 or infinity.
OSTINATO_INLINE Floats power(Floats exponent) { return exp2_within(clamp(exponent, -60.0f, 60.0f)); }

OSTINATO_INLINE Floats tanh(Floats x) {
  const Floats e = power(x * tanh_exponent);
  return (1.0f - e) / (1.0f + e);
}

OSTINATO_INLINE Floats sigmoid(Floats x) { return 1.0f / (1.0f + power(x * sigmoid_exponent)); }

// tanh(a) sigmoid(b) with one division, of a times tanh_exponent and b times sigmoid_exponent. Exactly 0 at a = 0,
// which keeps padded lanes at 0.
OSTINATO_INLINE Floats gate_of_exponents(Floats a, Floats b) {
  const Floats e = power(a), g = power(b);
  return (1.0f - e) / ((1.0f + e) * (1.0f + g));
}

OSTINATO_INLINE Floats gate(Floats a, Floats b) { return gate_of_exponents(a * tanh_exponent, b * sigmoid_exponent); }

} // namespace ostinato::inline OSTINATO_ISA
