// Defines the ring Z_q[X]/(X^N + 1): N, the primes of q and every table that is derived from them.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

#include "he/modular.h"

namespace pi::he {

inline constexpr std::size_t kDegree = 8192;
inline constexpr int kDegreeBits = 13;
inline constexpr std::size_t kPrimeCount = 3;
inline constexpr int kPrimeBits = 50;
inline constexpr int kPlainBits = 32;  // t = 2^32
inline constexpr int kFloodBits = 112;
inline constexpr int kBinomialBits = 21;  // noise: the difference of two sums of 21 bits

// The three largest primes below 2^50 that are 1 modulo 2N. Responses are switched to the first.
inline constexpr std::array<std::uint64_t, kPrimeCount> kPrimes = {
    1125899906826241, 1125899906629633, 1125899905744897};

// The special prime of the keys that make copies of an input (copies.h): the next smaller prime.
inline constexpr std::uint64_t kCopyPrime = 1125899905351681;
inline constexpr std::size_t kCopyPrimes = kPrimeCount + 1;

// Holds the roots of the negacyclic transform of one prime. roots[m + i] is the factor of block i
// of the layer with m blocks: powers of a primitive 2N-th root of unity in bit-reversed order;
// inverse_roots are their inverses. quotient64 and quotient52 are floor(root * 2^64 / p) and
// floor(root * 2^52 / p). They are plain arrays, so that kernels of every instruction set read
// them without a function of another header.
struct RootTable {
  std::uint64_t value[kDegree], quotient64[kDegree], quotient52[kDegree];
  // The factors of the last three layers as the 52-bit kernel reads them: for every 64 coefficients
  // seven vectors of eight (one, two and four of the layers with N/8, N/4 and N/2 blocks).
  std::uint64_t tail_value[kDegree / 64 * 56], tail_quotient52[kDegree / 64 * 56];
};

struct PrimeRing {
  std::uint64_t p;
  RootTable forward, inverse;
  Factor inverse_degree;             // 1/N
  Factor one, two52, two64, two104;  // 1, 2^52, 2^64, 2^104: reduce wide sums by their limbs
  Factor inverse_plain;              // 1/t
  std::uint64_t flood_offset;        // 2^kFloodBits
};

// Returns the ring of kPrimes[index], or of kCopyPrime for kPrimeCount; all are made at the first
// call.
const PrimeRing& prime_ring(std::size_t index);

Factor make_factor(std::uint64_t value, std::uint64_t p);
std::uint64_t power_mod(std::uint64_t base, std::uint64_t exponent, std::uint64_t p);

}  // namespace pi::he
