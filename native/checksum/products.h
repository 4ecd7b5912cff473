// Products of polynomials over GF(2), one implementation per instruction set.
#pragma once
#include <cstddef>
#include <cstdint>

namespace pi {

constexpr std::size_t kBlocksAtOnce = 4;

struct ProductKernels {
  // sum ^= (m_low ^ k_low) * (m_high ^ k_high) over `word_count` words of 16 bytes.
  void (*add_products)(const std::uint8_t* key, const std::uint8_t* data, std::size_t word_count,
                       std::uint64_t* sum);
  // The same over kBlocksAtOnce whole blocks that lie one after the other, each with its own sum.
  void (*add_blocks)(const std::uint8_t* key, const std::uint8_t* data, std::size_t block_words,
                     std::uint64_t (*sums)[2]);
  // value = value * factor in GF(2^128), two 64-bit halves each, the low one first.
  void (*multiply)(std::uint64_t* value, const std::uint64_t* factor);
};

extern const ProductKernels kProductsPortable;
extern const ProductKernels kProductsAesni;
extern const ProductKernels kProductsVaes512;

// Multiply is a template over the product of two 64-bit polynomials, so that code compiled with
// different flags never shares a symbol.
template <class Multiplier>
struct FieldTemplates {
  static void multiply(std::uint64_t* value, const std::uint64_t* factor) {
    std::uint64_t low[2];
    std::uint64_t high[2];
    std::uint64_t middle[2];
    std::uint64_t other[2];
    Multiplier::product(value[0], factor[0], low);
    Multiplier::product(value[1], factor[1], high);
    Multiplier::product(value[0], factor[1], middle);
    Multiplier::product(value[1], factor[0], other);
    low[1] ^= middle[0] ^ other[0];
    high[0] ^= middle[1] ^ other[1];
    // x^128 = x^7 + x^2 + x + 1. The bits that leave the upper end are folded once more.
    const std::uint64_t over = high[1] >> 63 ^ high[1] >> 62 ^ high[1] >> 57;
    value[0] = low[0] ^ times_tail(high[0]) ^ times_tail(over);
    value[1] = low[1] ^ times_tail(high[1]) ^ high[0] >> 63 ^ high[0] >> 62 ^ high[0] >> 57;
  }

 private:
  static std::uint64_t times_tail(std::uint64_t x) { return x ^ x << 1 ^ x << 2 ^ x << 7; }
};

}  // namespace pi
