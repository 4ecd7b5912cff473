// Distributions from seeds: each seed is used for one object. Everything but the public uniform
// polynomial takes the same time and touches the same memory for every seed.
#pragma once
#include <cstddef>
#include <cstdint>

#include "base/isa.h"
#include "he/ring.h"

namespace pi::he {

inline constexpr std::size_t kSeedBytes = 16;

// A public uniform element of the ring: kPrimeCount * N words, below their primes, coefficient
// form. Words of the stream are cut to 50 bits and refused if they reach the prime: no bias.
void sample_uniform(Isa isa, const std::uint8_t* seed, std::uint64_t* out);

// A word of the stream per coefficient, N of each:
// floor(3 * word / 2^64) - 1, within 2^-62 of uniform on {-1, 0, 1};
void ternary_from_words(const std::uint64_t* words, std::int8_t* out);
// the difference of two sums of kBinomialBits bits: variance kBinomialBits / 2.
void binomial_from_words(const std::uint64_t* words, std::int8_t* out);

// The stream of one response polynomial: N words for u, N for e2 and `flood_words` for the flood.
// `words` is scratch of N words.
void sample_response_noise(Isa isa, const std::uint8_t* seed, std::size_t flood_words,
                           std::uint64_t* words, std::int8_t* u, std::int8_t* e2,
                           std::uint64_t* flood);

void sample_ternary(Isa isa, const std::uint8_t* seed, std::uint64_t* words, std::int8_t* out);
void sample_binomial(Isa isa, const std::uint8_t* seed, std::uint64_t* words, std::int8_t* out);

// Two words as an integer uniform in [-2^kFloodBits, 2^kFloodBits), modulo the ring's prime.
std::uint64_t flood_modulo(const PrimeRing& ring, const std::uint64_t* words);

}  // namespace pi::he
