// A keyed checksum of a stream of items: an almost-universal hash that every path computes alike.
//
// An item is cut into blocks of 8,192 bytes, a block into 16-byte words; the last word is padded
// with zeros. All integers are little-endian, and polynomials over GF(2) have their constant term
// in the lowest bit. A block's value is the XOR of (m_low ^ k_low) * (m_high ^ k_high) over its
// words m, where k is the word of the key at the same place, XORed with the block's length in
// bytes: CLNH of Lemire and Kaser, "Faster 64-bit universal hashing using carry-less
// multiplications" (Journal of Cryptographic Engineering, 2016). The blocks' values are then
// combined by Horner's rule in GF(2^128) modulo x^128 + x^7 + x^2 + x + 1: value = (value ^ block)
// * r, from 1.
//
// Two streams of the same lengths that differ have the same checksum with probability at most
// 2^-64 (a block's values collide) + n * 2^-128 (n blocks: the polynomial has at most n roots),
// over a key that was drawn after the difference was chosen. That detects faults. It is no defense
// against somebody who knows the key, and both parties' network may know it.
#pragma once
#include <cstddef>
#include <cstdint>

#include "base/isa.h"
#include "checksum/products.h"

namespace pi {

class Checksum {
 public:
  static constexpr std::size_t kSeedBytes = 16;
  static constexpr std::size_t kWordBytes = 16;
  static constexpr std::size_t kBlockBytes = 8192;

  Checksum(Isa isa, const std::uint8_t* seed);

  // The next bytes of the current item. How an item is cut over calls changes nothing.
  void update(const std::uint8_t* data, std::size_t byte_count);

  // The current item is complete; an empty one changes nothing.
  void end_item();

  // The value after the last complete item, in kWordBytes bytes.
  void digest(std::uint8_t* out) const;

 private:
  void end_block();
  void end_blocks(std::uint64_t (*sums)[2]);

  const ProductKernels* kernels_;
  alignas(64) std::uint8_t key_[kBlockBytes];
  std::uint64_t powers_[kBlocksAtOnce][2];  // of r, from r itself
  std::uint64_t value_[2] = {1, 0};
  std::uint64_t block_[2] = {0, 0};
  std::size_t position_ = 0;  // in the block, of whole words
  std::uint8_t word_[kWordBytes] = {};
  std::size_t word_fill_ = 0;
};

}  // namespace pi
