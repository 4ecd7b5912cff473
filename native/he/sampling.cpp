#include "he/sampling.h"

#include "he/residues.h"
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

}  // namespace

void sample_uniform(Isa isa, const std::uint8_t* seed, std::uint64_t* out, std::size_t primes) {
  constexpr std::size_t kChunk = 1024;
  static_assert(kDegree % kChunk == 0);
  const ResidueKernels& kernels = residue_kernels(isa);
  std::uint64_t words[kChunk], cut[kChunk];
  std::uint64_t next_block = 0;
  std::size_t used = kChunk;
  for (std::size_t k = 0; k < primes; ++k) {
    const std::uint64_t p = prime_ring(k).p;
    std::uint64_t* const poly = out + k * kDegree;
    for (std::size_t i = 0; i < kDegree;) {
      if (used == kChunk) {
        fill_words(isa, seed, next_block, kChunk, words);
        next_block += kChunk * sizeof(std::uint64_t) / kBlockBytes;
        used = 0;
      }
      // Words of a whole chunk are cut, the refused ones among them, which are rare, left out.
      if (used == 0 && i + kChunk <= kDegree && kernels.reject_sample(p, words, kChunk, poly + i)) {
        used = kChunk;
        i += kChunk;
        continue;
      }
      kernels.reject_sample(p, words, kChunk, cut);
      while (used < kChunk && i < kDegree) {
        poly[i] = cut[used++];
        i += poly[i] < p ? 1 : 0;
      }
    }
  }
}

void sample_ternary(Isa isa, const std::uint8_t* seed, std::uint64_t* words, std::int8_t* out) {
  fill_words(isa, seed, 0, kDegree, words);
  residue_kernels(isa).ternary(words, kDegree, out);
}

void sample_binomial(Isa isa, const std::uint8_t* seed, std::uint64_t* words, std::int8_t* out) {
  fill_words(isa, seed, 0, kDegree, words);
  residue_kernels(isa).binomial(words, kDegree, out);
}

void sample_blind(Isa isa, const std::uint8_t* seed, std::uint64_t* words, std::int8_t* u,
                  std::int8_t* e2) {
  const ResidueKernels& kernels = residue_kernels(isa);
  fill_words(isa, seed, 0, kDegree, words);
  kernels.ternary(words, kDegree, u);
  fill_words(isa, seed, kPolyBlocks, kDegree, words);
  kernels.binomial(words, kDegree, e2);
}

void sample_flood(Isa isa, const std::uint8_t* seed, std::size_t count, std::uint64_t* words) {
  fill_words(isa, seed, 2 * kPolyBlocks, 2 * count, words);
}

}  // namespace pi::he
