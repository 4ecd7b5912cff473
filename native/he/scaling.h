// Between plaintexts modulo t = 2^32, ciphertexts modulo q, and ciphertexts modulo the first prime.
#pragma once
#include <cstdint>

#include "he/ring.h"

namespace pi::he {

// Constants of the switch from q to the first prime: division by m = p1 * p2 with rounding.
struct Switch {
  std::uint64_t half[kPrimeCount];  // (m - 1) / 2
  Factor first_inverse;             // 1/p1 modulo p2
  Factor first;                     // p1 modulo p0
  Factor inverse;                   // 1/m modulo p0
};

const Switch& switch_constants();

// round(q * message / t) modulo the ring's prime.
std::uint64_t encode(const PrimeRing& ring, std::uint32_t message);

// round(x / (p1 * p2)) modulo p0, for x modulo q given by its residues.
std::uint64_t switch_down(const Switch& constants, std::uint64_t x0, std::uint64_t x1,
                          std::uint64_t x2);

// round(t * x / p0) modulo t, for x below p0.
std::uint32_t decode(std::uint64_t x);

}  // namespace pi::he
