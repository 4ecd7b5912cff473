#include "he/scaling.h"

namespace pi::he {
namespace {

constexpr std::uint64_t p0 = kPrimes[0], p1 = kPrimes[1], p2 = kPrimes[2];

Switch make_switch() {
  const u128 product = static_cast<u128>(p1) * p2;
  Switch s{};
  for (std::size_t k = 0; k < kPrimeCount; ++k) {
    s.half[k] = static_cast<std::uint64_t>((product - 1) / 2 % kPrimes[k]);
  }
  s.first_inverse = make_factor(power_mod(p1 % p2, p2 - 2, p2), p2);
  s.first = make_factor(p1, p0);
  s.inverse = make_factor(power_mod(static_cast<std::uint64_t>(product % p0), p0 - 2, p0), p0);
  return s;
}

}  // namespace

const Switch& switch_constants() {
  static const Switch instance = make_switch();
  return instance;
}

}  // namespace pi::he
