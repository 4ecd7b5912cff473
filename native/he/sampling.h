// Samples distributions from seeds; each seed is used for one object. Everything but the public
// uniform polynomial takes the same time and touches the same memory for every seed.
#pragma once
#include <cstddef>
#include <cstdint>

#include "base/isa.h"
#include "he/ring.h"

namespace pi::he {

inline constexpr std::size_t kSeedBytes = 16;

// Samples a public uniform element of the ring: N words for each of the first `primes` rings of
// prime_ring(), below their primes, in coefficient form. Words of the stream are cut to 50 bits and
// rejected if they reach the prime, so there is no bias.
void sample_uniform(Isa isa, const std::uint8_t* seed, std::uint64_t* out,
                    std::size_t primes = kPrimeCount);

// Draws the stream of one response polynomial: N words for u and N for e2, then two for each of
// `count` coefficients that are flooded. `words` is scratch of N words.
void sample_blind(Isa isa, const std::uint8_t* seed, std::uint64_t* words, std::int8_t* u,
                  std::int8_t* e2);
void sample_flood(Isa isa, const std::uint8_t* seed, std::size_t count, std::uint64_t* words);

// Samples N coefficients; `words` is scratch of N words.
void sample_ternary(Isa isa, const std::uint8_t* seed, std::uint64_t* words, std::int8_t* out);
void sample_binomial(Isa isa, const std::uint8_t* seed, std::uint64_t* words, std::int8_t* out);

}  // namespace pi::he
