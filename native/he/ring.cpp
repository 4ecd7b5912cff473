#include "he/ring.h"

#include <memory>

namespace pi::he {
namespace {

std::uint64_t quotient52(std::uint64_t value, std::uint64_t p) {
  return static_cast<std::uint64_t>((static_cast<u128>(value) << 52) / p);
}

// A primitive 2N-th root of unity: psi^N = -1.
std::uint64_t primitive_root(std::uint64_t p) {
  for (std::uint64_t g = 2;; ++g) {
    const std::uint64_t psi = power_mod(g, (p - 1) / (2 * kDegree), p);
    if (power_mod(psi, kDegree, p) == p - 1) return psi;
  }
}

std::size_t reverse_bits(std::size_t index) {
  std::size_t reversed = 0;
  for (int bit = 0; bit < kDegreeBits; ++bit)
    reversed |= ((index >> bit) & 1) << (kDegreeBits - 1 - bit);
  return reversed;
}

void fill_roots(std::uint64_t psi, std::uint64_t p, RootTable& table) {
  std::uint64_t power = 1;
  for (std::size_t exponent = 0; exponent < kDegree; ++exponent) {
    const std::size_t i = reverse_bits(exponent);
    table.value[i] = power;
    table.quotient64[i] = make_factor(power, p).quotient;
    table.quotient52[i] = quotient52(power, p);
    power = static_cast<std::uint64_t>(static_cast<u128>(power) * psi % p);
  }
  for (std::size_t eight = 0; eight < kDegree / 8; ++eight) {
    const std::size_t base = eight / 8 * 56 + eight % 8;
    const auto put = [&](std::size_t vector, std::size_t root) {
      table.tail_value[base + 8 * vector] = table.value[root];
      table.tail_quotient52[base + 8 * vector] = table.quotient52[root];
    };
    put(0, kDegree / 8 + eight);
    for (std::size_t i = 0; i < 2; ++i) put(1 + i, kDegree / 4 + 2 * eight + i);
    for (std::size_t i = 0; i < 4; ++i) put(3 + i, kDegree / 2 + 4 * eight + i);
  }
}

void fill_ring(std::uint64_t p, PrimeRing& ring) {
  const std::uint64_t psi = primitive_root(p);
  ring.p = p;
  fill_roots(psi, p, ring.forward);
  fill_roots(power_mod(psi, p - 2, p), p, ring.inverse);
  ring.inverse_degree = make_factor(power_mod(kDegree, p - 2, p), p);
  ring.one = make_factor(1, p);
  ring.two52 = make_factor(power_mod(2, 52, p), p);
  ring.two64 = make_factor(power_mod(2, 64, p), p);
  ring.two104 = make_factor(power_mod(2, 104, p), p);
  ring.flood_offset = power_mod(2, kFloodBits, p);
  ring.inverse_plain = make_factor(power_mod(power_mod(2, kPlainBits, p), p - 2, p), p);
}

}  // namespace

Factor make_factor(std::uint64_t value, std::uint64_t p) {
  return {value, static_cast<std::uint64_t>((static_cast<u128>(value) << 64) / p)};
}

std::uint64_t power_mod(std::uint64_t base, std::uint64_t exponent, std::uint64_t p) {
  std::uint64_t result = 1;
  for (; exponent != 0; exponent >>= 1) {
    if (exponent & 1) result = static_cast<std::uint64_t>(static_cast<u128>(result) * base % p);
    base = static_cast<std::uint64_t>(static_cast<u128>(base) * base % p);
  }
  return result;
}

const PrimeRing& prime_ring(std::size_t index) {
  static const std::unique_ptr<const PrimeRing[]> all = [] {
    auto made = std::make_unique<PrimeRing[]>(kCopyPrimes);
    for (std::size_t i = 0; i < kPrimeCount; ++i) fill_ring(kPrimes[i], made[i]);
    fill_ring(kCopyPrime, made[kPrimeCount]);
    return made;
  }();
  return all[index];
}

}  // namespace pi::he
