// Encrypts under the secret key with seeds, loads ciphertexts from the wire, and decrypts.
//
// A ciphertext (c0, c1) of m satisfies c0 + c1 * s = round(q * m / t) + noise. A fresh one travels
// as the seed of c1 followed by c0 (50 bits per residue, one prime after the other).
#pragma once
#include <cstddef>
#include <cstdint>

#include "base/isa.h"
#include "he/bit_packing.h"
#include "he/sampling.h"

namespace pi::he {

inline constexpr std::size_t kCiphertextBytes = kSeedBytes + kPrimeCount * kPackedPolyBytes;
// The words of one transformed ciphertext.
inline constexpr std::size_t kLoadedWords = 2 * kPrimeCount * kDegree;

// Says which coefficients each of `count` responses releases: positions[starts[i] .. starts[i +
// 1]).
struct Released {
  const std::uint16_t* positions;
  const std::uint64_t* starts;
  std::size_t count;

  std::size_t size(std::size_t i) const {
    return static_cast<std::size_t>(starts[i + 1] - starts[i]);
  }
  // Returns where response i begins in the answer. A response has all of c1, then the released
  // coefficients of c0.
  std::size_t offset(std::size_t i) const;
};

// Encrypts. secret: N ternary coefficients. messages: count * N, or nullptr for encryptions of
// zero. Each ciphertext takes a public seed, which is sent, and a secret one for its noise. The
// encoded messages are divided by `copies` modulo q, before the noise is added (copies.h).
void encrypt(Isa isa, const std::int8_t* secret, const std::uint32_t* messages, std::size_t count,
             std::size_t copies, const std::uint8_t* public_seeds, const std::uint8_t* noise_seeds,
             std::uint8_t* out, int threads);

// Transforms ciphertexts from the wire into kLoadedWords each, interleaved by groups as transform.h
// has them: [group][prime][block][ciphertext of the group][copy][component][kLanes]. Only copy 0 is
// written. Returns false if a residue is not below its prime.
bool load(Isa isa, const std::uint8_t* ciphertexts, std::size_t count, std::size_t group,
          std::size_t copies, std::uint64_t* out, int threads);

// Decrypts. answer: the responses. out: the released values in order. Returns false if a residue is
// out of range.
bool decrypt(Isa isa, const std::int8_t* secret, const std::uint8_t* answer,
             const Released& released, std::uint32_t* out, int threads);

}  // namespace pi::he
