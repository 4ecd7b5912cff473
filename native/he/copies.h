// Makes copies of an uploaded ciphertext under automorphisms, so that several products share one
// output polynomial before anything is added to hide the weights.
//
// Let A = copies * spread, and let g be the automorphism X -> X^(1 + 2N / A), whose order is A. The
// sum of the first `copies` powers of g, applied to a product w * c, multiplies its coefficients at
// multiples of A by `copies` and removes those at the other multiples of `spread`. The power g^i is
// applied to w in the clear and to c once for all weights:
//
//   sum over n and i of X^(spread n) g^i(w_n c) = sum over i of (sum over n of X^(spread n)
//   g^i(w_n)) g^i(c)
//
// holds the wanted coefficients of `copies` products, spread apart, and costs as many products as
// before. The client divides its message by `copies` modulo q before it adds noise, so that the
// plaintext keeps its bits. Source: the automorphisms are those of Chen, Dai, Kim, Song (ACNS
// 2021); Halevi and Shoup, "Faster homomorphic linear transformations in HElib" (CRYPTO 2018),
// apply them to the input and decompose it once for all of them.
//
// Key switching works modulo q * kCopyPrime, with a digit for each prime of q. The key of g^i
// encrypts the secret under g^-i(secret): switching comes first, then the automorphism.
#pragma once
#include <cstddef>
#include <cstdint>

#include "base/isa.h"
#include "he/automorphism.h"
#include "he/ciphertext.h"

namespace pi::he {

// A copy key has a part for each digit: the seed of its second half, and the residues of its first.
inline constexpr std::size_t kCopyKeyBytes =
    kPrimeCount * (kSeedBytes + kCopyPrimes * kPackedPolyBytes);

// The words of one transformed copy key: for each prime [block][digit][component][kLanes] of the
// first two digits, then [block][component][kLanes] of the last one.
inline constexpr std::size_t kLoadedCopyKeyWords = kCopyPrimes * kPrimeCount * 2 * kDegree;

// Makes the keys of the automorphisms copy_power(1) to copy_power(kCopyKeys). Each part takes a
// public seed, which is sent, and a secret one for its noise.
void make_copy_keys(Isa isa, const std::int8_t* secret, const std::uint8_t* public_seeds,
                    const std::uint8_t* noise_seeds, std::uint8_t* out);

// Transforms keys from the wire. Returns false if a residue is not below its prime.
bool load_copy_keys(Isa isa, const std::uint8_t* keys, std::uint64_t* out);

// Returns whether there are keys for `copies` copies that put products `spread` apart.
constexpr bool copies_have_keys(std::size_t copies, std::size_t spread) {
  const std::size_t order = copies * spread;
  return copies == 1 || (order <= kCopyOrder && kCopyOrder % order == 0 &&
                         kCopyOrder / order * (copies - 1) <= kCopyKeys);
}

// Adds copies 1 to `copies` - 1 of each ciphertext to what load() has written. `ciphertexts` is
// that of load(), whose seeds are expanded again.
void add_copies(Isa isa, const std::uint8_t* ciphertexts, std::size_t count, std::size_t group,
                std::size_t copies, std::size_t spread, const std::uint64_t* keys,
                std::uint64_t* loaded, int threads);

}  // namespace pi::he
