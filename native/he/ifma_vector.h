// Computes with vectors of eight residues, for the AVX-512 IFMA kernels alone.
//
// Everything here is in an unnamed namespace, and the files that include it instantiate no function
// of another header: the linker could keep such a copy for processors that lack the instructions.
#pragma once
#include <immintrin.h>

#include "he/transform.h"

namespace pi::he {

// Is defined in combine_ifma.cpp, for the table of transform_ifma.cpp.
void multiply_ifma(const PrimeRing& ring, std::uint64_t* x, const std::uint64_t* y);
void combine_ifma(const PrimeRing& ring, const Combination& combination);

namespace {

using Vector = __m512i;

constexpr std::uint64_t kMask52 = (std::uint64_t{1} << 52) - 1;

struct Modulus {
  Vector p, p2, negative;  // negative: -p modulo 2^52
};

struct Root {
  Vector value, quotient;
};

Vector splat(std::uint64_t x) { return _mm512_set1_epi64(static_cast<long long>(x)); }
Modulus modulus_of(const PrimeRing& ring) {
  return {splat(ring.p), splat(2 * ring.p), splat(kMask52 + 1 - ring.p)};
}
Root root_of(const Factor& factor) { return {splat(factor.value), splat(factor.quotient >> 12)}; }
Vector load(const std::uint64_t* from) { return _mm512_loadu_si512(from); }
void store(std::uint64_t* to, Vector x) { _mm512_storeu_si512(to, x); }
Vector subtract_once_512(Vector x, Vector bound) {
  return _mm512_min_epu64(x, _mm512_sub_epi64(x, bound));
}

// Returns x * root modulo p, below 2p, for x below 2^52.
Vector multiply_lazy_512(Vector x, const Root& root, const Modulus& m) {
  const Vector zero = _mm512_setzero_si512();
  const Vector quotient = _mm512_madd52hi_epu64(zero, x, root.quotient);
  const Vector low = _mm512_madd52lo_epu64(zero, x, root.value);
  return _mm512_and_si512(_mm512_madd52lo_epu64(low, quotient, m.negative), splat(kMask52));
}

}  // namespace
}  // namespace pi::he
