#include "he/sampling.h"

#include "symmetric/symmetric.h"

namespace pi::he {
namespace {

constexpr std::size_t kBlockBytes = 16;
constexpr std::size_t kPolyBlocks = kDegree * sizeof(std::uint64_t) / kBlockBytes;

void fill_words(Isa isa, const std::uint8_t* seed, std::uint64_t first_block, std::size_t count,
                std::uint64_t* words) {
  prg(isa, seed, first_block, reinterpret_cast<std::uint8_t*>(words),
      count * sizeof(std::uint64_t));
}

// Not the compiler's builtin, which may read a table at a secret index.
std::uint64_t count_bits(std::uint64_t x) {
  x -= (x >> 1) & 0x5555555555555555u;
  x = (x & 0x3333333333333333u) + ((x >> 2) & 0x3333333333333333u);
  x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fu;
  return (x * 0x0101010101010101u) >> 56;
}

}  // namespace

void sample_uniform(Isa isa, const std::uint8_t* seed, std::uint64_t* out) {
  constexpr std::size_t kChunk = 1024;
  constexpr std::uint64_t kMask = (std::uint64_t{1} << kPrimeBits) - 1;
  std::uint64_t words[kChunk];
  std::uint64_t next_block = 0;
  std::size_t used = kChunk;
  for (std::size_t k = 0; k < kPrimeCount; ++k) {
    for (std::size_t i = 0; i < kDegree;) {
      if (used == kChunk) {
        fill_words(isa, seed, next_block, kChunk, words);
        next_block += kChunk * sizeof(std::uint64_t) / kBlockBytes;
        used = 0;
      }
      const std::uint64_t candidate = words[used++] & kMask;
      out[k * kDegree + i] = candidate;
      i += candidate < kPrimes[k] ? 1 : 0;
    }
  }
}

void ternary_from_words(const std::uint64_t* words, std::int8_t* out) {
  for (std::size_t i = 0; i < kDegree; ++i) {
    out[i] = static_cast<std::int8_t>(static_cast<std::int64_t>(high_word(words[i], 3)) - 1);
  }
}

void binomial_from_words(const std::uint64_t* words, std::int8_t* out) {
  constexpr std::uint64_t kMask = (std::uint64_t{1} << kBinomialBits) - 1;
  for (std::size_t i = 0; i < kDegree; ++i) {
    const std::uint64_t plus = count_bits(words[i] & kMask);
    const std::uint64_t minus = count_bits((words[i] >> kBinomialBits) & kMask);
    out[i] = static_cast<std::int8_t>(static_cast<std::int64_t>(plus) -
                                      static_cast<std::int64_t>(minus));
  }
}

void sample_ternary(Isa isa, const std::uint8_t* seed, std::uint64_t* words, std::int8_t* out) {
  fill_words(isa, seed, 0, kDegree, words);
  ternary_from_words(words, out);
}

void sample_binomial(Isa isa, const std::uint8_t* seed, std::uint64_t* words, std::int8_t* out) {
  fill_words(isa, seed, 0, kDegree, words);
  binomial_from_words(words, out);
}

void sample_response_noise(Isa isa, const std::uint8_t* seed, std::size_t flood_words,
                           std::uint64_t* words, std::int8_t* u, std::int8_t* e2,
                           std::uint64_t* flood) {
  fill_words(isa, seed, 0, kDegree, words);
  ternary_from_words(words, u);
  fill_words(isa, seed, kPolyBlocks, kDegree, words);
  binomial_from_words(words, e2);
  fill_words(isa, seed, 2 * kPolyBlocks, flood_words, flood);
}

std::uint64_t flood_modulo(const PrimeRing& ring, const std::uint64_t* words) {
  constexpr std::uint64_t kHighMask = (std::uint64_t{1} << (kFloodBits + 1 - 64)) - 1;
  const std::uint64_t low = multiply(words[0], ring.one, ring.p);
  const std::uint64_t high = multiply(words[1] & kHighMask, ring.two64, ring.p);
  return subtract_mod(add_mod(low, high, ring.p), ring.flood_offset, ring.p);
}

}  // namespace pi::he
