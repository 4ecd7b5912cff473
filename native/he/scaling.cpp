#include "he/scaling.h"

namespace pi::he {
namespace {

constexpr std::uint64_t p0 = kPrimes[0], p1 = kPrimes[1], p2 = kPrimes[2];
constexpr std::uint64_t kHalfPlain = std::uint64_t{1} << (kPlainBits - 1);
constexpr std::uint32_t kModulusLow = static_cast<std::uint32_t>(p0) *
                                      static_cast<std::uint32_t>(p1) *
                                      static_cast<std::uint32_t>(p2);

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

// With rem = (q * message + t/2) mod t, round(q * message / t) = (q * message + t/2 - rem) / t, and
// q is zero modulo the prime.
std::uint64_t encode(const PrimeRing& ring, std::uint32_t message) {
  const std::uint32_t rem = kModulusLow * message + static_cast<std::uint32_t>(kHalfPlain);
  return multiply(kHalfPlain + ring.p - rem, ring.inverse_plain, ring.p);
}

// round(x / m) = (x + h - r) / m with h = (m - 1) / 2, m odd, and r = (x + h) mod m = r1 + p1 * r2.
std::uint64_t switch_down(const Switch& constants, std::uint64_t x0, std::uint64_t x1,
                          std::uint64_t x2) {
  const std::uint64_t shifted = add_mod(x0, constants.half[0], p0);
  const std::uint64_t r1 = add_mod(x1, constants.half[1], p1);
  const std::uint64_t above =
      subtract_mod(add_mod(x2, constants.half[2], p2), subtract_once(r1, p2), p2);
  const std::uint64_t r2 = multiply(above, constants.first_inverse, p2);
  const std::uint64_t r = add_mod(r1, multiply(r2, constants.first, p0), p0);
  return multiply(subtract_mod(shifted, r, p0), constants.inverse, p0);
}

// Barrett: x * floor(2^113 / p0) / 2^81 is the quotient of t * x by p0 or one less.
std::uint32_t decode(std::uint64_t x) {
  constexpr auto kReciprocal = static_cast<std::uint64_t>((static_cast<u128>(1) << 113) / p0);
  std::uint64_t quotient = static_cast<std::uint64_t>((static_cast<u128>(x) * kReciprocal) >> 81);
  std::uint64_t rest = (x << kPlainBits) - quotient * p0;  // below 2 * p0, so exact modulo 2^64
  // Each comparison becomes 0 or 1 by its borrow.
  const std::uint64_t over = 1 - ((rest - p0) >> 63);
  quotient += over;
  rest -= p0 & (0 - over);
  quotient += (p0 / 2 - rest) >> 63;
  return static_cast<std::uint32_t>(quotient);
}

}  // namespace pi::he
