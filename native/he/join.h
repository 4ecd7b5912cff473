// Joins several product ciphertexts into one, so that one answer carries the coefficients of all.
//
// Source: Chen, Dai, Kim, Song, "Efficient homomorphic conversion between (ring) LWE ciphertexts"
// (ACNS 2021), PackLWEs. The wanted coefficients of each product lie at multiples of 2^levels. The
// automorphism X -> X^(N / 2^j + 1) keeps every coefficient whose index is a multiple of 2^(j+1),
// and negates one whose index is an odd multiple of 2^j. So a + X^(2^j) b + automorphism(a -
// X^(2^j) b) doubles the wanted coefficients of a and b, puts those of b 2^j higher, and removes
// what else stood at either place. All products are divided by 2^levels modulo the prime at first,
// so that the plaintext keeps its bits.
//
// This happens after re-randomization, flooding and the switch to the first prime p0. So it is
// public computing on a message that the client could have been sent (docs/threat-model.md, section
// 8). Key switching works modulo p0 * p1, where p1 is the special prime.
#pragma once
#include <cstddef>
#include <cstdint>

#include "base/isa.h"
#include "he/ciphertext.h"

namespace pi::he {

// The most levels: an answer joins at most 2^kMaxJoinLevels products.
inline constexpr std::size_t kMaxJoinLevels = 6;

// The primes of a join key: p0 and the special prime p1.
inline constexpr std::size_t kJoinPrimes = 2;

// A join key travels as the seed of its second half and the residues of its first half.
inline constexpr std::size_t kJoinKeyBytes = kSeedBytes + kJoinPrimes * kPackedPolyBytes;

// The words of one transformed join key: [component][prime][N].
inline constexpr std::size_t kLoadedJoinKeyWords = 2 * kJoinPrimes * kDegree;

// Makes the keys of levels 0 to `count` - 1: (p1 * automorphism(secret) - a * secret + e, a), one
// after the other. Each takes a public seed, which is sent, and a secret one for its noise.
void make_join_keys(Isa isa, const std::int8_t* secret, std::size_t count,
                    const std::uint8_t* public_seeds, const std::uint8_t* noise_seeds,
                    std::uint8_t* out);

// Transforms keys from the wire. Returns false if a residue is not below its prime.
bool load_join_keys(Isa isa, const std::uint8_t* keys, std::size_t count, std::uint64_t* out);

// Returns the levels that join `count` products: the least with 2^levels >= count.
std::size_t join_levels(std::size_t count);

// Returns where the coefficients of product `index` are put in an answer of `levels` levels: the
// index with its bits in reverse order.
std::size_t join_slot(std::size_t index, std::size_t levels);

struct Products {
  std::uint64_t* c1;          // [product][N] modulo p0; overwritten
  std::uint64_t* c0;          // the released coefficients modulo p0, in order; overwritten
  const std::uint64_t* keys;  // of load_join_keys, kMaxJoinLevels of them
  std::size_t per_answer;     // a power of two, at most 2^kMaxJoinLevels
  Released released;          // of each product; positions are multiples of per_answer
};

// Returns where answer `index` begins. An answer has all of c1, then the released coefficients of
// its products.
std::size_t answer_offset(const Released& released, std::size_t per_answer, std::size_t index);

// Joins every `per_answer` products and writes the answers. The time depends on the shapes alone.
void join(Isa isa, const Products& products, std::uint8_t* out, int threads);

}  // namespace pi::he
