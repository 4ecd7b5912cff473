// Holds the constants of the step from ciphertexts modulo q to ciphertexts modulo the first prime.
#pragma once
#include <cstdint>

#include "he/ring.h"

namespace pi::he {

// Divides by m = p1 * p2 with rounding.
struct Switch {
  std::uint64_t half[kPrimeCount];  // (m - 1) / 2
  Factor first_inverse;             // 1/p1 modulo p2
  Factor first;                     // p1 modulo p0
  Factor inverse;                   // 1/m modulo p0
};

const Switch& switch_constants();

}  // namespace pi::he
