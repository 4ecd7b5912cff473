// Carry-less products in plain C++, in constant time.
//
// Integer products of operands with holes: each of four operands has every fourth bit, so at most
// 16 bits meet in a column, and the carry out of the only column with 16 leaves the word. The
// high half is the low half of the reversed operands. Source: BearSSL, ghash_ctmul64.c (T. Pornin).
#include <cstring>

#include "checksum/products.h"

namespace pi {
namespace {

constexpr std::uint64_t kHoles[4] = {0x1111111111111111, 0x2222222222222222, 0x4444444444444444,
                                     0x8888888888888888};

std::uint64_t low_product(std::uint64_t x, std::uint64_t y) {
  std::uint64_t z = 0;
  for (int r = 0; r < 4; ++r) {
    std::uint64_t sum = 0;
    for (int i = 0; i < 4; ++i) sum ^= (x & kHoles[i]) * (y & kHoles[(r - i) & 3]);
    z |= sum & kHoles[r];
  }
  return z;
}

std::uint64_t swapped(std::uint64_t x, std::uint64_t mask, int shift) {
  return (x & mask) << shift | (x >> shift & mask);
}

std::uint64_t reversed(std::uint64_t x) {
  x = swapped(x, 0x5555555555555555, 1);
  x = swapped(x, 0x3333333333333333, 2);
  x = swapped(x, 0x0f0f0f0f0f0f0f0f, 4);
  x = swapped(x, 0x00ff00ff00ff00ff, 8);
  x = swapped(x, 0x0000ffff0000ffff, 16);
  return x << 32 | x >> 32;
}

struct Portable {
  static void product(std::uint64_t x, std::uint64_t y, std::uint64_t* out) {
    out[0] = low_product(x, y);
    out[1] = reversed(low_product(reversed(x), reversed(y))) >> 1;
  }
};

void add_products(const std::uint8_t* key, const std::uint8_t* data, std::size_t word_count,
                  std::uint64_t* sum) {
  for (std::size_t i = 0; i < word_count; ++i) {
    std::uint64_t k[2];
    std::uint64_t m[2];
    std::uint64_t product[2];
    std::memcpy(k, key + 16 * i, sizeof k);
    std::memcpy(m, data + 16 * i, sizeof m);
    Portable::product(m[0] ^ k[0], m[1] ^ k[1], product);
    sum[0] ^= product[0];
    sum[1] ^= product[1];
  }
}

void add_blocks(const std::uint8_t* key, const std::uint8_t* data, std::size_t block_words,
                std::uint64_t (*sums)[2]) {
  for (std::size_t b = 0; b < kBlocksAtOnce; ++b) {
    add_products(key, data + 16 * block_words * b, block_words, sums[b]);
  }
}

}  // namespace

const ProductKernels kProductsPortable = {add_products, add_blocks,
                                          FieldTemplates<Portable>::multiply};

}  // namespace pi
